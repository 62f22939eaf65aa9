// Gives all open tasks of a feature to an agent; where none is shown alone, the person says of which.
import { Play } from "lucide-react";
import { useState } from "react";
import { useAct, useMay, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Choice } from "../../ui/Form";
import { said } from "../../ui/started";
import { notify } from "../../ui/Toasts";
import ui from "../../ui/ui.module.css";
import { plural } from "../../ui/words";
import { useAgentChoice } from "./AgentChoice";
import { nameOf, open } from "./board";
import { type Priority, PriorityChoice } from "./PriorityChoice";
import { useGoing } from "./useGoing";

interface Props {
  project: string;
  /** The one that is shown. */
  feature: string | undefined;
  all: readonly string[];
}

export function RunFeature({ project, feature: shown, all }: Props) {
  const may = useMay("task.run");
  const [asking, setAsking] = useState(false);
  const { agent, field, unsaid } = useAgentChoice(project);
  const [priority, setPriority] = useState<Priority>("normal");
  const [picked, setPicked] = useState<string>();
  const tasks = useRead("task.list", { project, feature: shown });
  const run = useAct("task.run", {
    done: (started) => {
      setAsking(false);
      notify(said(started) ?? { tone: "good", title: `${plural(started.runs.length, "run")} queued` });
    },
  });
  const going = useGoing(project);
  const waiting = tasks.data?.filter((t) => open(t.state.state) && !going.has(nameOf(t.at))) ?? [];
  const features = all.filter((one) => waiting.some(({ at }) => at.feature === one));
  const feature = features.find((one) => one === (shown ?? picked)) ?? features[0];
  const count = waiting.filter(({ at }) => at.feature === feature).length;
  if (!may || !feature) return null;
  return (
    <>
      <Button tone="primary" onClick={() => setAsking(true)}>
        <Play size={14} aria-hidden /> Run feature
      </Button>
      <Dialog title={`Run ${feature}?`} open={asking} onClose={() => setAsking(false)}>
        {features.length > 1 && (
          <Choice label="Feature" options={features.map((one) => ({ key: one, title: one }))} value={feature} onChange={setPicked} />
        )}
        <p className="muted">
          {plural(count, "open task")} {count === 1 ? "goes" : "go"} to the agent in their order; independent ones go side by side as there
          is room.
        </p>
        <p className={ui.head}>
          {field}
          <PriorityChoice value={priority} onChange={setPriority} />
          <span className={ui.spring} />
          <Button onClick={() => setAsking(false)}>Cancel</Button>
          <Button tone="primary" busy={run.isPending} disabled={unsaid} onClick={() => run.mutate({ project, feature, agent, priority })}>
            Run {plural(count, "task")}
          </Button>
        </p>
      </Dialog>
    </>
  );
}
