// Stopping runs from where they are listed: one, or all that can be stopped.
import { Square } from "lucide-react";
import { useEffect, useState } from "react";
import type { Schemas } from "../api/call";
import { useAct, useMay } from "../api/query";
import { Button } from "./Button";
import { Ask } from "./Dialog";
import { notify } from "./Toasts";
import { ended, plural, shortRun } from "./words";

type Run = Schemas["Run"];

export const stoppable = ({ state }: Pick<Run, "state">): boolean => ["queued", "placing", "working"].includes(state);

/** What is said of messages that wait, before the runs are stopped that were to get them. */
function lost(runs: readonly Run[]): string {
  const waiting = runs.flatMap(({ messages = [] }) => messages.filter(({ why }) => why == null)).length;
  if (waiting === 0) return "";
  const [waits, them] = waiting === 1 ? ["waits", "it"] : ["wait", "them"];
  const said = `${plural(waiting, "message")} still ${waits} for the agent, and will not be delivered`;
  return `${said}; the run’s page keeps ${them} for the next run. `;
}

const nameOf = ({ id, task }: Pick<Run, "id" | "task">): string => `${task?.task ?? "the checks"}, run ${shortRun(id)}`;

interface Props {
  run: Run;
  /** In a list each button says which run it stops. */
  named?: boolean;
}

export function StopRun({ run, named }: Props) {
  const [asking, setAsking] = useState(false);
  const stop = useAct("run.stop");
  const name = nameOf(run);
  return (
    <>
      <Button tone="danger" aria-label={named ? `Stop ${name}` : undefined} busy={stop.isPending} onClick={() => setAsking(true)}>
        <Square size={13} aria-hidden /> Stop
      </Button>
      <Ask
        open={asking}
        onClose={() => setAsking(false)}
        title={`Stop ${named ? name : "this run"}?`}
        text={`${lost([run])}Its files are kept in a checkpoint; a further run at the task goes on from there.`}
        deed="Stop it"
        onYes={() => stop.mutate({ run: run.id })}
      />
    </>
  );
}

export function StopAll({ runs }: { runs: readonly Run[] }) {
  const may = useMay("run.stop");
  const [asking, setAsking] = useState(false);
  const [told, setTold] = useState<readonly string[]>([]);
  const stop = useAct("run.stop", {
    quiet: true,
    failed: () => setTold([]),
  });
  const going = runs.filter(stoppable);
  const gone = told.length > 0 && told.every((id) => runs.some((run) => run.id === id && ended(run.state)));
  useEffect(() => {
    if (!gone) return;
    notify({ tone: "good", title: `Stopped ${plural(told.length, "run")}.` });
    setTold([]);
  }, [gone, told]);
  if (!may) return null;
  const yes = () => {
    setTold(going.map(({ id }) => id));
    for (const { id } of going) stop.mutate({ run: id });
  };
  return (
    <>
      <Button tone="danger" disabled={going.length === 0} busy={told.length > 0} onClick={() => setAsking(true)}>
        <Square size={13} aria-hidden /> Stop everything
      </Button>
      <Ask
        open={asking}
        onClose={() => setAsking(false)}
        title={`Stop ${plural(going.length, "run")}?`}
        text={
          <>
            <ul>
              {going.map((run) => (
                <li key={run.id}>{nameOf(run)}</li>
              ))}
            </ul>
            {lost(going)}Their files are kept in checkpoints; further runs at the tasks go on from there.
          </>
        }
        deed={going.length === 1 ? "Stop it" : "Stop them all"}
        onYes={yes}
      />
    </>
  );
}
