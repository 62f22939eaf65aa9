// What the checks said about exactly this commit, with the end of what they printed.
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX } from "lucide-react";
import type { Schemas } from "../../api/call";
import { Badge } from "../../ui/Badge";
import { Section } from "../../ui/Page";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { plural, runWord, shortRun, span } from "../../ui/words";
import { latest, type Revision, type Run, type Shown } from "./facts";
import css from "./Patch.module.css";

interface Props {
  patch: Shown;
  revision: Revision;
  run: Run | undefined;
  runs: Run[] | undefined;
}

export function Checks({ patch, revision, run, runs }: Props) {
  const judging = runs?.filter((one) => one.class === "ci" && one.subject === run?.id && run) ?? [];
  const told = !run && revision.id === latest(patch)?.id ? (patch.trace?.checks ?? []) : [];
  const checks = run?.checks ?? told;
  const failed = checks.filter((check) => !check.passed).length;
  const note = checks.length === 0 ? undefined : failed > 0 ? `${failed} failed` : plural(checks.length, "passed", "passed");
  return (
    <Section title="Checks" note={note}>
      <div className={`${ui.card} ${css.card}`}>
        {checks.map((check) => (
          <Check key={check.name} check={check} />
        ))}
        {told.length > 0 && (
          <p className="muted">So says the patch itself. No run of this org made it, so the checks run again when it is merged.</p>
        )}
        {checks.length === 0 && judging.length === 0 && <span className="muted">None have run on this commit yet.</span>}
        {judging.map((one) => (
          <p key={one.id} className={css.judging}>
            <Badge word={runWord(one)} />
            <Link to="/runs/$run" params={{ run: one.id }} className="link">
              in run {shortRun(one.id)}
            </Link>
            <span className={css.spring} />
            <Ago at={one.ended_at ?? one.started_at ?? one.queued_at} />
          </p>
        ))}
      </div>
    </Section>
  );
}

function Check({ check }: { check: Schemas["CheckResult"] }) {
  const { name, passed, tail, exit_code, duration_ms } = check;
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
      {tail && (
        <details open={!passed}>
          <summary>The end of its output</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre className={css.output} tabIndex={0}>
            {tail}
          </pre>
        </details>
      )}
    </div>
  );
}
