// What stands in the list under the field: asking what the sentence means, how it could go on, and things that are called so. Pure.
import type { Schemas } from "../../api/call";
import { type Found, rank } from "../rank";

export type Completion = Schemas["Completion"];

export type Option =
  | { kind: "ask"; id: string; text: string }
  | { kind: "complete"; id: string; completion: Completion }
  | { kind: "found"; id: string; found: Found };

/** How many ways to go on are shown. */
const COMPLETIONS_SHOWN = 6;
const FOUND_SHOWN = 30;
/** Sentences of one word that name nothing. */
const SENTENCES: ReadonlySet<string> = new Set(["undo", "help", "yes", "no", "y", "n"]);

/** Completions of a text; those of one that was shorter by some letters count on, until its own are there. */
export function fitting(completions: readonly Completion[], of: string, text: string): Completion[] {
  return completions.flatMap((one) => {
    if (one.insert === "" || text.slice(0, one.from) !== of.slice(0, one.from)) return [];
    if (of === text) return [one];
    const begun = text.slice(one.from).toLowerCase();
    return one.insert.toLowerCase().startsWith(begun) ? [{ ...one, to: text.length }] : [];
  });
}

export const completed = (text: string, { from, to, insert }: Completion): string =>
  `${text.slice(0, from)}${insert}${/[\s:]$/.test(insert) ? "" : " "}${text.slice(to).replace(/^ /, "")}`;

export function optionsOf(text: string, completions: readonly Completion[], all: readonly Found[]): Option[] {
  const asked = text.trim();
  const ranked = rank(asked, all, FOUND_SHOWN);
  const first = ranked.filter((one) => asked !== "" && isNamed(one, asked));
  const option = (one: Found): Option => ({ kind: "found", id: one.id, found: one });
  // A deed, and a task that is called exactly so, are meant more surely than the sentence.
  const sure = first.filter((one) => one.kind === "Do" || (one.kind === "Task" && isCalled(one, asked)));
  sure.sort((a, b) => Number(b.kind === "Do") - Number(a.kind === "Do"));
  const found = [...new Set([...first, ...ranked])].filter((one) => !sure.includes(one)).map(option);
  const said = new Set(ranked.map((one) => one.says));
  // A whole sentence is not offered once more as a way to go on.
  const onward = completions
    .filter((one) => ![asked, ...said].includes(completed(text, one).trim()) && !isScrap(text, one))
    .slice(0, COMPLETIONS_SHOWN);
  const further = onward.map((completion): Option => ({ kind: "complete", id: `complete ${completion.label}`, completion }));
  return asked === "" ? [...further, ...found] : [...sure.map(option), { kind: "ask", id: "ask", text: asked }, ...further, ...found];
}

/**
 * Which one Enter takes where nobody chose: one word finds, several ask. So that nobody has to know how the list came about, this
 * hangs on what is written alone and on whether a page, a task or the like is called exactly so.
 */
export function usual(options: readonly Option[], text: string): number {
  const asked = text.trim().toLowerCase();
  if (asked === "") return -1;
  if (options[0]?.kind === "found") return 0;
  const first = options.findIndex((one) => one.kind === "found");
  const best = options[first];
  if (best?.kind !== "found" || SENTENCES.has(asked) || asked.endsWith("?")) return 0;
  const several = /\s/.test(asked);
  return several && !isNamed(best.found, asked) ? 0 : first;
}

/** Whether a thing whose name no stranger chose is called what is written. */
const isNamed = (found: Found, text: string): boolean =>
  ["Do", "Page", "Look", "Task", "Feature"].includes(found.kind) &&
  (found.title.toLowerCase().startsWith(text.toLowerCase()) || isCalled(found, text));

/** Whether a task's title is exactly this, with its id or without. */
const isCalled = ({ title }: Found, text: string): boolean =>
  [title, title.slice(title.indexOf(" ") + 1)].some((one) => one.toLowerCase() === text.toLowerCase());

/** A word like “on” is nothing to begin with, nor to be offered before anything of it is written. */
const isScrap = (text: string, { from, to, insert, kind }: Completion): boolean =>
  kind === "word" && insert.length <= 2 && (from === to || text.slice(0, from).trim() === "");
