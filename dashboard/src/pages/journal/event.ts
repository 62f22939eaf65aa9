// An event in words.
import type { Schemas } from "../../api/call";

type Event = Schemas["Event"];

/** `run_queued` as “Run queued”. */
export const titleOf = (event: Event): string => {
  const words = event.type.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const quiet = new Set(["type", "version", "at", "actor", "door"]);

/** What it is about: its short facts, in the order in which they stand. */
export function factsOf(event: Event): string {
  const facts: string[] = [];
  for (const [name, value] of Object.entries(event)) {
    if (quiet.has(name) || value === null || value === "" || value === false) continue;
    if (typeof value === "object") {
      const id = "id" in value ? value.id : "task" in value ? value.task : undefined;
      if (typeof id === "string") facts.push(`${name} ${id}`);
    } else facts.push(value === true ? name : `${name} ${value}`);
  }
  return facts.join(" · ");
}
