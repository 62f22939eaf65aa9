// Runs a task again: the dialog begins with what was wanted of its run before, and each of it can be changed.
import { useNavigate } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import type { Output, Schemas } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { ActForm, Check, Choice, Field, Opens } from "../Form";
import { Loaded } from "../State";
import { said } from "../started";
import { notify } from "../Toasts";
import { priorities, shortDid, shortRun } from "../words";
import { inputOf, type Run, wantedOf } from "./again";

interface Props {
  at: Schemas["TaskRef"];
  /** The run before; where it is not at hand the task's last one is asked for. */
  from?: Run;
  /** What the button says. */
  name?: string;
  tone?: "primary";
}

export function RunAgain({ at, from, name = "Run again", tone }: Props) {
  const may = useMay("task.run");
  if (!may) return null;
  return (
    <Opens tone={tone} name={name} icon={<RotateCcw size={14} aria-hidden />} title={`Run ${at.task} again?`}>
      {(close) => (from ? <Again at={at} from={from} onClose={close} /> : <AfterLast at={at} onClose={close} />)}
    </Opens>
  );
}

interface AgainProps {
  at: Schemas["TaskRef"];
  from: Run | undefined;
  onClose: () => void;
}

function AfterLast({ at, onClose }: Omit<AgainProps, "from">) {
  const task = useRead("task.show", { project: at.project, feature: at.feature, task: at.task });
  return (
    <Loaded query={task} rows={4}>
      {({ runs }) => <Again at={at} from={runs[0]} onClose={onClose} />}
    </Loaded>
  );
}

function Again({ at, from, onClose }: AgainProps) {
  const [wanted, setWanted] = useState(() => wantedOf(from));
  const set = (part: Partial<typeof wanted>) => setWanted((before) => ({ ...before, ...part }));
  const { data: agents = [] } = useRead("agent.list", {});
  const { data: org } = useRead("org.show", {});
  const navigate = useNavigate();
  const done = (started: Output<"task.run">) => {
    const run = started.runs[0]?.run;
    const see = run ? { name: "See the run", go: () => void navigate({ to: "/runs/$run", params: { run } }) } : undefined;
    notify({ ...(said(started) ?? { tone: "good", title: `${at.task} is queued again.` }), deed: see });
  };
  const names = agents.map(({ name }) => ({ key: name, title: name }));
  const agent = wanted.agent || (names.length === 1 ? (names[0]?.key ?? "") : "");
  const devices = [{ key: "", title: "whichever suits best" }, ...(org?.devices ?? []).map(({ did, name }) => ({ key: did, title: name }))];
  const apart = from?.apart?.run;
  return (
    <ActForm
      action="task.run"
      input={inputOf(at, { ...wanted, agent })}
      deed="Run it"
      disabled={!names.some(({ key }) => key === agent)}
      done={done}
      onClose={onClose}
    >
      <p className="muted">{from ? `As it was wanted of run ${shortRun(from.id)}, unless you change it.` : "It had no run yet."}</p>
      <Choice label="Agent" options={among(names, agent, agent || "choose one")} value={agent} onChange={(agent) => set({ agent })} />
      <Choice
        label="Priority"
        options={Object.entries(priorities).map(([key, title]) => ({ key: key as Schemas["Priority"], title }))}
        value={wanted.priority}
        hint="The higher goes first, and displaces the lower where there is no room."
        onChange={(priority) => set({ priority })}
      />
      <Choice label="Device" options={among(devices, wanted.on, shortDid(wanted.on))} value={wanted.on} onChange={(on) => set({ on })} />
      <Field
        label="Tags that its device must have"
        value={wanted.tags}
        placeholder="gpu:true"
        hint="Beside those of the project."
        onChange={(tags) => set({ tags })}
      />
      {apart && (
        <Check
          label={`Not on the device of run ${shortRun(apart)}`}
          value={wanted.apart !== ""}
          onChange={(yes) => set({ apart: yes ? apart : "" })}
        />
      )}
    </ActForm>
  );
}

/** What was chosen stays in sight, also where it is not among the options any more. */
const among = (options: { key: string; title: string }[], chosen: string, title: string) =>
  options.some(({ key }) => key === chosen) ? options : [{ key: chosen, title }, ...options];
