// The org's tailnet: its server, this machine in it, and the machines that belong to the org. Nothing where the org has none.
import type { Output } from "../../api/call";
import { useTailnet } from "../../api/tailnet";
import { Badge } from "../../ui/Badge";
import { Section } from "../../ui/Page";
import { ProblemView } from "../../ui/State";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import type { Word } from "../../ui/words";
import css from "./Mesh.module.css";

type Status = Output<"tailnet.status">;

export function Tailnet() {
  const { data: status } = useTailnet();
  if (!status || (!status.server && !status.here)) return null;
  // What is wrong stands above the page already.
  const problems = [status.problem, status.here?.problem].filter((problem) => problem?.what !== status.wrong?.what);
  return (
    <Section title="Tailnet" note={status.at && <Ago at={status.at} />}>
      <p className={css.two}>
        <span>
          {status.server ?? "No server of the org"}
          {status.managed && ", run by this device"}. <Badge word={serverWord(status)} />
        </span>
        {status.here && <span className="muted">{hereWords(status.here)}</span>}
        {status.opened.map((rule) => (
          <span key={rule} className="muted">
            By hand: {rule}
          </span>
        ))}
      </p>
      {problems.map((problem) => problem && <ProblemView key={problem.what} problem={problem} />)}
      {status.nodes.length > 0 && <Nodes nodes={status.nodes} />}
    </Section>
  );
}

function serverWord({ reachable }: Status): Word {
  if (reachable == null) return { text: "Not asked yet", tone: "none" };
  return reachable ? { text: "Answers", tone: "good" } : { text: "Does not answer", tone: "bad" };
}

const hereWords = ({ state, addresses, health }: NonNullable<Status["here"]>): string =>
  [`This machine: ${state ?? "not in it"}`, ...addresses, ...health].join("; ");

function Nodes({ nodes }: { nodes: Status["nodes"] }) {
  return (
    <Table
      label="Machines of the tailnet"
      rows={nodes}
      keyOf={({ name, did }) => `${name} ${did ?? ""}`}
      columns={[
        { title: "Machine", cell: ({ name }) => <b>{name}</b> },
        {
          title: "Device",
          cell: ({ device, owner }) => (device ? `${device} of ${owner ?? "nobody"}` : <span className="muted">none yet</span>),
        },
        {
          title: "Seen",
          cell: ({ online }) => <Badge word={online ? { text: "Online", tone: "good" } : { text: "Offline", tone: "none" }} />,
        },
        { title: "Addresses", cell: ({ addresses }) => addresses.map((one) => <code key={one}>{one}</code>) },
        { title: "Tags", cell: ({ tags }) => tags.map((one) => <code key={one}>{one}</code>) },
      ]}
    />
  );
}
