// An event in words.
import type { Schemas } from "../../api/call";
import { type Known, withNames } from "../../ui/Who";

type Event = Schemas["Event"];

/** `run_queued` as “Run queued”. */
export const titleOf = (event: Event): string => {
  const words = event.type.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const quiet = new Set(["type", "version", "at", "actor", "door"]);
/** What a person is to look at, each of it. */
const lists = new Set(["aside", "review_again"]);

export interface Fact {
  text: string;
  /** The same with whole ids and keys, where the text has names for them. */
  raw?: string;
}

/** What it is about: its short facts, in the order in which they stand. */
export function factsOf(event: Event, who: (did: string) => Known): Fact[] {
  const facts: string[] = [];
  for (const [name, value] of Object.entries(event)) {
    if (quiet.has(name) || value === null || value === "" || value === false) continue;
    if (lists.has(name) && Array.isArray(value)) {
      facts.push(`${name.replaceAll("_", " ")} ${value.join(", ")}`);
    } else if (typeof value === "object") {
      const said = idOf(value);
      if (said) facts.push(`${name} ${said}`);
    } else facts.push(value === true ? name : `${name} ${value}`);
  }
  return facts.map((raw) => {
    const text = withNames(raw, who);
    return text === raw ? { text } : { text, raw };
  });
}

/** A thing by its id; a run by its task too. */
function idOf(thing: object): string | undefined {
  const task = "task" in thing ? thing.task : undefined;
  const name = typeof task === "object" && task !== null && "task" in task ? task.task : task;
  const parts = [name, "id" in thing ? thing.id : undefined].filter((part) => typeof part === "string");
  return parts.length > 0 ? parts.join(" ") : undefined;
}
