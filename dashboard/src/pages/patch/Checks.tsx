// What the checks said about exactly this commit, with the end of what they printed.
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX } from "lucide-react";
import { useState } from "react";
import { problemOf, type Schemas } from "../../api/call";
import { RunAsOf } from "../../ui/AsOf";
import { plain } from "../../ui/ansi";
import { Badge } from "../../ui/Badge";
import { writeRef } from "../../ui/diff/anchor";
import { Section } from "../../ui/Page";
import { Loading } from "../../ui/State";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { ended, plural, runWord, shortRun, span } from "../../ui/words";
import { checksOf, type Revision, type Run, type Shown } from "./facts";
import { places, useOutputs } from "./output";
import css from "./Patch.module.css";

interface Props {
  patch: Shown;
  revision: Revision;
  run: Run | undefined;
  runs: Run[] | undefined;
}

export function Checks({ patch, revision, run, runs }: Props) {
  const judging = runs?.filter((one) => one.class === "ci" && run && one.subject === run.id) ?? [];
  const own = judging.find((one) => one.base === revision.head && ended(one.state));
  const checks = checksOf(patch, revision, run);
  const told = run ? [] : checks;
  const failed = checks.filter((check) => !check.passed).length;
  const note = checks.length === 0 ? undefined : failed > 0 ? `${failed} failed` : plural(checks.length, "passed", "passed");
  return (
    <Section title="Checks" note={note}>
      <div className={`${ui.card} ${css.card}`}>
        {checks.map((check) => (
          <Check key={`${own?.id} ${check.name}`} check={check} run={own} patch={patch} />
        ))}
        {told.length > 0 && (
          <p className="muted">So says the patch itself. No run of this org made it, so the checks run again when it is merged.</p>
        )}
        {checks.length === 0 && judging.length === 0 && <span className="muted">None have run on this commit yet.</span>}
        {judging.map((one) => (
          <Judging key={one.id} run={one} merged={one.base !== revision.head} />
        ))}
      </div>
    </Section>
  );
}

/** A run of the checks: on the commit itself, or on what a merge would make of it. */
function Judging({ run, merged }: { run: Run; merged: boolean }) {
  return (
    <p className={css.judging}>
      {!ended(run.state) && <Badge word={runWord(run)} />}
      <span>
        {merged ? "On the result of a merge" : "Checked"} in{" "}
        <Link to="/runs/$run" params={{ run: run.id }} className="link">
          run {shortRun(run.id)}
        </Link>
      </span>
      <RunAsOf run={run} />
      <span className={css.spring} />
      <Ago at={run.ended_at ?? run.started_at ?? run.queued_at} />
    </p>
  );
}

function Check({ check, run, patch }: { check: Schemas["CheckResult"]; run: Run | undefined; patch: Shown }) {
  const { name, passed, exit_code, duration_ms } = check;
  const [open, setOpen] = useState(!passed);
  const outputs = useOutputs(run?.id, open && !check.tail);
  const text = check.tail || outputs.data?.[name];
  return (
    <div className={css.check}>
      <p className={css.line} data-good={passed}>
        {passed ? <CircleCheck size={15} aria-label="Passed:" /> : <CircleX size={15} aria-label="Failed:" />}
        <b>{name}</b>
        <span className="muted number">
          {span(duration_ms)}
          {!passed && (exit_code == null ? ", ended by a limit or a signal" : `, exit code ${exit_code}`)}
        </span>
      </p>
      {(run || check.tail) && (
        <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>The end of its output</summary>
          {open && text !== undefined && (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
            <pre className={css.output} tabIndex={0}>
              <Output text={plain(text).trimEnd() || "It printed nothing."} patch={patch} />
            </pre>
          )}
          {open && outputs.isLoading && <Loading rows={2} />}
          {open && outputs.error && <p className="muted">{problemOf(outputs.error).what}</p>}
          {open && outputs.data && text === undefined && <p className="muted">It is in the run’s log.</p>}
        </details>
      )}
    </div>
  );
}

/** Where it names a line of a file of the patch, that leads there. */
function Output({ text, patch }: { text: string; patch: Shown }) {
  return places(
    text,
    patch.files.map(({ path }) => path),
  ).map((part, at) => {
    if (typeof part === "string") return part;
    const search = { project: patch.project, tab: "changes" as const, at: writeRef({ path: part.path, side: "new", line: part.line }) };
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: the same place may be named twice
      <Link key={at} to="/patches/$patch" params={{ patch: patch.id }} search={search} className="link">
        {part.text}
      </Link>
    );
  });
}
