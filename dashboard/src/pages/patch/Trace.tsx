// Where the work comes from, link by link, each verified anew from the repositories: patch, run, agent, member, task, spec.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import type { Word } from "../../ui/words";
import type { Shown } from "./facts";
import css from "./Patch.module.css";

export function Trace({ patch }: { patch: Shown }) {
  const [open, setOpen] = useState(false);
  return (
    <Section title="Where it comes from">
      {open ? (
        <Chain patch={patch} />
      ) : (
        <p>
          <Button onClick={() => setOpen(true)}>Verify each link</Button>
        </p>
      )}
    </Section>
  );
}

function Chain({ patch: { id, project } }: { patch: Shown }) {
  const chain = useRead("trace.show", { project, what: id });
  return (
    <Loaded query={chain} rows={6}>
      {({ links, verified }) => (
        <>
          <Badge
            word={verified ? { text: "Every link is verified", tone: "good" } : { text: "Not every link is verified", tone: "warn" }}
          />
          <ol className={css.chain}>
            {links.map(({ step, what, verdict }) => (
              <li key={`${step} ${what}`}>
                <Badge word={words[verdict.verdict]} /> <b>{step.replaceAll("_", " ")}</b> <span className={css.link}>{what}</span>
                {"why" in verdict && <p className="muted">{verdict.why}</p>}
              </li>
            ))}
          </ol>
        </>
      )}
    </Loaded>
  );
}

const words: Record<Output<"trace.show">["links"][number]["verdict"]["verdict"], Word> = {
  verified: { text: "Verified", tone: "good" },
  not_verified: { text: "Not verified", tone: "bad" },
  unknown: { text: "Not known here", tone: "warn" },
};
