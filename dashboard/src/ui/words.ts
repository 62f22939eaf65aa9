// The program's states in words and tones: the same word for the same thing everywhere.
import type { Schemas } from "../api/call";

export type Tone = "good" | "bad" | "warn" | "run" | "violet" | "none";
export interface Word {
  text: string;
  tone: Tone;
  /** Something goes on. */
  live?: boolean;
}

/** A person ended it. */
const STOPPED: Word = { text: "Stopped", tone: "none" };

const runs: Record<Schemas["RunState"], Word> = {
  queued: { text: "Queued", tone: "none" },
  placing: { text: "Placing", tone: "none" },
  starting: { text: "Starting", tone: "run", live: true },
  preparing: { text: "Preparing", tone: "run", live: true },
  working: { text: "Working", tone: "run", live: true },
  verifying: { text: "Verifying", tone: "run", live: true },
  publishing: { text: "Publishing", tone: "run", live: true },
  done: { text: "Done", tone: "good" },
  failed: { text: "Failed", tone: "bad" },
  cancelled: STOPPED,
  evicted: { text: "Evicted", tone: "warn" },
  lost: { text: "Lost", tone: "bad" },
};

/** Where runs stand: in their states, or kept from going on there. */
const standing: Record<Schemas["Stands"], Word> = {
  ...runs,
  halted: { text: "Halted", tone: "warn" },
  paused: { text: "Paused", tone: "warn" },
  frozen: { text: "Frozen", tone: "warn" },
  ending: { text: "Ending", tone: "bad" },
};

export const standsWord = (stands: Schemas["Stands"]): Word => standing[stands];

type Worded = Pick<Schemas["RunView"], "stands" | "questions"> & Partial<Pick<Schemas["Run"], "class" | "checks">>;

export function runWord(run: Worded): Word {
  // Where no answer helps it is not said that it asks.
  if (run.questions.length > 0 && run.stands !== "halted" && run.stands !== "ending") return { text: "Asks", tone: "warn", live: true };
  // Its work is done when the checks have run, whatever they say.
  if (run.class === "ci" && run.stands === "done" && run.checks?.some((check) => !check.passed))
    return { text: "Checks failed", tone: "bad" };
  return standing[run.stands];
}

export const stateWord = (state: Schemas["RunState"]): Word => runs[state];

export const ended = (state: Schemas["RunState"]): boolean => ["done", "failed", "cancelled", "evicted", "lost"].includes(state);

export type TaskStateName = Schemas["TaskState"]["state"];

/** Whether a person stopped a task's last run: it failed by nobody's fault, and waits for nobody. */
export const stopped = (state: Schemas["TaskState"]): boolean => state.state === "failed" && state.reason.code === "stopped";

export const taskWord = (state: Schemas["TaskState"]): Word => (stopped(state) ? STOPPED : taskWords[state.state]);

const taskWords: Record<TaskStateName, Word> = {
  ready: { text: "Ready", tone: "none" },
  waiting: { text: "Waiting", tone: "none" },
  running: { text: "Running", tone: "run", live: true },
  failed: { text: "Failed", tone: "bad" },
  in_review: { text: "In review", tone: "violet" },
  changes_requested: { text: "Changes requested", tone: "warn" },
  merged: { text: "Merged", tone: "good" },
  done: { text: "Done", tone: "good" },
  rejected: { text: "Rejected", tone: "bad" },
};

/** Where a patch stands, as the program judges it: by the reviews that count, its checks, and all else that a merge needs. */
export const standingWords: Record<Schemas["PatchStanding"], Word> = {
  draft: { text: "Draft", tone: "none" },
  to_review: { text: "To review", tone: "violet" },
  changes_requested: { text: "Changes requested", tone: "warn" },
  checks_failed: { text: "Checks failed", tone: "bad" },
  gate_shut: { text: "Gate shut", tone: "warn" },
  to_merge: { text: "To merge", tone: "good" },
  merged: { text: "Merged", tone: "good" },
  closed: { text: "Closed", tone: "none" },
};

