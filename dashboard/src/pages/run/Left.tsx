// What a run left behind: work that is in no patch, and messages that its agent did not get.
import { useAct, useMay, useRead } from "../../api/query";
import { Asks } from "../../ui/Dialog";
import { Section } from "../../ui/Page";
import { bytes, ended } from "../../ui/words";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

/** Those that wait for the agent, and those that it will never get. */
export function Undelivered({ run }: { run: ShownRun }) {
  const waits = waiting(run);
  const refused = (run.undelivered ?? []).filter((one) => !waits.includes(one));
  return (
    <>
      {waits.length > 0 && (
        <Section title="Messages on their way" note={waits.length}>
          <Messages list={waits} why="The agent is told when its present turn ends." />
        </Section>
      )}
      {refused.length > 0 && (
        <Section title="Messages that it did not get" note={refused.length}>
          <Messages list={refused} why="The run ended before." />
          {run.task && <p className="muted">“Run again” shows what it did not get, for the next run.</p>}
        </Section>
      )}
    </>
  );
}

/** Messages that the agent gets when its present turn ends. */
const waiting = (run: ShownRun) => (ended(run.state) ? [] : (run.undelivered ?? []).filter(({ why }) => why == null));

function Messages({ list, why }: { list: NonNullable<ShownRun["undelivered"]>; why: string }) {
  return (
    <ul className={css.left}>
      {list.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two may say the same
        <li key={at}>
          <q>{one.text}</q> <span className="muted">{one.why ?? why}</span>
        </li>
      ))}
    </ul>
  );
}

export function Kept({ run }: { run: ShownRun }) {
  const kept = useRead("run.kept", {}, { enabled: run.kept_in != null });
  const may = useMay("run.drop");
  const drop = useAct("run.drop");
  const found = kept.data?.find((one) => one.run === run.id);
  if (!run.kept_in) return null;
  return (
    <Section title="Work that is in no patch" note={found && bytes(found.bytes)}>
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
          <Asks
            name="Remove it"
            busy={drop.isPending}
            title="Remove this work?"
            text="It is in no patch and no checkpoint: it cannot be had again."
            deed="Remove it"
            onYes={() => drop.mutate({ run: run.id })}
          />
        </p>
      )}
    </Section>
  );
}
