// What placement says of the devices: a word for each, and their order. Pure.
import type { Output } from "../api/call";
import { ended, type Word } from "./words";

export type Why = Output<"task.why">;
export type Verdict = Why["devices"][number];

/** The one that has it or is asked first; then in the order in which they would be asked; last those that cannot take it. */
export function inOrder({ devices, device }: Pick<Why, "devices" | "device">): Verdict[] {
  const rank = (one: Verdict) => (one.device === device ? 0 : (one.place ?? Number.POSITIVE_INFINITY));
  return [...devices].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

export function wordOf(one: Pick<Verdict, "device" | "place">, { device, state }: Pick<Why, "device" | "state">): Word {
  if (one.device === device && state) {
    if (state === "queued" || state === "placing") return { text: "Is asked", tone: "run", live: true };
    return ended(state) ? { text: "Had it", tone: "none" } : { text: "Has it", tone: "good" };
  }
  if (one.place) return { text: one.place === 1 ? "First choice" : `Choice ${one.place}`, tone: "good" };
  return { text: "Cannot now", tone: "warn" };
}
