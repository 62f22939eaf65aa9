// A run's log as lines to read: what was reported is put together again (words come in pieces, output in chunks), and what stands
// beside the lines (plan, tools, context window) is kept as it is now. Pure.
import type { Schemas } from "../../api/call";
import { Messages, spoken } from "./messages";

export type RunnerEvent = Schemas["RunnerEvent"];
export type Entry = Schemas["LogLine"];

export type LineKind = "person" | "message" | "thought" | "tool" | "output" | "check" | "note" | "bad";

export interface Line {
  at: number;
  kind: LineKind;
  /** May hold ANSI colours. */
  text: string;
  /** The call that it belongs to, for its state. */
  tool?: string;
  /** Who said it, before the text. */
  who?: string;
  /** What became of it, behind the text. */
  status?: string;
  /** What follows the text, to be opened. */
  more?: string;
}

export interface Tool {
  id: string;
  title: string;
  status: string;
  at: number;
}

/** An output whose last line may go on. */
interface Open {
  line: Line;
  /** What the stream is; nothing else may continue the line. */
  of: string;
}

export class Transcript {
  readonly lines: Line[] = [];
  readonly tools = new Map<string, Tool>();
  plan: Schemas["PlanStep"][] = [];
  context: { used: number; size: number } | undefined;
  engine: { name: string; replay: boolean } | undefined;
  sandbox: { ready_us: number; limits: string } | undefined;
  lastSeq = 0;
  #open: Open | undefined;
  /** Colours that a stream left switched on at the end of its last line. */
  #colours = new Map<string, string>();
  readonly #messages: Messages;
  /** What the agent got since its last turn. */
  #handed: string[] = [];

  constructor(messages: Messages = new Messages()) {
    this.#messages = messages;
  }

  /** Takes further entries; what came before is left out, so that nothing shows twice. */
  push(entries: readonly Entry[]): void {
    for (const { seq, at, event } of entries) {
      if (seq <= this.lastSeq) continue;
      this.lastSeq = seq;
      this.#take(at, event);
    }
  }

  #take(at: number, event: RunnerEvent): void {
    switch (event.type) {
      case "message":
      case "thought":
        this.#flow(at, event.type, event.type, event.text);
        break;
      case "log":
        this.#flow(at, event.stream === "runner" ? "note" : "output", event.stream, event.text);
        break;
      case "tool":
        this.#tool(at, event);
        break;
      case "plan":
        this.plan = event.steps;
        break;
      case "context":
        this.context = { used: event.used, size: event.size };
        break;
      case "sandbox_ready":
        this.sandbox = event;
        this.#line(at, "note", `Sandbox ready after ${(event.ready_us / 1_000).toFixed(1)} ms; limits by ${event.limits}.`);
        break;
      case "engine_ready":
        this.engine = event;
        this.#line(at, "note", `${event.name}${event.replay ? ", a replay of a recording" : ""}.`);
        break;
      case "check_ended":
        this.#check(at, event.result);
        break;
      case "message_delivered":
        this.#deliver(at, event.order);
        break;
      case "turn_started":
        this.#turn(at, event);
        break;
      default:
        this.#line(at, ...said(event));
    }
  }

  #line(at: number, kind: LineKind, text: string, tool?: string): void {
    this.#open = undefined;
    for (const part of text.replace(/\n$/, "").split("\n")) this.lines.push({ at, kind, text: part, tool });
  }

  #deliver(at: number, order: number): void {
    const message = this.#messages.deliver(order);
    if (!message) {
      this.#line(at, "note", "A person’s message was handed to the agent.");
      return;
    }
    this.#open = undefined;
    this.lines.push(...spoken(at, message.who, message.text, "delivered"));
    this.#handed.push(message.text);
  }

  /** What stands right above is not said again. */
  #turn(at: number, { turn, prompt }: Extract<RunnerEvent, { type: "turn_started" }>): void {
    const above = this.#handed.length > 0 && this.#handed.join("\n\n").startsWith(prompt.replace(/…$/, ""));
    this.#handed = [];
    this.#open = undefined;
    const [first = "", ...rest] = above ? [] : prompt.trimEnd().split("\n");
    const text = first ? `Turn ${turn} begins: ${first}` : `Turn ${turn} begins.`;
    this.lines.push({ at, kind: "note", text, more: rest.length > 0 ? rest.join("\n") : undefined });
  }

  /** Text that comes in pieces: goes on in the line that the same stream left open. */
  #flow(at: number, kind: LineKind, of: string, text: string): void {
    const parts = text.split("\n");
    const last = parts.length - 1;
    for (const [index, part] of parts.entries()) {
      const open = this.#open?.of === of ? this.#open : undefined;
      if (open) open.line.text = overwritten(open.line.text + part);
      else if (part !== "" || index < last) {
        const line = { at, kind, text: (this.#colours.get(of) ?? "") + overwritten(part) };
        this.lines.push(line);
        this.#open = { line, of };
      }
      if (index === last) continue;
      this.#colours.set(of, this.#open ? left(this.#open.line.text) : "");
      this.#open = undefined;
    }
  }

  #tool(at: number, { id, title, status, output }: Extract<RunnerEvent, { type: "tool" }>): void {
    const known = this.tools.get(id);
    this.tools.set(id, { id, title: title || known?.title || "A tool", status: status || known?.status || "pending", at: known?.at ?? at });
    if (!known) this.#line(at, "tool", title || "A tool", id);
    if (output) this.#line(at, "output", output, id);
  }

  #check(at: number, check: Schemas["CheckResult"]): void {
    const how = check.passed ? "passed" : `failed${check.exit_code == null ? "" : ` with exit code ${check.exit_code}`}`;
    this.#line(at, check.passed ? "check" : "bad", `The check “${check.name}” ${how} after ${(check.duration_ms / 1_000).toFixed(1)} s.`);
  }
}

