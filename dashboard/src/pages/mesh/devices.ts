// What is known here of a device. Pure.
import type { Output } from "../../api/call";
import { ended, shortRun, type Word } from "../../ui/words";

export type Device = Output<"device.list">[number];
type Pod = Output<"device.pods">[number];
type Run = Output<"run.list">[number];

export function reachWord({ here, reachable }: Pick<Device, "here" | "reachable">): Word {
  if (here) return { text: "This device", tone: "good" };
  return reachable ? { text: "Reached", tone: "good" } : { text: "Not reached", tone: "bad" };
}

/** How long it takes to a device and back lately. */
export const answersIn = (ms: number | null | undefined): string | undefined =>
  ms == null ? undefined : `answers in ${ms === 0 ? "less than 1" : ms} ms`;

export interface Going {
  run: string;
  /** The task, or that it is checks, and the run. */
  name: string;
}

/** The runs on a device: all of this one; of another those that this one knows of. */
export function goingOn({ did, here }: Pick<Device, "did" | "here">, pods: readonly Pod[], runs: readonly Run[]): Going[] {
  const name = (task: Pod["task"] | undefined, run: string) => `${task?.task ?? "Checks"} · ${shortRun(run)}`;
  if (here) return pods.map(({ run, task }) => ({ run, name: name(task, run) }));
  return runs.filter((run) => run.device === did && !ended(run.state)).map(({ id, task }) => ({ run: id, name: name(task, id) }));
}
