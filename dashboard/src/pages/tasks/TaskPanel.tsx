// One task beside the board: what it says, why it is where it is, what it waits for, its runs; and running it.
import { Link } from "@tanstack/react-router";
import { Play, X } from "lucide-react";
import { useEffect, useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { AsOf, RunAsOf } from "../../ui/AsOf";
import { RunAgain } from "../../ui/again/RunAgain";
import { toldBy } from "../../ui/asOf";
import { Badge } from "../../ui/Badge";
import { Button, IconButton } from "../../ui/Button";
import { Coded } from "../../ui/Coded";
import { Asks } from "../../ui/Dialog";
import { Section } from "../../ui/Page";
import { Rivals } from "../../ui/Rivals";
import { Loaded } from "../../ui/State";
import { useRunTask } from "../../ui/started";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { Verdicts } from "../../ui/Verdicts";
import { useWho, withNames } from "../../ui/Who";
import { ended, forPage, runWord, shortOid, shortRun } from "../../ui/words";
import { useStandings } from "../patch/useStandings";
import { useAgentChoice } from "./AgentChoice";
import { ofPatch, runnable, type TaskView } from "./board";
import { type Priority, PriorityChoice } from "./PriorityChoice";
import css from "./Tasks.module.css";
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

function Body({ task: { at, task, state, why, runs, rivals, whose }, onOpen }: { task: Output<"task.show">; onOpen: Props["onOpen"] }) {
  const who = useWho();
  const waits = state.state === "waiting" ? state.on : [];
  const others = task.depends_on.filter((id) => !waits.includes(id));
  const patches = useStandings([at.project]);
  const choice = useAgentChoice(at.project, at);
  const going = runs.some((run) => !ended(run.state));
  const begins = state.state === "ready" || state.state === "waiting";
  // Where there was no run yet, it is told what would become of one.
  const judged = runs.length > 0 || (runnable(state.state) && choice.agent !== undefined);
  return (
    <div className={css.panelBody}>
      <p className={css.chips}>
        <Badge word={ofPatch(state, patches)} /> <AsOf known={toldBy(whose)} />
      </p>
      <p className={css.panelTitle}>{task.title}</p>
      <p className="muted">
        <Coded text={withNames(forPage(why), who)} />
      </p>
      {"patch" in state && (
        <p>
          <Link to="/patches/$patch" params={{ patch: state.patch }} className="link" data-row>
            Its patch {shortOid(state.patch)}
          </Link>
        </p>
      )}
      <Rivals rivals={rivals ?? []} />
      <div className={css.chips}>
        {!going &&
          runnable(state.state) &&
          (begins ? (
            <Run at={at} choice={choice} />
          ) : (
            <RunAgain at={at} from={runs[0]} tone="primary" reviewed={state.state === "changes_requested"} />
          ))}
        {whose && !task.done && state.state !== "merged" && <TakeOver at={at} />}
        {!task.done && !going && <EditTask at={at} title={task.title} />}
      </div>
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
                <RunAsOf run={run} short />
                <span className={ui.spring} />
                <Ago at={run.ended_at ?? run.queued_at} />
              </Link>
            ))}
          </div>
        )}
      </Section>
      {judged && (
        <Section title="Where, and why">
          <Verdicts at={at} agent={runs.length > 0 ? undefined : choice.agent} map />
        </Section>
      )}
      <p className="muted">
        {task.phase}
        {task.parallel && " · may go beside others"} · line {task.line} of tasks.md
      </p>
    </div>
  );
}

interface RunProps {
  at: TaskView["at"];
  choice: ReturnType<typeof useAgentChoice>;
}

function Run({ at, choice: { agent, field, unsaid } }: RunProps) {
  const may = useMay("task.run");
  const run = useRunTask();
  const [priority, setPriority] = useState<Priority>("normal");
  if (!may) return null;
  return (
    <>
      <Button
        tone="primary"
        busy={run.isPending}
        disabled={unsaid}
        onClick={() => run.mutate({ project: at.project, feature: at.feature, tasks: [at.task], agent, priority })}
      >
        <Play size={14} aria-hidden /> Run
      </Button>
      {field}
      <PriorityChoice value={priority} onChange={setPriority} />
    </>
  );
}

/** Another device has claimed it: whoever may merge can go on with it here. */
function TakeOver({ at: { project, feature, task } }: { at: TaskView["at"] }) {
  const may = useMay("task.takeover");
  const take = useAct("task.takeover");
  if (!may) return null;
  return (
    <Asks
      name={`Take ${task} over`}
      busy={take.isPending}
      title={`Take ${task} over?`}
      text="Another device has claimed it. From then on it can be run from here; what was begun there is not ended, and may come to a patch of its own."
      deed="Take it over"
      onYes={() => take.mutate({ project, feature, task })}
    />
  );
}
