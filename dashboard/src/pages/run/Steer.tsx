// Pause, resume, stop; and run again once it ended without a patch.
import { Pause, Play, RotateCcw } from "lucide-react";
import { useAct, useMay } from "../../api/query";
import { Button } from "../../ui/Button";
import { StopRun, stoppable } from "../../ui/StopRun";
import { useRunTask } from "../../ui/started";
import { ended } from "../../ui/words";
import { waiting } from "./Left";
import type { ShownRun } from "./RunPage";

export function Steer({ run }: { run: ShownRun }) {
  const may = useMay("run.stop");
  const mayRun = useMay("task.run");
  const pause = useAct("run.pause");
  const resume = useAct("run.resume");
  const again = useRunTask();
  const which = { run: run.id };

  if (ended(run.state)) {
    const task = run.task;
    if (!mayRun || !task || run.state === "done") return null;
    const { project, feature, task: id } = task;
    return (
      <Button busy={again.isPending} onClick={() => again.mutate({ project, feature, tasks: [id], agent: run.agent })}>
        <RotateCcw size={14} aria-hidden /> Run again
      </Button>
    );
  }
  if (!may) return null;
  return (
    <>
      {run.state === "working" &&
        run.reason?.code !== "halted" &&
        (run.paused ? (
          <Button busy={resume.isPending} onClick={() => resume.mutate(which)}>
            <Play size={14} aria-hidden /> Resume
          </Button>
        ) : (
          <Button busy={pause.isPending} onClick={() => pause.mutate(which)}>
            <Pause size={14} aria-hidden /> Pause
          </Button>
        ))}
      {stoppable(run) && <StopRun run={run} unread={waiting(run).length} />}
    </>
  );
}
