// Stopping runs from where they are listed: one, or all that can be stopped.
import { Square } from "lucide-react";
import { useState } from "react";
import type { Schemas } from "../api/call";
import { useAct, useMay } from "../api/query";
import { Button } from "./Button";
import { Ask } from "./Dialog";
import { notify } from "./Toasts";
import { plural, shortRun } from "./words";

type Run = Schemas["Run"];

export const stoppable = ({ state }: Pick<Run, "state">): boolean => ["queued", "placing", "working"].includes(state);

interface Props {
  run: Run;
  /** In a list each button says which run it stops. */
  named?: boolean;
  /** How many messages its agent has not got yet. */
  unread?: number;
}

export function StopRun({ run, named, unread = 0 }: Props) {
  const [asking, setAsking] = useState(false);
  const stop = useAct("run.stop");
  const name = `${run.task?.task ?? "the checks"}, run ${shortRun(run.id)}`;
  return (
    <>
      <Button tone="danger" aria-label={named ? `Stop ${name}` : undefined} busy={stop.isPending} onClick={() => setAsking(true)}>
        <Square size={13} aria-hidden /> Stop
      </Button>
      <Ask
        open={asking}
        onClose={() => setAsking(false)}
        title={`Stop ${named ? name : "this run"}?`}
        text={`${unread > 0 ? `It has not got ${plural(unread, "message")} yet, and never will. ` : ""}Its files are kept in a checkpoint; a further run at the task goes on from there.`}
        deed="Stop it"
        onYes={() => stop.mutate({ run: run.id })}
      />
    </>
  );
}

export function StopAll({ runs }: { runs: readonly Run[] }) {
  const may = useMay("run.stop");
  const [asking, setAsking] = useState(false);
  const stop = useAct("run.stop", { quiet: true });
  const going = runs.filter(stoppable);
  if (!may) return null;
  const yes = () => {
    notify({ tone: "good", title: `${plural(going.length, "run")} told to stop.` });
    for (const { id } of going) stop.mutate({ run: id });
  };
  return (
    <>
      <Button tone="danger" disabled={going.length === 0} onClick={() => setAsking(true)}>
        <Square size={13} aria-hidden /> Stop everything
      </Button>
      <Ask
        open={asking}
        onClose={() => setAsking(false)}
        title={`Stop ${plural(going.length, "run")}?`}
        text="Their files are kept in checkpoints; further runs at the tasks go on from there."
        deed={going.length === 1 ? "Stop it" : "Stop them all"}
        onYes={yes}
      />
    </>
  );
}
