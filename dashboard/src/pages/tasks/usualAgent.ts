// Which agent is offered first. Pure.
import type { Schemas } from "../../api/call";
import { nameOf } from "./board";

type Run = Pick<Schemas["Run"], "task" | "agent" | "queued_at">;

/** That of the task's last run; else the only one; else the one that was used last in the project. Never one by its letters. */
export function usualAgent(names: readonly string[], runs: readonly Run[], task?: string): string | undefined {
  const last = (some: readonly Run[]): string | undefined =>
    some
      .filter(({ agent }) => agent && names.includes(agent))
      .reduce<Run | undefined>((best, run) => (best && best.queued_at >= run.queued_at ? best : run), undefined)?.agent ?? undefined;
  const own = task && last(runs.filter((run) => run.task && nameOf(run.task) === task));
  return own || (names.length === 1 ? names[0] : last(runs));
}
