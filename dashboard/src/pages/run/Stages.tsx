// The states of the run in their order, each with how long it took.
import { Badge } from "../../ui/Badge";
import { Span } from "../../ui/Time";
import { clock, ended, stateWord } from "../../ui/words";
import { stages } from "./phases";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

export function Stages({ run }: { run: ShownRun }) {
  return (
    <ol className={css.stages} aria-label="Phases">
      {stages(run).map(({ state, from, to }) => (
        <li key={from + state} title={`since ${clock(from)}`}>
          <Badge word={{ ...stateWord(state), live: to === undefined }} />{" "}
          <span className="muted">{ended(state) ? clock(from) : <Span from={from} to={to} />}</span>
        </li>
      ))}
    </ol>
  );
}
