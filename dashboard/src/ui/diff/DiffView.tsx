// Changed files, beside each other or in one column: a tree of them, then each with its lines. Knows nothing of patches or runs: who
// shows it may put something under a line, and be told which line was chosen.

import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { plural } from "../words";
import "react-diff-view/style/index.css";
import { isIn, type LineRef, rowAt } from "./anchor";
import css from "./DiffView.module.css";
import { FileCard } from "./FileCard";
import { FileTree } from "./FileTree";
import { useDiffKeys } from "./keys";
import { useDiffLook } from "./look";
import type { DiffFile } from "./parse";
import { inOrder, treeOf } from "./tree";

/** Something under a line of a file. */
export interface Note {
  at: LineRef;
  node: ReactNode;
  /** Nothing is written in it yet: it does not count. */
  empty?: boolean;
}

/** A chosen line, with what stands in it. */
export type OnLine = (at: LineRef, text: string) => void;

interface Props {
  files: DiffFile[];
  notes?: readonly Note[];
  onLine?: OnLine;
  /** The line to begin at. */
  at?: LineRef;
  /** Stands at the left of the tools. */
  tools?: ReactNode;
}

export default function DiffView({ files, notes = [], onLine, at, tools }: Props) {
  const [look, setLook, narrow] = useDiffLook();
  const tree = useMemo(() => treeOf(files), [files]);
  const ordered = useMemo(() => inOrder(tree), [tree]);
  const byFile = useMemo(() => group(ordered, notes), [ordered, notes]);
  const root = useRef<HTMLDivElement>(null);
  useDiffKeys(root);
  useStart(root, at);
  const added = files.reduce((sum, file) => sum + file.added, 0);
  const removed = files.reduce((sum, file) => sum + file.removed, 0);
  return (
    <div ref={root} className={css.view}>
      <div className={css.tools}>
        {tools}
        <span className={css.spring} />
        <Counts added={added} removed={removed} />
        {!narrow && (
          <fieldset className={css.look}>
            <legend className="hidden">How the changes are shown</legend>
            {(["split", "inline"] as const).map((one) => (
              <label key={one} data-on={look === one || undefined}>
                <input type="radio" name="look" className="hidden" checked={look === one} onChange={() => setLook(one)} />
                {one === "split" ? "Side by side" : "Inline"}
              </label>
            ))}
          </fieldset>
        )}
      </div>
      <div className={css.columns}>
        <FileTree tree={tree} counts={byFile} narrow={narrow} />
        <div className={css.files}>
          {ordered.map((file) => (
            <FileCard
              key={file.path}
              file={file}
              split={look === "split"}
              notes={byFile.get(file.path)}
              onLine={onLine}
              at={at && isIn(file, at) ? at : undefined}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

export function Counts({ added, removed }: { added: number; removed: number }) {
  return (
    <span className={`${css.counts} number`}>
      <span className="hidden">
        {plural(added, "line")} added, {removed} removed
      </span>
      <b aria-hidden>+{added}</b> <i aria-hidden>−{removed}</i>
    </span>
  );
}

/** The notes of each file; those whose line is not shown come along too. */
function group(files: readonly DiffFile[], notes: readonly Note[]): Map<string, Note[]> {
  const found = new Map<string, Note[]>();
  for (const note of notes) {
    const file = files.find((one) => rowAt(one, note.at)) ?? files.find((one) => isIn(one, note.at));
    if (file) found.set(file.path, [...(found.get(file.path) ?? []), note]);
  }
  return found;
}

/** Shows the line that the address names, once. */
function useStart(root: React.RefObject<HTMLDivElement | null>, at: LineRef | undefined): void {
  useEffect(() => {
    if (!at) return;
    const file = root.current?.querySelector(`[data-file="${CSS.escape(at.path)}"]`);
    const line = file?.querySelector<HTMLElement>(`[data-line="${at.side}:${at.line}"]`);
    (line ?? file)?.scrollIntoView({ block: line ? "center" : "start" });
    line?.focus({ preventScroll: true });
  }, [root, at]);
}
