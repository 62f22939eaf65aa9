// Where a task runs, or why it does not yet: what speaks for and against each device.
import { useRead } from "../../api/query";
import { Coded } from "../../ui/Coded";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { useWho, withNames } from "../../ui/Who";
import type { TaskView } from "./board";

export function Where({ at }: { at: TaskView["at"] }) {
  const why = useRead("task.why", { project: at.project, feature: at.feature, task: at.task });
  const who = useWho();
  return (
    <Section title="Where">
      <Loaded query={why} rows={2}>
        {({ device: chosen, devices }) => (
          <div className={ui.rows}>
            {devices.map(({ device, name, score, why: words }) => (
              <div key={device} className={ui.row}>
                <b>{name}</b>
                <span className="muted">
                  {device !== chosen && score > 0 && `${score} points. `}
                  <Coded text={withNames(words, who)} />
                </span>
              </div>
            ))}
          </div>
        )}
      </Loaded>
    </Section>
  );
}
