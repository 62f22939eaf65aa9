// The dependencies of a feature as a drawing: only edges that say something, and a place for each task. Pure.
import { Graph, layout } from "@dagrejs/dagre";
import type { TaskView } from "./board";

export const NODE = { width: 210, height: 62 };

export interface Edge {
  from: string;
  to: string;
}

/** Dependencies between these tasks, without those that follow from others: A → C says nothing where A → B → C. */
export function edges(tasks: readonly TaskView[]): Edge[] {
  const needs = new Map(tasks.map(({ task }) => [task.id, task.depends_on]));
  const direct = (id: string) => (needs.get(id) ?? []).filter((on) => needs.has(on) && on !== id);
  const before = new Map<string, Set<string>>();
  const above = (id: string): Set<string> => {
    const known = before.get(id);
    if (known) return known;
    const found = new Set<string>();
    before.set(id, found); // A circle ends here; the program refuses to run it.
    for (const on of direct(id)) {
      found.add(on);
      for (const further of above(on)) found.add(further);
    }
    return found;
  };
  return tasks.flatMap(({ task: { id } }) => {
    const all = direct(id);
    return all.filter((on) => !all.some((other) => other !== on && above(other).has(on))).map((from) => ({ from, to: id }));
  });
}

/** Where each task stands, by its id. */
export function places(tasks: readonly TaskView[], drawn: readonly Edge[]): Map<string, { x: number; y: number }> {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 56 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { task } of tasks) graph.setNode(task.id, { ...NODE });
  for (const { from, to } of drawn) graph.setEdge(from, to);
  layout(graph);
  return new Map(tasks.map(({ task: { id } }) => [id, { x: graph.node(id).x - NODE.width / 2, y: graph.node(id).y - NODE.height / 2 }]));
}
