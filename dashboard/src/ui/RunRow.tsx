// A run in a list.
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../api/call";
import { Badge } from "./Badge";
import css from "./RunRow.module.css";
import { Ago, Span } from "./Time";
import ui from "./ui.module.css";
import { runWord, shortRun } from "./words";

export function RunRow({ run }: { run: Schemas["Run"] }) {
  return (
    <Link to="/runs/$run" params={{ run: run.id }} className={`${ui.row} ${css.row}`} data-row>
      <span className={css.state}>
        <Badge word={runWord(run)} />
      </span>
      <span className={css.what}>
        <b>{run.task?.task ?? "Checks"}</b>
        <span className="muted clip">{run.task?.feature ?? `of run ${shortRun(run.subject ?? "")}`}</span>
      </span>
      <span className={`${css.agent} muted clip`}>{run.agent ?? run.class}</span>
      <span className={`${css.took} muted`}>{run.started_at && <Span from={run.started_at} to={run.ended_at} />}</span>
      <span className={css.when}>
        <Ago at={run.ended_at ?? run.started_at ?? run.queued_at} />
      </span>
    </Link>
  );
}
