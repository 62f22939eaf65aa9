// A unified diff as files, side by side or in one column. What stands below a line (comments, a form) comes from outside.
import { ChevronDown, ChevronRight } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { type ChangeData, type FileData, getChangeKey, Hunk, parseDiff, Diff as Shown } from "react-diff-view";
import "react-diff-view/style/index.css";
import { Empty } from "../State";
import { plural } from "../words";
import css from "./Diff.module.css";

/** A file with more changed lines begins folded. */
const FOLD_LINES = 600;

export type View = "unified" | "split";
export interface LineAt {
  path: string;
  line: number;
  side: "old" | "new";
}

interface Props {
  diff: string;
  view: View;
  /** What stands below a line. */
  below?: (at: LineAt) => ReactNode;
  /** A line's number was pressed. */
  onLine?: (at: LineAt) => void;
}

export function Diff({ diff, ...rest }: Props) {
  const files = useMemo(() => parse(diff), [diff]);
  if (files.length === 0) return <Empty title="No file differs" />;
  return (
    <div className={css.files}>
      {files.map((file) => (
        <File key={`${file.oldPath} ${file.newPath}`} file={file} {...rest} />
      ))}
    </div>
  );
}

/** The parser throws at what is no diff; an empty one is none. */
export function parse(diff: string): FileData[] {
  return diff.trim() === "" ? [] : parseDiff(diff, { nearbySequences: "zip" });
}

export const pathOf = (file: FileData): string => (file.type === "delete" ? file.oldPath : file.newPath);

export function counts(file: FileData): { added: number; removed: number } {
  const changes = file.hunks.flatMap((hunk) => hunk.changes);
  return { added: changes.filter((c) => c.type === "insert").length, removed: changes.filter((c) => c.type === "delete").length };
}

/** Where a changed line stands; an unchanged one is named by its new number. */
export function lineAt(path: string, change: ChangeData, side?: "old" | "new"): LineAt {
  if (change.type === "normal")
    return side === "old" ? { path, line: change.oldLineNumber, side } : { path, line: change.newLineNumber, side: "new" };
  return { path, line: change.lineNumber, side: change.type === "delete" ? "old" : "new" };
}

function File({ file, view, below, onLine }: Omit<Props, "diff"> & { file: FileData }) {
  const { added, removed } = useMemo(() => counts(file), [file]);
  const [open, setOpen] = useState(added + removed <= FOLD_LINES);
  const path = pathOf(file);
  return (
    <section className={css.file} aria-label={path}>
      <button type="button" className={css.head} onClick={() => setOpen(!open)} aria-expanded={open} data-row>
        {open ? <ChevronDown size={15} aria-hidden /> : <ChevronRight size={15} aria-hidden />}
        <span className={css.path}>{file.type === "rename" ? `${file.oldPath} → ${file.newPath}` : path}</span>
        {file.type !== "modify" && <span className="muted">{file.type === "add" ? "new" : `${file.type}d`}</span>}
        <span className={css.counts}>
          <span className={css.added}>+{added}</span> <span className={css.removed}>−{removed}</span>
        </span>
      </button>
      {open && <Body file={file} path={path} view={view} below={below} onLine={onLine} />}
    </section>
  );
}

function Body({ file, path, view, below, onLine }: Omit<Props, "diff"> & { file: FileData; path: string }) {
  if (file.isBinary) return <p className={css.note}>A binary file: {plural(1, "change")}, not shown.</p>;
  const widgets: Record<string, ReactNode> = {};
  if (below) {
    for (const change of file.hunks.flatMap((hunk) => hunk.changes)) {
      const content = below(lineAt(path, change));
      if (content) widgets[getChangeKey(change)] = content;
    }
  }
  const gutter = onLine && {
    onClick: ({ change, side }: { change: ChangeData | null; side?: "old" | "new" }) => change && onLine(lineAt(path, change, side)),
  };
  return (
    <div className={css.body} data-press={!!onLine || undefined}>
      <Shown
        viewType={view}
        diffType={file.type}
        hunks={file.hunks}
        widgets={widgets}
        gutterEvents={gutter}
        optimizeSelection
        renderGutter={({ renderDefault, change, side }) => {
          const number = renderDefault();
          if (!onLine || !change || number == null) return number;
          const at = lineAt(path, change, side);
          return (
            <button type="button" aria-label={`Comment on line ${at.line} of ${path}`}>
              {number}
            </button>
          );
        }}
      >
        {(hunks) => hunks.map((hunk) => <Hunk key={hunk.content} hunk={hunk} />)}
      </Shown>
    </div>
  );
}
