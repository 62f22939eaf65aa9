// The board: tasks by where they are. Pure.
import type { Schemas } from "../../api/call";
import { stopped, type TaskStateName, taskWord, type Word } from "../../ui/words";

export type TaskView = Schemas["TaskView"];

export interface Column {
  title: string;
  states: TaskStateName[];
  tasks: TaskView[];
}

const columns: Omit<Column, "tasks">[] = [
  { title: "Waiting", states: ["waiting"] },
  { title: "Ready", states: ["ready"] },
  { title: "Running", states: ["running"] },
  { title: "Needs you", states: ["in_review", "changes_requested", "failed", "rejected"] },
  { title: "Done", states: ["merged", "done"] },
];

export function board(tasks: readonly TaskView[]): Column[] {
  // One that a person stopped can be run, and needs nobody.
  const at = ({ state }: TaskView): TaskStateName => (stopped(state) ? "ready" : state.state);
  return columns.map((column) => ({ ...column, tasks: tasks.filter((t) => column.states.includes(at(t))) }));
}

/** Tasks whose id, title, story or phase holds every word. */
export function matching(tasks: readonly TaskView[], query: string): TaskView[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return tasks.filter(({ at, task }) => {
    const text = `${task.id} ${task.title} ${task.story ?? ""} ${task.phase} ${at.feature}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** As `task.run` sees it: what a person may give to an agent now. */
export const runnable = (state: TaskStateName): boolean => ["ready", "waiting", "failed", "changes_requested", "rejected"].includes(state);

/** What a whole feature's run would start. */
export const open = (state: TaskStateName): boolean => ["ready", "waiting", "failed", "changes_requested"].includes(state);

/** Where a task is, in a word; one whose run is in the queue and cannot start yet says so. */
export function wordOf({ at, state }: TaskView, going: ReadonlySet<string>, patches: ReadonlyMap<string, Word>): Word {
  const held = state.state === "running" && "waits" in state && state.waits != null;
  return held || (state.state === "waiting" && going.has(nameOf(at))) ? { text: "Queued", tone: "none" } : ofPatch(state, patches);
}

/** A task whose patch waits is where its patch is. */
export const ofPatch = (state: TaskView["state"], patches: ReadonlyMap<string, Word>): Word =>
  (state.state === "in_review" && patches.get(state.patch)) || taskWord(state);

/** As it stands in the address. */
export const nameOf = (at: TaskView["at"]): string => `${at.feature}/${at.task}`;

export const keyOf = ({ at }: Pick<TaskView, "at">): string => `${at.project}/${at.feature}/${at.task}`;
