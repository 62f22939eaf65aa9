// Where the run is and why there; and of every other device, why not.
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/call";
import { Coded } from "../../ui/Coded";
import { Empty, Loaded } from "../../ui/State";
import { useWhy, Verdicts } from "../../ui/Verdicts";
import { useWho, withNames } from "../../ui/Who";
import { shortRun } from "../../ui/words";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

export function Where({ run }: { run: ShownRun }) {
  return (
    <div className={css.scroll}>
      {run.task ? (
        <OfTask run={run} task={run.task} />
      ) : (
        <Empty title="Checks are not placed by themselves">They run where the work that they judge is.</Empty>
      )}
    </div>
  );
}

function OfTask({ run, task }: { run: ShownRun; task: Schemas["TaskRef"] }) {
  const why = useWhy({ at: task });
  const who = useWho();
  return (
    <Loaded query={why} rows={4}>
      {(found) =>
        found.run && found.run !== run.id ? (
          <Empty title={`${task.task} has a later run`}>
            The devices are judged for that one:{" "}
            <Link to="/runs/$run" params={{ run: found.run }} search={{ tab: "where" }} className="link">
              run {shortRun(found.run)}
            </Link>
            .
          </Empty>
        ) : (
          <div>
            <p className={css.because}>
              <Coded text={withNames(found.why, who)} />
            </p>
            <Verdicts at={task} map />
          </div>
        )
      }
    </Loaded>
  );
}
