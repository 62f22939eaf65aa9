// Runs a task again: the dialog begins with what was wanted of its run before, and each of it can be changed.
import { useNavigate } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import type { Output, Schemas } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { Copy } from "../Copy";
import { ActForm, Check, Choice, Field, Opens, useDraft } from "../Form";
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
  /** A review asked for changes: the run gets its comments. */
  reviewed?: boolean;
}

export function RunAgain({ at, from, name = "Run again", tone, reviewed }: Props) {
  const may = useMay("task.run");
  if (!may) return null;
  return (
    <Opens tone={tone} name={name} icon={<RotateCcw size={14} aria-hidden />} title={`Run ${at.task} again?`}>
      {(close) =>
        from ? <Again at={at} from={from} reviewed={reviewed} onClose={close} /> : <AfterLast at={at} reviewed={reviewed} onClose={close} />
      }
    </Opens>
  );
}

interface AgainProps {
  at: Schemas["TaskRef"];
  from: Run | undefined;
  reviewed?: boolean;
  onClose: () => void;
}

function AfterLast({ at, ...rest }: Omit<AgainProps, "from">) {
  const task = useRead("task.show", { project: at.project, feature: at.feature, task: at.task });
  return (
    <Loaded query={task} rows={4}>
      {({ runs }) => <Again at={at} from={runs[0]} {...rest} />}
    </Loaded>
  );
}

function Again({ at, from, reviewed, onClose }: AgainProps) {
  const [wanted, field] = useDraft(() => wantedOf(from));
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
      {reviewed && <p>The run gets the comments of the review.</p>}
      {from?.messages?.length ? <Unheard run={from.id} /> : null}
      <Choice label="Agent" options={among(names, agent, agent || "choose one")} {...field("agent")} value={agent} />
      <Choice
        label="Priority"
        options={Object.entries(priorities).map(([key, title]) => ({ key: key as Schemas["Priority"], title }))}
        hint="The higher goes first, and displaces the lower where there is no room."
        {...field("priority")}
      />
      <Choice label="Device" options={among(devices, wanted.on, shortDid(wanted.on))} {...field("on")} />
      <Field label="Tags that its device must have" placeholder="gpu:true" hint="Beside those of the project." {...field("tags")} />
      {apart && (
        <Check
          label={`Not on the device of run ${shortRun(apart)}`}
          value={wanted.apart !== ""}
          onChange={(yes) => field("apart").onChange(yes ? apart : "")}
        />
      )}
    </ActForm>
  );
}

/** Messages that the agent of the run before did not get: to be told to the next one. */
function Unheard({ run }: { run: string }) {
  const { data } = useRead("run.show", { run });
  const messages = data?.undelivered ?? [];
  if (messages.length === 0) return null;
  const text = messages.map((one) => one.text).join("\n\n");
  return (
    <section aria-label="Not delivered to the run before">
      <p className="muted">Not delivered to the run before. Send it to the next run once that works:</p>
      <p style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{text}</p>
      <Copy name="Copy the text" text={text} />
    </section>
  );
}

/** What was chosen stays in sight, also where it is not among the options any more. */
const among = (options: { key: string; title: string }[], chosen: string, title: string) =>
  options.some(({ key }) => key === chosen) ? options : [{ key: chosen, title }, ...options];
