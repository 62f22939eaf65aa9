// What is known here of a device. Pure.
import type { Input, Output } from "../../api/call";
import { ended, several, shortRun, tagsChanged, tagsText, type Word } from "../../ui/words";

export type Device = Output<"device.list">[number];
type Pod = Output<"device.pods">[number];
type Run = Output<"run.list">[number];

export function reachWord({ here, reachable, halted }: Pick<Device, "here" | "reachable" | "halted">): Word {
  if (here) return { text: "This device", tone: "good" };
  if (reachable) return { text: "Reached", tone: "good" };
  // Whoever a stop order halts may well answer.
  return { text: halted ? "Cut off" : "Not reached", tone: "bad" };
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

export type Listed = Output<"org.show">["devices"][number];

/** What the org says of a device, while it is edited: texts as they stand in the fields. */
export type Described = Record<"name" | "addresses" | "radicle" | "gossip" | "tags", string>;

export const describe = ({ name, addresses = [], radicle = [], gossip = [], tags }: Listed): Described => ({
  name,
  addresses: addresses.join(" "),
  radicle: radicle.join(" "),
  gossip: gossip.join(" "),
  tags: tagsText(tags),
});

/** What is to be otherwise: only what was changed. */
export function described(device: Listed, now: Described): Omit<Input<"device.change">, "device"> {
  const was = describe(device);
  const input: ReturnType<typeof described> = {};
  if (now.name.trim() !== was.name) input.name = now.name.trim();
  for (const list of ["addresses", "radicle", "gossip"] as const) if (now[list] !== was[list]) input[list] = several(now[list]);
  if (now.tags !== was.tags) input.tags = tagsChanged(device.tags, now.tags);
  return input;
}
