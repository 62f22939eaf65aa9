// The merge gate in words: what is there, and what is missing.
import { Link } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, CircleX } from "lucide-react";
import type { ReactNode } from "react";
import { useMay } from "../../api/query";
import { RunAgain } from "../../ui/again/RunAgain";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { Section } from "../../ui/Page";
import ui from "../../ui/ui.module.css";
import { useWho, Who, withNames } from "../../ui/Who";
import { ended, forPage, plural, runWord, shortOid, shortRun } from "../../ui/words";
import { asksReview, type Run, type Shown } from "./facts";
import css from "./Patch.module.css";

interface Props {
  patch: Shown;
  run: Run | undefined;
  runs: Run[] | undefined;
  /** Opens the review. */
  onReview: () => void;
}

export function Gate({ patch, run, runs, onReview }: Props) {
  const note = patch.state !== "open" ? undefined : patch.missing.length === 0 ? "open" : "shut";
  return (
    <Section title="Merge gate" note={note}>
      <div className={`${ui.card} ${css.card}`}>
        <Words patch={patch} run={run} onReview={onReview} />
        {patch.state === "open" && <Next patch={patch} run={run} runs={runs} />}
      </div>
    </Section>
  );
}

/** Requested changes are made by a further run. */
function Next({ patch, run, runs }: Omit<Props, "onReview">) {
  const going = runs?.find((one) => one.patch === patch.id && !ended(one.state));
  if (going) {
    return (
      <p className={css.judging}>
        <Badge word={runWord(going)} />
        <span>
          <Link to="/runs/$run" params={{ run: going.id }} className="link">
            Run {shortRun(going.id)}
          </Link>{" "}
          makes a new revision.
        </span>
      </p>
    );
  }
  const task = run?.task;
  if (!task || patch.standing !== "changes_requested") return null;
  return (
    <p>
      <RunAgain at={task} from={run} name={`Run ${task.task} again`} reviewed />
    </p>
  );
}

function Words({ patch, run, onReview }: Omit<Props, "runs">) {
  if (patch.state === "merged") {
    return (
      <Line good>
        Merged
        {patch.merged_by && (
          <>
            {" "}
            by <Who did={patch.merged_by} />
          </>
        )}
        {patch.merged_as && (
          <>
            {" "}
            as <code title={patch.merged_as}>{shortOid(patch.merged_as)}</code>
          </>
        )}
        .{patch.pull && <Pull command={patch.pull} />}
      </Line>
    );
  }
  if (patch.state === "archived") return <span className="muted">Closed without merging. Its commits stay in the repository.</span>;
  if (patch.state === "draft") return <span className="muted">A draft: its author does not want it judged yet.</span>;
  return <GateWords patch={patch} run={run} onReview={onReview} />;
}

/** How a working copy gets what was merged. */
function Pull({ command }: { command: string }) {
  return (
    <>
      {" "}
      Into a working copy it comes with: <code>{command}</code> <Copy name="Copy the command" text={command} />
    </>
  );
}

/** For an open patch. */
export function GateWords({ patch, run, onReview }: { patch: Shown; run?: Run; onReview: () => void }) {
  const mayReview = useMay("patch.review");
  const who = useWho();
  const checks = run?.checks ?? [];
  const named = (sentence: string) => withNames(sentence, who);
  return (
    <>
      {patch.merging && (
        <p className={css.judging}>
          <Badge word={{ text: "Merging", tone: "run", live: true }} />
          <span>{named(forPage(patch.merging))}</span>
        </p>
      )}
      {patch.missing.map((sentence) => (
        <Line key={sentence}>
          {named(forPage(sentence))} {mayReview && asksReview(sentence) && <Button onClick={onReview}>Review</Button>}
        </Line>
      ))}
      {patch.approved_by.length > 0 && <Line good>Accepted by {patch.approved_by.map((did) => who(did).name).join(", ")}.</Line>}
      {checks.length > 0 && checks.every((check) => check.passed) && (
        <Line good>{plural(checks.length, "check")} passed on this very commit.</Line>
      )}
      {patch.missing.length === 0 && !patch.merging && (
        <p className="muted">Nothing is missing. Where the branch went on meanwhile, the checks run once more on the merged result.</p>
      )}
      {patch.rules_changed.length > 0 && (
        <p className={css.warning}>
          <CircleAlert size={15} aria-hidden /> It changes the rules by which the project is checked and run:{" "}
          {patch.rules_changed.join(", ")}. Look at them; such a patch needs one approval at least.
        </p>
      )}
    </>
  );
}

function Line({ good, children }: { good?: boolean; children: ReactNode }) {
  return (
    <p className={css.line} data-good={good}>
      {good ? <CircleCheck size={15} aria-label="Met:" /> : <CircleX size={15} aria-label="Missing:" />}
      <span>{children}</span>
    </p>
  );
}
