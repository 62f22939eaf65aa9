// Every fact of a run: names, keys, commits, times; and the runs that belong to it.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useRead } from "../../api/query";
import { taskLink } from "../../ui/links";
import { Section } from "../../ui/Page";
import { RunRows } from "../../ui/RunRow";
import { moment, plural, priorityWord, tagsText } from "../../ui/words";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";
import { savedWords } from "./where";

export function About({ run }: { run: ShownRun }) {
  const { data: all = [] } = useRead("run.list", { all: true });
  const related = all.filter(
    (r) => r.id !== run.id && (r.subject === run.id || r.id === run.subject || r.id === run.continues || r.continues === run.id),
  );
  const time = (at: number | null | undefined) => (at ? moment(at) : undefined);
  const task = run.task;
  const facts: [string, ReactNode][] = [
    ["Run", run.id],
    [
      "Task",
      task && (
        <Link {...taskLink(task)} className="link">
          {task.project} / {task.feature} / {task.task}
        </Link>
      ),
    ],
    ["Project", run.project],
    ["Class", run.class],
    ["Queued", time(run.queued_at)],
    ["Started", time(run.started_at)],
    ["Ended", time(run.ended_at)],
    ["Attempt", run.attempt > 0 && `${run.attempt + 1}, taken up by itself after a loss`],
    ["For", run.member],
    ["Asked by device", run.requester],
    ["Asked for on device", run.on],
    ["Asked for with tags", tagsText(run.tags)],
    ["Kept apart from", run.apart && `run ${run.apart.run}, on ${run.apart.device}`],
    ["Priority", priorityWord(run.priority)],
    ["Gave way", run.gave_way && `${plural(run.gave_way, "time")} to more important work`],
    ["Executed by device", run.device],
    ["Told by device", run.told && `${run.told.device}, ${time(run.told.heard_at)}, event ${run.told.seq} of its journal`],
    ["Lease", run.lease],
    ["Key of the run", run.key],
    ["Manifest", run.manifest],
    ["Specification", run.spec_hash],
    ["Begins from", run.base],
    ["Goes on from", run.from && `${run.from.run}, checkpoint ${run.from.commit} of ${run.from.device}`],
    ["Left behind", run.left && `${run.left.work.run}, checkpoint ${run.left.work.commit} on ${run.left.work.device}: ${run.left.why}`],
    ["Checkpoint", savedWords(run)],
    ["Commit", run.commit],
    [
      "Patch",
      run.patch && (
        <Link to="/patches/$patch" params={{ patch: run.patch }} className="link">
          {run.patch}
        </Link>
      ),
    ],
    ["Revision", run.revision],
  ];
  return (
    <div className={css.scroll}>
      <dl className={css.facts}>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt className="muted">{name}</dt>
              <dd className="mono">{value}</dd>
            </div>
          ))}
      </dl>
      {related.length > 0 && (
        <Section title="Belongs to it">
          <RunRows runs={related} />
        </Section>
      )}
    </div>
  );
}
