// The dependencies of the tasks, drawn from left to right.
import { Background, Controls, type Edge, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { type KeyboardEvent, useMemo } from "react";
import { Badge } from "../../ui/Badge";
import { Empty } from "../../ui/State";
import type { Word } from "../../ui/words";
import { keyOf, type TaskView } from "./board";
import { edges, NODE, places } from "./graph";
import css from "./Tasks.module.css";

interface Props {
  tasks: TaskView[];
  /** Where a task is. */
  wordOf: (task: TaskView) => Word;
  chosen: TaskView | undefined;
  onOpen: (at: TaskView["at"]) => void;
}

type TaskNode = Node<{ task: TaskView; word: Word }, "task">;
const nodeTypes = { task: TaskBox };
/** Above this the drawing says nothing any more, and takes long. */
const TASKS_MAX = 600;

export default function Graph({ tasks: all, wordOf, chosen, onOpen }: Props) {
  // Of several features that of the open task is drawn, else the first.
  const feature = (chosen ?? all[0])?.at.feature;
  const tasks = useMemo(() => all.filter(({ at }) => at.feature === feature), [all, feature]);
  const several = tasks.length < all.length;
  // Only the shape decides where things stand: a state that changes moves nothing.
  const shape = tasks.map((t) => `${t.task.id}<${t.task.depends_on.join()}`).join(" ");
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  const drawn = useMemo(() => {
    if (tasks.length > TASKS_MAX) return undefined;
    const lines = edges(tasks);
    return { lines, at: places(tasks, lines) };
  }, [shape]);
  if (!drawn) return <Empty title="Too many tasks to draw">Filter them: up to {TASKS_MAX} are drawn.</Empty>;
  const nodes: TaskNode[] = tasks.map((task) => ({
    id: task.task.id,
    type: "task",
    position: drawn.at.get(task.task.id) ?? { x: 0, y: 0 },
    data: { task, word: wordOf(task) },
    selected: chosen !== undefined && keyOf(task) === keyOf(chosen),
    ariaRole: "button",
    ...NODE,
  }));
  const lines: Edge[] = drawn.lines.map(({ from, to }) => ({
    id: `${from} ${to}`,
    source: from,
    target: to,
    focusable: false,
    markerEnd: { type: MarkerType.ArrowClosed },
  }));
  // The drawing takes the click alone for opening.
  const press = (event: KeyboardEvent<HTMLDivElement>) => {
    const id = event.key === "Enter" && event.target instanceof Element && event.target.closest("[data-id]")?.getAttribute("data-id");
    const task = tasks.find((one) => one.task.id === id);
    if (task) onOpen(task.at);
  };
  return (
    <>
      {several && <p className="muted">The graph shows one feature, {feature}; another is chosen above.</p>}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the key is pressed on a task in it */}
      <div className={css.graph} onKeyDown={press}>
        <ReactFlow
          nodes={nodes}
          edges={lines}
          nodeTypes={nodeTypes}
          onNodeClick={(_, { data }) => onOpen(data.task.at)}
          nodesDraggable={false}
          nodesConnectable={false}
          onlyRenderVisibleElements
          fitView
          fitViewOptions={{ maxZoom: 1, minZoom: readable() }}
          minZoom={0.1}
        >
          <Background />
          <Controls showInteractive={false} />
        </ReactFlow>
      </div>
    </>
  );
}

/** On a phone a part that can be read is more than the whole that cannot. */
const readable = (): number => (window.innerWidth > 760 ? 0.1 : 0.7);

function TaskBox({ data: { task, word }, selected }: NodeProps<TaskNode>) {
  return (
    <div className={css.node} data-chosen={selected || undefined}>
      <Handle type="target" position={Position.Left} className={css.handle} />
      <span className={css.cardHead}>
        <b>{task.task.id}</b> <Badge word={word} />
      </span>{" "}
      <span className="clip">{task.task.title}</span>
      <Handle type="source" position={Position.Right} className={css.handle} />
    </div>
  );
}