type Plain = Exclude<
  RunnerEvent,
  {
    type:
      | "message"
      | "thought"
      | "log"
      | "tool"
      | "plan"
      | "context"
      | "sandbox_ready"
      | "engine_ready"
      | "check_ended"
      | "message_delivered"
      | "turn_started";
  }
>;

/** Events that are one line. */
function said(event: Plain): [LineKind, string] {
  switch (event.type) {
    case "turn_ended":
      return event.outcome === "failed"
        ? ["bad", `The turn failed: ${reason(event.reason)}`]
        : ["note", `The turn ${event.outcome === "ended" ? "ended" : "was cancelled"}.`];
    case "truncated":
      return ["bad", `Output was cut here: ${event.dropped_bytes} bytes are left out.`];
    case "asked":
      return ["tool", `Asks a person: ${event.question.title}`];
    case "answered":
      return ["note", event.option ? `Answered: ${event.option}.` : "The question was withdrawn, or nobody answered in time."];
    case "check_started":
      return ["check", `The check “${event.name}” begins.`];
    case "violation":
      return ["bad", `The sandbox stopped something: ${event.what}`];
    case "paused":
      return ["note", "Paused."];
    case "resumed":
      return ["note", "Goes on."];
    case "checks_signed":
      return ["note", "The run signed what the checks found."];
    case "work_ended":
      return ["note", `The work ended: ${reason(event.reason)}`];
  }
}

/** A reason in short; the page's head shows the program's own words. */
export function reason(reason: Schemas["Reason"]): string {
  const words = reason.code.replaceAll("_", " ");
  return "message" in reason ? `${words}: ${reason.message}` : `${words}.`;
}

/** A carriage return begins the line anew, as a terminal shows it. */
function overwritten(text: string): string {
  const at = text.lastIndexOf("\r", text.length - 2);
  return (at < 0 ? text : text.slice(at + 1)).replace(/\r$/, "");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
const COLOUR = /\x1b\[[\d;]*m/g;

/** The colours that are still switched on at the end of a text. */
function left(text: string): string {
  let on = "";
  for (const [code] of text.matchAll(COLOUR)) on = /\[0?m$/.test(code) ? "" : on + code;
  return on;
}
