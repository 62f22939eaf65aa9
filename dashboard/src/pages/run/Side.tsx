// Beside the log: the plan, what was used, the checks, and where it runs.
import { CircleCheck, CircleDot, Circle as Empty } from "lucide-react";
import type { ReactNode } from "react";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Section } from "../../ui/Page";
import { Ago } from "../../ui/Time";
import { withNames } from "../../ui/Who";
import { bytes, count, ended, plural, priorityWord, shortDid, shortRun, span } from "../../ui/words";
import { Kept, Undelivered } from "./Left";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";
import type { Transcript } from "./transcript";
import type { Followed } from "./useTranscript";
import { refusal, whyThere } from "./where";

export function Side({ run, followed: { transcript } }: { run: ShownRun; followed: Followed }) {
  return (
    <aside className={css.side} aria-label="Facts">
      <Undelivered run={run} />
      {transcript.plan.length > 0 && <Plan steps={transcript.plan} />}
      {run.checks.length > 0 && (
        <Section title="Checks">
          {run.checks.map((check) => (
            <span key={check.name} className={css.fact}>
              <Badge word={check.passed ? { text: check.name, tone: "good" } : { text: `${check.name} failed`, tone: "bad" }} />
              <span className="muted number">{span(check.duration_ms)}</span>
            </span>
          ))}
        </Section>
      )}
      {run.violations.length > 0 && (
        <Section title="Stopped by the sandbox" note={run.violations.length}>
          {run.violations.map((what) => (
            <code key={what}>{what}</code>
          ))}
        </Section>
      )}
      <Kept run={run} />
      <Usage run={run} transcript={transcript} />
      <Where run={run} transcript={transcript} />
    </aside>
  );
}

const icons: Record<string, typeof Empty> = { completed: CircleCheck, in_progress: CircleDot };

function Plan({ steps }: { steps: Transcript["plan"] }) {
  const done = steps.filter((step) => step.status === "completed").length;
  return (
    <Section title="Plan" note={`${done} of ${steps.length}`}>
      <ul className={css.plan}>
        {steps.map((step) => {
          const Icon = icons[step.status] ?? Empty;
          return (
            <li key={step.text} data-status={step.status}>
              <Icon size={14} aria-label={step.status.replaceAll("_", " ")} /> <span>{step.text}</span>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}

function Usage({ run: { usage, budget }, transcript: { context, tools } }: { run: ShownRun; transcript: Transcript }) {
  const used = usage.input_tokens + usage.output_tokens;
  return (
    <Section title="Used">
      {usage.calls === 0 && <span className="muted">No model call went through the gateway.</span>}
      {usage.calls > 0 && (
        <>
          <Fact name="Model calls" value={`${usage.calls}${budget ? ` of ${count(budget.calls)}` : ""}`} />
          <Fact name="Tokens" value={`${count(used)}${budget ? ` of ${count(budget.tokens)}` : ""}`} />
          <Fact name="read" value={`${count(usage.input_tokens)}, ${count(usage.cached_tokens)} cached`} />
          <Fact name="written" value={count(usage.output_tokens)} />
          {(usage.cost || budget?.money) && (
            <Fact name="Money" value={`${usage.cost ?? "0.00"}${budget?.money ? ` of ${budget.money}` : ""}`} />
          )}
          {(usage.unpriced_calls ?? 0) > 0 && <Fact name="Calls of unknown price" value={count(usage.unpriced_calls ?? 0)} />}
        </>
      )}
      {context && <Fact name="Context window" value={`${count(context.used)} of ${count(context.size)}`} />}
      {tools.size > 0 && <Fact name="Tool calls" value={String(tools.size)} />}
    </Section>
  );
}

function Where({ run, transcript: { engine, sandbox } }: { run: ShownRun; transcript: Transcript }) {
  const { data: org } = useRead("org.show", {});
  const name = (did: string) =>
    `${org?.devices.find((d) => d.did === did)?.name ?? shortDid(did)}${did === org?.device ? " (this one)" : ""}`;
  const said = refusal(run.reason);
  return (
    <Section title="Where">
      {run.device ? (
        <Fact name="Device" value={name(run.device)} />
      ) : (
        <span className="muted">No device took it{ended(run.state) ? "." : " yet."}</span>
      )}
      {run.on && <Fact name="Asked for on" value={name(run.on)} />}
      {run.apart && <Fact name={`Apart from run ${shortRun(run.apart.run)}`} value={`not on ${name(run.apart.device)}`} />}
      {priorityWord(run.priority) && <Fact name="Priority" value={priorityWord(run.priority)} />}
      {run.device && run.class === "agent" && <Fact name="Why there" value={whyThere(run)} />}
      {said && !run.device && (
        <p className={css.said}>
          <span className="muted">{run.on ? `Why not on ${name(run.on)}` : "Why no device took it"}:</span>{" "}
          {withNames(said, (did) => ({ name: name(did), member: false, bot: false }))}
        </p>
      )}
      {run.told && <Fact name={`Told by ${name(run.told.device)}`} value={<Ago at={run.told.heard_at} />} />}
      {run.whose && <Fact name="Known from the journal of" value={name(run.whose.device)} />}
      {run.reserved && <Fact name="Kept free for it" value={roomOf(run.reserved)} />}
      {run.requester !== run.device && <Fact name="Asked for by" value={name(run.requester)} />}
      {run.agent && <Fact name="Agent" value={run.agent} />}
      {engine && <Fact name="Engine" value={`${engine.name}${engine.replay ? " (replay)" : ""}`} />}
      {sandbox && <Fact name="Limits" value={sandbox.limits} />}
    </Section>
  );
}

const roomOf = ({ cpu_milli, memory_bytes, disk_bytes, gpus }: NonNullable<ShownRun["reserved"]>): string =>
  [plural(cpu_milli / 1_000, "core"), `${bytes(memory_bytes)} memory`, `${bytes(disk_bytes)} disk`, gpus > 0 && plural(gpus, "GPU")]
    .filter(Boolean)
    .join(", ");

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <span className={css.fact}>
      <span className="muted">{name}</span>
      <span className="number">{value}</span>
    </span>
  );
}
