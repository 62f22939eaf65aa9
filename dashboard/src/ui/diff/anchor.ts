// Which line of a file a row of a diff shows, and back. Pure.
import type { Schemas } from "../../api/call";
import type { Change, DiffFile } from "./parse";

export type Side = Schemas["Side"];
export type LineRef = Schemas["LineRef"];

/** A row's name within its file, as react-diff-view has it. */
export function rowKey(change: Change): string {
  if (change.type === "insert") return `I${change.lineNumber}`;
  return change.type === "delete" ? `D${change.lineNumber}` : `N${change.oldLineNumber}`;
}

/** The line that a row shows on a side; none where it has none there. A row without a change is on both sides. */
export function lineOn(change: Change, side: Side): number | undefined {
  if (change.type === "normal") return side === "old" ? change.oldLineNumber : change.newLineNumber;
  return (change.type === "insert") === (side === "new") ? change.lineNumber : undefined;
}

/** How a line of a file is named to the program: a renamed file has its former path on the old side. */
export const refOf = (file: DiffFile, side: Side, line: number): LineRef => ({
  path: side === "old" ? file.from : file.path,
  side,
  line,
});

/** Whether a line is of this file. On the old side both names of a renamed one will do. */
export function isIn(file: DiffFile, at: LineRef): boolean {
  return at.path === file.path || (at.side === "old" && at.path === file.from);
}

/** The row that shows a line; none when the diff does not reach there. */
export function rowAt(file: DiffFile, at: LineRef): Change | undefined {
  if (!isIn(file, at)) return undefined;
  for (const hunk of file.hunks) {
    const found = hunk.changes.find((change) => lineOn(change, at.side) === at.line);
    if (found) return found;
  }
  return undefined;
}

/** A line in an address: `new:12:src/main.rs`. */
export const writeRef = ({ path, side, line }: LineRef): string => `${side}:${line}:${path}`;

export function readRef(text: string | undefined): LineRef | undefined {
  const [, side, line, path] = /^(old|new):(\d+):(.+)$/.exec(text ?? "") ?? [];
  return side && line && path ? { side: side as Side, line: Number(line), path } : undefined;
}
