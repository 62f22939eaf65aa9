// What a run left behind: files that are in no commit, and messages that its agent did not get.
import { useState } from "react";
import { useAct, useMay, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Ask } from "../../ui/Dialog";
import { Section } from "../../ui/Page";
import { bytes } from "../../ui/words";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

export function Undelivered({ run }: { run: ShownRun }) {
  const messages = run.undelivered ?? [];
  if (messages.length === 0) return null;
  return (
    <Section title="Messages that it did not get" note={messages.length}>
      <ul className={css.left}>
        {messages.map(({ text, why }, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two may say the same
          <li key={at}>
            <q>{text}</q> <span className="muted">{why ?? "It gets it when its present turn ends."}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

export function Kept({ run }: { run: ShownRun }) {
  const kept = useRead("run.kept", {}, { enabled: run.kept_in != null });
  const may = useMay("run.drop");
  const drop = useAct("run.drop");
  const [asks, setAsks] = useState(false);
  const found = kept.data?.find((one) => one.run === run.id);
  if (!run.kept_in) return null;
  return (
    <Section title="Files that are in no commit" note={found && bytes(found.bytes)}>
      <code className={css.path}>{run.kept_in}</code>
      {found?.left_out && (
        <ul className={css.left}>
          {found.left_out.files.map((file) => (
            <li key={file}>
              <code>{file}</code>
            </li>
          ))}
          {found.left_out.more > 0 && <li className="muted">and {found.left_out.more} more</li>}
        </ul>
      )}
      {may && (
        <p>
          <Button tone="danger" busy={drop.isPending} onClick={() => setAsks(true)}>
            Remove them
          </Button>
        </p>
      )}
      <Ask
        title="Remove these files?"
        text="They are in no commit and no checkpoint: they cannot be had again."
        deed="Remove them"
        open={asks}
        onClose={() => setAsks(false)}
        onYes={() => drop.mutate({ run: run.id })}
      />
    </Section>
  );
}
