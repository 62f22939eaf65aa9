// A run's way through its states, with how long each took. Pure.
import type { Schemas } from "../../api/call";
import { ended } from "../../ui/words";

type Run = Pick<Schemas["Run"], "state" | "phases" | "queued_at" | "ended_at">;

export interface Stage {
  state: Schemas["RunState"];
  from: number;
  /** None while it is still there. */
  to?: number;
}

/** The states that it was in, one after the other; waiting in turn for room and a device counts as waiting once. */
export function stages(run: Run): Stage[] {
  const found: Stage[] = [{ state: "queued", from: run.queued_at }];
  for (const { state, at } of run.phases) {
    const last = found.at(-1) as Stage;
    const waits = (s: Stage["state"]) => s === "queued" || s === "placing";
    if (waits(last.state) && waits(state)) {
      last.state = state;
      continue;
    }
    last.to = at;
    found.push({ state, from: at });
  }
  const last = found.at(-1) as Stage;
  if (ended(last.state)) last.to = last.from;
  return found;
}