const units: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** A span as people say it: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

/** How long ago: `now`, `12 s ago`, `3 h ago`. */
export function ago(at: number, now: number): string {
  const seconds = Math.floor((now - at) / 1_000);
  if (seconds < 5) return "now";
  for (const [size, unit] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return `${seconds} s ago`;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** `14:02:11`. By hand, because a log has a hundred thousand of them. */
export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** For what is known only up to a moment: `14:02`; of another day with the day. */
export function asOf(at: number, now: number): string {
  const [date, today] = [new Date(at), new Date(now)];
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === today.toDateString()) return time;
  return `${date.toLocaleDateString(undefined, { month: "short", day: "numeric" })}, ${time}`;
}

/** Made once: to make one takes longer than to draw a row of a list. */
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** The day and the time, of 24 hours. */
export const moment = (at: number): string => moments.format(at);

/** `1.2k`, `3.4M`: for tokens. */
export function count(n: number): string {
  if (n < 1_000) return String(n);
  if (n < 1_000_000) return `${(n / 1_000).toFixed(n < 10_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

export function bytes(n: number): string {
  if (n < 1 << 20) return `${Math.round(n / 1024)} KiB`;
  if (n < 2 ** 30) return `${Math.round(n / 2 ** 20)} MiB`;
  return `${(n / 2 ** 30).toFixed(n < 10 * 2 ** 30 ? 1 : 0)} GiB`;
}

/** The end of a run's id tells it apart; keys and commits by their beginning. */
export const shortRun = (id: string): string => id.slice(-6);
export const shortOid = (id: string): string => id.slice(0, 8);
export const shortDid = (did: string): string => `${did.replace("did:key:", "").slice(0, 12)}…`;

/** How important a run is to be. */
export const priorities: Record<Schemas["Priority"], string> = { high: "High", normal: "Normal", low: "Low" };

/** The same of a run, where that is not as most work. */
export const priorityWord = (priority: Schemas["Priority"] | undefined): string | undefined =>
  priority === undefined || priority === "normal" ? undefined : priorities[priority];

/** What a person wrote into a field for several: between blanks or commas. */
export const several = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

/** Tags as a person writes them: `gpu:true region:eu`. */
export const tagsText = (tags: Record<string, string> | undefined): string =>
  Object.entries(tags ?? {})
    .map(([tag, value]) => `${tag}:${value}`)
    .join(" ");

/** What a person wrote of tags; one without a value is true. */
export const tagsOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    several(text).map((tag) => {
      const [name = tag, ...value] = tag.split(/[:=]/);
      return [name, value.join(":") || "true"];
    }),
  );

/** The same as a change of tags that were there: an empty value takes one away. */
export function tagsChanged(was: Record<string, string> | undefined, text: string): Record<string, string> {
  const said = tagsOf(text);
  const gone = Object.keys(was ?? {}).filter((tag) => !(tag in said));
  return { ...said, ...Object.fromEntries(gone.map((tag) => [tag, ""])) };
}

/** The program's sentence without the command that a person at a terminal would give: the page has a button for it. */
export const forPage = (sentence: string): string =>
  sentence.replace(/[:;] `?meshwork [\s\S]*?(?=\.(?:\s|$)|$)/g, "").replace(/ \(`?meshwork [^)]*\)/g, "");

export const plural = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** Tokens and money of model calls. A price that nobody knows is said, never taken for nothing. */
export function spent({ calls, input_tokens, output_tokens, cost, unpriced_calls = 0 }: Schemas["Usage"]): string {
  if (calls === 0) return "nothing";
  const money = cost ? `, ${cost} of money` : "";
  const unknown = unpriced_calls > 0 ? `, ${count(unpriced_calls)} calls of unknown price` : "";
  return `${count(input_tokens + output_tokens)} tokens in ${count(calls)} calls${money}${unknown}`;
}
