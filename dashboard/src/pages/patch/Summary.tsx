// The lines under the title: for which task, by whom, in which run, since when.
import { Link } from "@tanstack/react-router";
import { taskLink } from "../../ui/links";
import { Ago } from "../../ui/Time";
import { Who } from "../../ui/Who";
import { plural, shortOid, shortRun } from "../../ui/words";
import { latest, type Run, type Shown } from "./facts";
import css from "./Patch.module.css";

export function Summary({ patch, run }: { patch: Shown; run: Run | undefined }) {
  const task = run?.task ?? patch.trace?.task;
  return (
    <p className={css.summary}>
      {run?.agent ? (
        <span>
          By <b>{run.agent}</b> for <Who did={run.member} />, in{" "}
          <Link to="/runs/$run" params={{ run: run.id }} className="link">
            run {shortRun(run.id)}
          </Link>
        </span>
      ) : (
        <span>
          By <Who did={latest(patch)?.author ?? patch.author} />
        </span>
      )}
      {task && (
        <span>
          Task{" "}
          <Link {...taskLink(task)} className="link">
            {task.task} of {task.feature}
          </Link>
        </span>
      )}
      <span>
        Project <b>{patch.project}</b>
      </span>
      <span>
        {plural(patch.revisions.length, "revision")}, the last <Ago at={latest(patch)?.at ?? 0} />
      </span>
      <span title={patch.id}>
        Patch <code>{shortOid(patch.id)}</code>
      </span>
    </p>
  );
}
