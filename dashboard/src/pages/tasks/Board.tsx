// The board. Each column draws only what is on screen, so 2,000 tasks are as quick as twenty.
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useMemo, useRef } from "react";
import { AsOf } from "../../ui/AsOf";
import { toldBy } from "../../ui/asOf";
import { Badge } from "../../ui/Badge";
import type { Word } from "../../ui/words";
import { board, type Column, keyOf, type TaskView } from "./board";
import css from "./Tasks.module.css";

interface Props {
  tasks: TaskView[];
  /** Where a task is. */
  wordOf: (task: TaskView) => Word;
  chosen: TaskView | undefined;
  onOpen: (at: TaskView["at"]) => void;
}

const CARD_PX = 84;

export function Board({ tasks, ...rest }: Props) {
  const columns = useMemo(() => board(tasks), [tasks]);
  return (
    <div className={css.board}>
      {columns.map((column) => (
        <ColumnView key={column.title} column={column} {...rest} />
      ))}
    </div>
  );
}

function ColumnView({ column: { title, tasks }, wordOf, chosen, onOpen }: Omit<Props, "tasks"> & { column: Column }) {
  const box = useRef<HTMLDivElement>(null);
  // With another function all cards would be placed anew, at each step of scrolling.
  const getItemKey = useCallback((index: number) => keyOf(tasks[index] as TaskView), [tasks]);
  const view = useVirtualizer({
    count: tasks.length,
    getScrollElement: () => box.current,
    estimateSize: () => CARD_PX,
    getItemKey,
    overscan: 8,
    gap: 6,
  });
  return (
    <section className={css.column} aria-label={`${title}: ${tasks.length}`} data-empty={tasks.length === 0 || undefined}>
      <h2>
        {title} <span className="muted number">{tasks.length}</span>
      </h2>
      <div ref={box} className={css.cards}>
        <div className={css.all} style={{ height: view.getTotalSize() }}>
          {view.getVirtualItems().map(({ index, start, key }) => {
            const task = tasks[index] as TaskView;
            return (
              <div
                key={key}
                data-index={index}
                ref={view.measureElement}
                className={css.place}
                style={{ transform: `translateY(${start}px)` }}
              >
                <Card task={task} word={wordOf(task)} chosen={task === chosen} onOpen={onOpen} />
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

interface CardProps {
  task: TaskView;
  word: Word;
  chosen: boolean;
  onOpen: Props["onOpen"];
}

const Card = memo(function Card({ task: { at, task, state, whose }, word, chosen, onOpen }: CardProps) {
  return (
    <button type="button" className={css.card} aria-current={chosen || undefined} onClick={() => onOpen(at)} data-row>
      <span className={css.cardHead}>
        <b>{task.id}</b>
        {task.story && <span className="muted">{task.story}</span>}
        <Badge word={word} />
      </span>
      <span className={css.cardTitle}>{task.title}</span>
      {whose && <AsOf known={toldBy(whose)} short />}
      {state.state === "waiting" && <span className={`${css.on} muted`}>for {state.on.join(", ")}</span>}
    </button>
  );
});
