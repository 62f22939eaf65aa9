// Invitations that somebody may still come with: their tickets, and taking them back.
import type { Schemas } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Asks } from "../../ui/Dialog";
import { Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { moment } from "../../ui/words";
import { Ticket } from "./Ticket";
import { asWhat } from "./Waiting";

export function Invites() {
  const may = useMay("org.invites");
  const invites = useRead("org.invites", {}, { enabled: may });
  if (!may) return null;
  return (
    <Loaded query={invites} rows={1}>
      {(all) => {
        const open = all.filter((one) => one.open);
        return open.length > 0 && <List invites={open} />;
      }}
    </Loaded>
  );
}

function List({ invites }: { invites: Schemas["InviteView"][] }) {
  const back = useAct("org.uninvite");
  return (
    <Section title="Open invitations">
      <Table
        label="Open invitations"
        rows={invites}
        keyOf={({ id }) => id}
        columns={[
          { title: "As", cell: ({ admits }) => asWhat(admits) },
          { title: "Used", cell: ({ used, uses }) => <span className="number">{`${used.length} of ${uses}`}</span> },
          { title: "Counts until", cell: ({ expires }) => moment(expires) },
          {
            title: "Change",
            end: true,
            cell: ({ id, ticket }) => (
              <>
                <Opens name={`Show the ticket ${tail(id)}`} title="Ticket">
                  {() => <Ticket ticket={ticket} />}
                </Opens>{" "}
                <Asks
                  name={`Take back ${tail(id)}`}
                  title="Take this invitation back?"
                  text="Nobody can come with its ticket any more. Who came with it already stays."
                  deed="Take it back"
                  onYes={() => back.mutate({ invite: id })}
                />
              </>
            ),
          },
        ]}
      />
    </Section>
  );
}

const tail = (id: string): string => id.slice(-6);
