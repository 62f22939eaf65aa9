// Pause, resume, stop; and run again once it ended without a patch.
import { Pause, Play } from "lucide-react";
import { useAct, useMay } from "../../api/query";
import { RunAgain } from "../../ui/again/RunAgain";
import { Button } from "../../ui/Button";
import { StopRun, stoppable } from "../../ui/StopRun";
import { ended } from "../../ui/words";
import type { ShownRun } from "./RunPage";

export function Steer({ run }: { run: ShownRun }) {
  const may = useMay("run.stop");
  const pause = useAct("run.pause");
  const resume = useAct("run.resume");
  const which = { run: run.id };

  if (ended(run.state)) return run.task && run.state !== "done" && <RunAgain at={run.task} from={run} />;
  if (!may) return null;
  return (
    <>
      {(run.state === "working" || (run.state === "queued" && run.paused)) &&
        run.stands !== "ending" &&
        (run.stands !== "halted" || run.paused_by) &&
        (run.paused ? (
          <Button busy={resume.isPending} onClick={() => resume.mutate(which)}>
            <Play size={14} aria-hidden /> Resume
          </Button>
        ) : (
          <Button busy={pause.isPending} onClick={() => pause.mutate(which)}>
            <Pause size={14} aria-hidden /> Pause
          </Button>
        ))}
      {stoppable(run) && <StopRun run={run} />}
    </>
  );
}
