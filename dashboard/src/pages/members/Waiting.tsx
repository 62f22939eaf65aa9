// What waits for the owners: people and devices that knocked here, and changes of the org that need more signatures.
import type { Output, Schemas } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { shortDid } from "../../ui/words";

type Joiner = Output<"org.joiners">[number];
type Proposal = Output<"org.proposals">[number];

/** As what somebody is to join. */
export const asWhat = (admits: Schemas["Admits"]): string => ("role" in admits ? admits.role : `a device of ${admits.member}`);

export function Joiners() {
  const joiners = useRead("org.joiners", {});
  const may = useMay("org.approve");
  const approve = useAct("org.approve");
  const reject = useAct("org.reject");
  const waits = (joiner: Joiner) => joiner.state === "waiting" || joiner.state === "proposed";
  return (
    <Loaded query={joiners} rows={1}>
      {(all) => {
        const list = all.filter(waits);
        if (list.length === 0) return null;
        return (
          <Section title="Waiting to be let in">
            <Table
              label="Waiting to be let in"
              rows={list}
              keyOf={(joiner) => joiner.device}
              columns={[
                { title: "Who", cell: (joiner) => <b>{joiner.name}</b> },
                { title: "Device", cell: (joiner) => joiner.device_name },
                { title: "As", cell: ({ admits }) => asWhat(admits) },
                { title: "Key", cell: (joiner) => <code title={joiner.device}>{shortDid(joiner.device)}</code> },
                {
                  title: "Decide",
                  end: true,
                  cell: (joiner) =>
                    joiner.state === "proposed" ? (
                      <Badge word={{ text: "Waits for more owners", tone: "warn" }} />
                    ) : (
                      may && (
                        <>
                          <Button
                            busy={approve.isPending && approve.variables.what === joiner.device}
                            onClick={() => approve.mutate({ what: joiner.device })}
                          >
                            Let {joiner.name} in
                          </Button>{" "}
                          <Asks
                            name={`Decline ${joiner.name}`}
                            title={`Decline ${joiner.name}?`}
                            text="They are told, and need another ticket to ask again."
                            deed={`Decline ${joiner.name}`}
                            onYes={() => reject.mutate({ what: joiner.device })}
                          />
                        </>
                      )
                    ),
                },
              ]}
            />
          </Section>
        );
      }}
    </Loaded>
  );
}

export function Proposals() {
  const proposals = useRead("org.proposals", {});
  const may = useMay("org.approve");
  const approve = useAct("org.approve");
  const reject = useAct("org.reject");
  return (
    <Loaded query={proposals} rows={1}>
      {(list) =>
        list.length > 0 && (
          <Section title="Changes that wait for owners">
            <Table
              label="Changes that wait for owners"
              rows={list}
              keyOf={(proposal) => proposal.id}
              columns={[
                { title: "Change", cell: (proposal) => <Change proposal={proposal} /> },
                { title: "By", cell: (proposal) => proposal.by },
                {
                  title: "Approved",
                  cell: (proposal) =>
                    `${proposal.approved.length} of ${proposal.needed}${proposal.approved.length > 0 ? ": " : ""}${proposal.approved.join(", ")}`,
                },
                {
                  title: "Decide",
                  end: true,
                  cell: (proposal) =>
                    may && (
                      <>
                        {proposal.yours && (
                          <Button
                            busy={approve.isPending && approve.variables.what === proposal.id}
                            onClick={() => approve.mutate({ what: proposal.id, revision: proposal.revision })}
                          >
                            Approve “{proposal.title}”
                          </Button>
                        )}{" "}
                        <Asks
                          name={`Reject “${proposal.title}”`}
                          title={`Reject “${proposal.title}”?`}
                          text="It comes into force by nobody’s signature any more; whoever wants it proposes it anew."
                          deed="Reject it"
                          onYes={() => reject.mutate({ what: proposal.id })}
                        />
                      </>
                    ),
                },
              ]}
            />
          </Section>
        )
      }
    </Loaded>
  );
}

function Change({ proposal }: { proposal: Proposal }) {
  return (
    <>
      <b>{proposal.title}</b>
      <div className="muted">{proposal.files.join(", ")}</div>
      {proposal.problem && <div className="muted">{proposal.problem}</div>}
    </>
  );
}
