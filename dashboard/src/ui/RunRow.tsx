// Runs in a list, each with the words of its task.
import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../api/call";
import { read, useMay } from "../api/query";
import { RunAsOf } from "./AsOf";
import type { OfRun } from "./asOf";
import { Badge } from "./Badge";
import line from "./Line.module.css";
import css from "./RunRow.module.css";
import { StopRun, stoppable } from "./StopRun";
import { Ago, Span } from "./Time";
import ui from "./ui.module.css";
import { runWord, shortRun } from "./words";

/** From whose journal it is known, and whether its device is away, where that is said. */
type Run = Schemas["RunView"] & Pick<OfRun, "whose" | "away">;

/** `stop`: those that go on can be stopped there. */
export function RunRows({ runs, stop }: { runs: readonly Run[]; stop?: boolean }) {
  const titles = useTitles(runs);
  const may = useMay("run.stop") && stop && runs.some(stoppable);
  return (
    <div className={ui.rows}>
      {runs.map((run) => {
        const row = <RunRow key={run.id} run={run} title={run.task && titles.get(keyOf(run.task))} within={may} />;
        if (!may) return row;
        return (
          <div key={run.id} className={`${ui.row} ${css.around}`}>
            {row}
            <span className={css.stop}>{stoppable(run) && <StopRun run={run} named />}</span>
          </div>
        );
      })}
    </div>
  );
}

/** When something last happened to a run, as its row says. */
export const lastAt = ({ ended_at, started_at, queued_at }: Run): number => ended_at ?? started_at ?? queued_at;

const keyOf = ({ project, feature, task }: Schemas["TaskRef"]): string => `${project}/${feature}/${task}`;

/** What the tasks of these runs say. */
function useTitles(runs: readonly Run[]): ReadonlyMap<string, string> {
  const projects = [...new Set(runs.flatMap(({ task }) => task?.project ?? []))];
  return useQueries({ queries: projects.map((project) => read("task.list", { project })), combine });
}

const combine = (lists: { data?: Schemas["TaskView"][] }[]) =>
  new Map(lists.flatMap(({ data = [] }) => data.map(({ at, task }): [string, string] => [keyOf(at), task.title])));

function RunRow({ run, title, within }: { run: Run; title: string | null | undefined; within?: boolean }) {
  return (
    <Link to="/runs/$run" params={{ run: run.id }} className={`${within ? css.within : ui.row} ${line.line} ${css.run}`} data-row>
      <span className={line.state}>
        <Badge word={runWord(run)} />
      </span>
      <span className={line.what}>
        <b>{run.task?.task ?? "Checks"}</b>
        <span className="muted clip">{title ?? (run.task ? "" : `of run ${shortRun(run.subject ?? "")}`)}</span>
      </span>
      <RunAsOf run={run} short />
      <span className={`${line.fact} muted clip`}>{run.agent ?? run.class}</span>
      <span className={`${line.number} muted`}>{run.started_at && <Span from={run.started_at} to={run.ended_at} />}</span>
      <span className={line.when}>
        <Ago at={lastAt(run)} />
      </span>
    </Link>
  );
}
