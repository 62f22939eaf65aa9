// What was said to the command bar and what came of it. It stays while the bar is closed and, in this tab, over loading the page
// anew; the program holds its own part for an hour.
import { useSyncExternalStore } from "react";
import { call, type Output, type Problem, problemOf, type Schemas } from "../../api/call";

export type Answer = Output<"command.understand">;
export type Proposal = Schemas["Proposal"];
export type Result = Schemas["CommandResult"];

/** What became of a proposal. Without one it waits for a yes. */
export type Fate =
  | { state: "doing" }
  | { state: "left" }
  | { state: "done" | "undoing"; result: Result }
  | { state: "undone"; result: Result; back: Result[] }
  | { state: "failed"; problem: Problem };

export interface Turn {
  id: number;
  said: string;
  answer?: Answer;
  /** Why there is no answer. */
  problem?: Problem;
  fates: Record<string, Fate>;
}

export interface Talk {
  turns: readonly Turn[];
  /** What a screen reader is to say now. */
  spoken: string;
}

/** More sentences than these are forgotten, the oldest first. */
const TURNS_MAX = 40;
const KEY = "meshwork.conversation";

let talk: Talk = { turns: restored(), spoken: "" };
const watchers = new Set<() => void>();

export function useTalk(): Talk {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => talk,
  );
}

export const talkNow = (): Talk => talk;

function set(turns: readonly Turn[], spoken: string): void {
  talk = { turns: turns.slice(-TURNS_MAX), spoken };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(talk.turns));
  } catch {
    // It is kept in this tab's memory all the same.
  }
  for (const watcher of watchers) watcher();
}

/** What this tab kept. What was under way then has an end that nobody here saw. */
export function restored(): Turn[] {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as Turn[];
    return kept.map((turn) => ({
      ...turn,
      ...(!turn.answer && !turn.problem && { problem: cutOff("It was asked when the page was loaded anew.", "Say it again.") }),
      fates: Object.fromEntries(Object.entries(turn.fates).map(([id, fate]) => [id, settled(fate)])),
    }));
  } catch {
    return [];
  }
}

function settled(fate: Fate): Fate {
  if (fate.state === "undoing") return { state: "done", result: fate.result };
  if (fate.state !== "doing") return fate;
  return {
    state: "failed",
    problem: cutOff("The page was loaded anew while it was carried out.", "The journal says whether it was done."),
  };
}

const cutOff = (what: string, next: string): Problem => ({ kind: "unavailable", what, next });

/** Forgets everything that was said. */
export function clear(): void {
  set([], "The conversation is empty.");
}

function change(id: number, spoken: string, how: (turn: Turn) => Turn): void {
  set(
    talk.turns.map((turn) => (turn.id === id ? how(turn) : turn)),
    spoken,
  );
}

function fated(id: number, proposals: readonly string[], fate: Fate, spoken: string): void {
  change(id, spoken, (turn) => ({ ...turn, fates: { ...turn.fates, ...Object.fromEntries(proposals.map((one) => [one, fate])) } }));
}

let understanding: Promise<void> = Promise.resolve();

/**
 * Takes what was written: a yes or no to what was proposed last, or a sentence. What is written while another sentence is being
 * understood waits for that one: it may be the answer to it.
 */
export function hear(said: string): Promise<void> {
  understanding = understanding.then(() => {
    const last = talk.turns.at(-1);
    const waits = waiting(last);
    if (!last || waits.length === 0) return say(said);
    // What came after text of others needs its button: it is to be looked at.
    if (/^(yes|y|do it|yes,? do it)[.!]?$/i.test(said) && !waits.some((one) => one.untrusted)) void yes(last, waits);
    else if (/^(no|n|don.?t)[.!]?$/i.test(said)) no(last, waits);
    else return say(said);
  });
  return understanding;
}

/** Asks what a sentence means. Nothing is changed by it. */
export async function say(said: string): Promise<void> {
  const id = (talk.turns.at(-1)?.id ?? 0) + 1;
  const conversation = talk.turns.findLast((turn) => turn.answer)?.answer?.conversation;
  set([...talk.turns, { id, said, fates: {} }], "Understanding it.");
  try {
    const answer = await call("command.understand", { text: said, conversation });
    change(id, told(answer), (turn) => ({ ...turn, answer }));
  } catch (error) {
    const problem = problemOf(error);
    change(id, sentence(problem), (turn) => ({ ...turn, problem }));
  }
}

/** What of a turn waits for a yes. */
export function waiting(turn: Turn | undefined): Proposal[] {
  return turn?.answer?.proposals.filter(({ id }) => !turn.fates[id]) ?? [];
}

/** Carries proposals out, one after the other, so that each result is seen as it comes. */
export async function yes(turn: Turn, proposals: readonly Proposal[]): Promise<void> {
  const conversation = turn.answer?.conversation;
  if (!conversation || proposals.length === 0) return;
  fated(
    turn.id,
    proposals.map(({ id }) => id),
    { state: "doing" },
    "It is being done.",
  );
  for (const { id, untrusted } of proposals) {
    try {
      const { results } = await call("command.run", { conversation, proposals: [id], knowingly: untrusted });
      const result = results[0];
      if (result) fated(turn.id, [id], { state: "done", result }, spokenOf(result));
    } catch (error) {
      const problem = problemOf(error);
      fated(turn.id, [id], { state: "failed", problem }, sentence(problem));
    }
  }
}

/** Leaves proposals undone. */
export function no(turn: Turn, proposals: readonly Proposal[]): void {
  fated(
    turn.id,
    proposals.map(({ id }) => id),
    { state: "left" },
    "Nothing was done.",
  );
}

/** Takes back what was done. */
export async function undo(turn: Turn, proposal: string): Promise<void> {
  const [conversation, fate] = [turn.answer?.conversation, turn.fates[proposal]];
  if (!conversation || fate?.state !== "done") return;
  const { result } = fate;
  fated(turn.id, [proposal], { state: "undoing", result }, "It is being undone.");
  try {
    const { results } = await call("command.undo", { conversation, proposal });
    const failed = results.find((one) => !one.done);
    fated(turn.id, [proposal], { state: "undone", result, back: results }, failed ? spokenOf(failed) : "It is undone.");
  } catch (error) {
    // What cannot be undone is not offered again.
    const back: Result = { ...result, done: false, text: "", problem: problemOf(error), items: [], undo: null };
    fated(turn.id, [proposal], { state: "undone", result, back: [back] }, spokenOf(back));
  }
}

const sentence = ({ what, why, next }: Problem): string => [what, why, next].filter(Boolean).join(" ");

const spokenOf = (result: Result): string =>
  result.done ? `Done: ${result.text || result.sentence}` : `Not done: ${result.problem ? sentence(result.problem) : result.text}`;

/** An answer as a screen reader says it. */
export function told({ by, understood, text, proposals, problems, choices, examples }: Answer): string {
  const waits = proposals.length;
  return [
    by === "nobody" && "This was not understood.",
    understood,
    text,
    waits === 1 && "It waits for your yes.",
    waits > 1 && `${waits} changes wait for your yes.`,
    ...problems.map(sentence),
    choices.length > 0 && `${choices.length} possible meanings are listed.`,
    examples.length > 0 && `It could be: ${examples.join("; ")}`,
  ]
    .filter(Boolean)
    .join(" ");
}
