// Where things are shown, for links from anywhere.
import type { Schemas } from "../api/call";

/** A task beside the board of its project. Without a task: the board. */
export function taskLink({ project, feature, task }: Partial<Schemas["TaskRef"]>) {
  return { to: "/tasks", search: { project, task: task && `${feature}/${task}` } } as const;
}
