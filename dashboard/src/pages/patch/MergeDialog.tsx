// Asks before a merge, with the gate's state; tells what became of it.
import { Link } from "@tanstack/react-router";
import { type Output, problemOf } from "../../api/call";
import { useProjects } from "../../api/projects";
import { useAct } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { ProblemView } from "../../ui/State";
import { notify } from "../../ui/Toasts";
import { shortOid, shortRun } from "../../ui/words";
import { type Judged, latest } from "./facts";
import { GateWords } from "./Gate";
import { Newer } from "./Newer";
import { useLookAgain } from "./newest";
import css from "./Patch.module.css";

export function MergeDialog({ patch, seen, run, onClose, catchUp, onReview }: Judged & { onReview: () => void }) {
  const projects = useProjects();
  const branch = projects.data?.find((one) => one.project.name === patch.project)?.project.branch;
  const done = (outcome: Output<"patch.merge">) => {
    if (outcome.outcome !== "merged") return;
    notify({
      tone: "good",
      title: `Merged into ${branch ?? "the default branch"} as ${shortOid(outcome.commit)}.`,
      here: true,
    });
    onClose();
  };
  const merge = useAct("patch.merge", { done, failed: useLookAgain() });
  const behind = seen.id !== latest(patch)?.id;
  const yes = () => merge.mutate({ project: patch.project, patch: patch.id, revision: seen.id });
  if (merge.data?.outcome === "rebasing") return <Rebasing outcome={merge.data} onClose={onClose} />;
  return (
    <Dialog title={`Merge into ${branch ?? "the default branch"}?`} open onClose={onClose}>
      <div className={css.form}>
        {behind && <Newer number={patch.revisions.length} onShow={catchUp} />}
        <p className="clip">{patch.title}</p>
        {patch.missing.length > 0 && <p>It cannot be merged yet:</p>}
        <GateWords patch={patch} run={run} onReview={onReview} />
        {merge.error && <ProblemView problem={problemOf(merge.error)} />}
        {merge.isPending && <p role="status">Merging. Where the checks have to run on the result, this takes as long as they do.</p>}
        <p className={css.buttons}>
          <span className={css.spring} />
          <Button onClick={onClose}>{merge.isPending ? "Close" : "Cancel"}</Button>
          <Button
            tone="primary"
            busy={merge.isPending}
            disabled={behind || patch.missing.length > 0 || patch.merging !== null}
            onClick={yes}
          >
            Merge
          </Button>
        </p>
      </div>
    </Dialog>
  );
}

function Rebasing({ outcome, onClose }: { outcome: Extract<Output<"patch.merge">, { outcome: "rebasing" }>; onClose: () => void }) {
  return (
    <Dialog title="It is not merged yet" open onClose={onClose}>
      <div className={css.form}>
        <p>
          It conflicts with the branch as it is now, in {outcome.paths.join(", ")}. A run does the work anew on the present branch:{" "}
          <Link to="/runs/$run" params={{ run: outcome.run }} className="link">
            run {shortRun(outcome.run)}
          </Link>
          . A newer revision comes from it.
        </p>
        <p className={css.buttons}>
          <span className={css.spring} />
          <Button tone="primary" onClick={onClose}>
            Good
          </Button>
        </p>
      </div>
    </Dialog>
  );
}
