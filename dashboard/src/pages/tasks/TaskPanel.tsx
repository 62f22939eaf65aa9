// One task beside the board: what it says, why it is where it is, what it waits for, its runs; and running it.
import { Link } from "@tanstack/react-router";
import { Play, X } from "lucide-react";
import { useEffect } from "react";
import type { Output } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button, IconButton } from "../../ui/Button";
import { Coded } from "../../ui/Coded";
import { Section } from "../../ui/Page";
import { Rivals } from "../../ui/Rivals";
import { Loaded } from "../../ui/State";
import { useRunTask } from "../../ui/started";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { useWho, withNames } from "../../ui/Who";
import { ended, runWord, shortOid, shortRun, taskWord } from "../../ui/words";
import { useAgentChoice } from "./AgentChoice";
import { runnable, type TaskView } from "./board";
import css from "./Tasks.module.css";
import { Where } from "./Where";
import { EditTask } from "./Write";

interface Props {
  at: TaskView["at"];
  onClose: () => void;
  onOpen: (at: TaskView["at"]) => void;
}

export function TaskPanel({ at, onClose, onOpen }: Props) {
  const shown = useRead("task.show", { project: at.project, feature: at.feature, task: at.task });
  useEffect(() => {
    const press = (event: KeyboardEvent) => event.key === "Escape" && !event.defaultPrevented && onClose();
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [onClose]);
  return (
    <aside className={css.panel} aria-label={`Task ${at.task}`}>
      <header className={css.panelHead}>
        <h2>{at.task}</h2>
        <span className="muted clip">{at.feature}</span>
        <IconButton label="Close the task" keys="Escape" onClick={onClose}>
          <X size={16} />
        </IconButton>
      </header>
      <Loaded query={shown}>{(task) => <Body key={task.at.task} task={task} onOpen={onOpen} />}</Loaded>
    </aside>
  );
}

function Body({ task: { at, task, state, why, runs, rivals }, onOpen }: { task: Output<"task.show">; onOpen: Props["onOpen"] }) {
  const who = useWho();
  const waits = state.state === "waiting" ? state.on : [];
  const others = task.depends_on.filter((id) => !waits.includes(id));
  return (
    <div className={css.panelBody}>
      <Badge word={taskWord(state)} />
      <p className={css.panelTitle}>{task.title}</p>
      <p className="muted">
        <Coded text={withNames(why, who)} />
      </p>
      {"patch" in state && (
        <p>
          <Link to="/patches/$patch" params={{ patch: state.patch }} className="link" data-row>
            Its patch {shortOid(state.patch)}
          </Link>
        </p>
      )}
      <Rivals rivals={rivals ?? []} />
      {!runs.some((run) => !ended(run.state)) && <Run at={at} state={state.state} />}
      {!task.done && !runs.some((run) => !ended(run.state)) && (
        <p>
          <EditTask at={at} title={task.title} />
        </p>
      )}
      {runs.length > 0 && <Where at={at} />}
      {task.details && <p className={css.details}>{task.details}</p>}
      {task.depends_on.length > 0 && (
        <Section title="Depends on">
          <p className={css.chips}>
            {[...waits, ...others].map((id) => (
              <Button key={id} onClick={() => onOpen({ ...at, task: id })}>
                {id}
                {waits.includes(id) && <span className="muted">open</span>}
              </Button>
            ))}
          </p>
        </Section>
      )}
      <Section title="Runs" note={runs.length}>
        {runs.length === 0 && <span className="muted">No agent has tried it yet.</span>}
        {runs.length > 0 && (
          <div className={ui.rows}>
            {runs.map((run) => (
              <Link key={run.id} to="/runs/$run" params={{ run: run.id }} className={ui.row} data-row>
                <Badge word={runWord(run)} />
                <span className="muted clip">
                  {shortRun(run.id)} · {run.agent}
                </span>
                <span className={ui.spring} />
                <Ago at={run.ended_at ?? run.queued_at} />
              </Link>
            ))}
          </div>
        )}
      </Section>
      <p className="muted">
        {task.phase}
        {task.parallel && " · may go beside others"} · line {task.line} of tasks.md
      </p>
    </div>
  );
}

function Run({ at, state }: { at: TaskView["at"]; state: TaskView["state"]["state"] }) {
  const may = useMay("task.run");
  const run = useRunTask();
  const { agent, field, unsaid } = useAgentChoice(at.project, at);
  if (!may || !runnable(state)) return null;
  return (
    <p className={css.chips}>
      <Button
        tone="primary"
        busy={run.isPending}
        disabled={unsaid}
        onClick={() => run.mutate({ project: at.project, feature: at.feature, tasks: [at.task], agent })}
      >
        <Play size={14} aria-hidden /> {state === "ready" || state === "waiting" ? "Run" : "Run again"}
      </Button>
      {field}
    </p>
  );
}
