// What changed from one revision to another, out of the diffs of both: what is asked of the program is only each revision's own diff,
// and both begin at the same commit, so the lines around are known. Pure.
import type { Change, DiffFile, Hunk } from "../../ui/diff/parse";

/** Unchanged lines around a change. */
const AROUND = 3;
/** Two stretches that differ in more lines than these are not compared but exchanged as a whole. */
const EDITS_MAX = 1_500;

/** One revision's work on a file, by the lines of the file as it was. */
interface Work {
  gone: Set<number>;
  /** What comes after a line; after 0 what comes first. */
  after: Map<number, string[]>;
}

interface Line {
  text: string;
  number: number;
}

export function compare(older: readonly DiffFile[], newer: readonly DiffFile[]): DiffFile[] {
  const paths = new Set([...newer, ...older].map((file) => file.from));
  return [...paths].flatMap((from) => {
    const a = older.find((file) => file.from === from);
    const b = newer.find((file) => file.from === from);
    return between(a, b) ?? [];
  });
}

function between(a: DiffFile | undefined, b: DiffFile | undefined): DiffFile | undefined {
  const either = b ?? a;
  if (!either || (a && b && a.path === b.path && a.blobs && a.blobs[1] === b.blobs?.[1])) return undefined;
  const path = existing(b) ?? either.from;
  const from = existing(a) ?? either.from;
  const was = a?.kind !== "removed" && (a !== undefined || b?.kind !== "added");
  const is = b?.kind !== "removed" && (b !== undefined || a?.kind !== "added");
  if (!was && !is) return undefined;
  const hunks = hunksBetween(a, b);
  const changes = hunks.flatMap((hunk) => hunk.changes);
  const binary = (a?.binary ?? false) || (b?.binary ?? false);
  if (changes.length === 0 && path === from && !binary && was === is) return undefined;
  return {
    path,
    from,
    kind: !was ? "added" : !is ? "removed" : path !== from ? "renamed" : "changed",
    binary,
    hunks,
    added: changes.filter((change) => change.type === "insert").length,
    removed: changes.filter((change) => change.type === "delete").length,
  };
}

const existing = (file: DiffFile | undefined): string | undefined => (file && file.kind !== "removed" ? file.path : undefined);

function hunksBetween(a: DiffFile | undefined, b: DiffFile | undefined): Hunk[] {
  const base = new Map<number, string>();
  const [left, right] = [workOf(a, base), workOf(b, base)];
  return stretches([...base.keys()]).flatMap(([from, to]) => {
    const changes = difference(linesOf(left, base, from, to), linesOf(right, base, from, to));
    return hunksOf(changes);
  });
}

/** Reads what a file's diff does; what it shows of the file as it was goes into `base`. */
function workOf(file: DiffFile | undefined, base: Map<number, string>): Work {
  const work: Work = { gone: new Set(), after: new Map() };
  for (const hunk of file?.hunks ?? []) {
    // A hunk without old lines (`-0,0` or `-7,0`) stands after the line that it names.
    const first = hunk.changes.find((change) => change.type !== "insert");
    let line = first ? hunk.oldStart - 1 : hunk.oldStart;
    if (line === 0) base.set(0, "");
    for (const change of hunk.changes) {
      if (change.type === "insert") {
        const texts = work.after.get(line) ?? [];
        work.after.set(line, texts);
        texts.push(change.content);
        continue;
      }
      line += 1;
      base.set(line, change.content);
      if (change.type === "delete") work.gone.add(line);
    }
  }
  return work;
}

/** The lines of the file as it was that are known, in stretches without a gap. */
function stretches(known: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const line of known.sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && last[1] + 1 === line) last[1] = line;
    else found.push([line, line]);
  }
  return found;
}

/** A stretch as a revision has it. */
function linesOf(work: Work, base: Map<number, string>, from: number, to: number): Line[] {
  let number = Math.max(from, 1);
  for (const [line, texts] of work.after) if (line < from) number += texts.length;
  for (const line of work.gone) if (line < from) number -= 1;
  const lines: Line[] = [];
  const put = (text: string) => lines.push({ text, number: number++ });
  for (let line = from; line <= to; line += 1) {
    if (line > 0 && !work.gone.has(line)) put(base.get(line) ?? "");
    for (const text of work.after.get(line) ?? []) put(text);
  }
  return lines;
}

/** What leads from some lines to others, in as few steps as may be. */
export function difference(a: Line[], b: Line[]): Change[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start]?.text === b[start]?.text) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end]?.text === b[b.length - 1 - end]?.text) end += 1;
  const same = (one: Line[], other: Line[]) => one.map((line, index) => normal(line, other[index] as Line));
  return [
    ...same(a.slice(0, start), b.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end), b.slice(b.length - end)),
  ];
}

/** The shortest way from some lines to others. Source: E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986. */
function middle(a: Line[], b: Line[]): Change[] {
  const max = Math.min(a.length + b.length, EDITS_MAX);
  let reached = new Map([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let edits = 0; edits <= max; edits += 1) {
    trace.push(reached);
    const next = new Map(reached);
    for (let k = -edits; k <= edits; k += 2) {
      let i = isDown(reached, k, edits) ? at(reached, k + 1) : at(reached, k - 1) + 1;
      while (i < a.length && i - k < b.length && a[i]?.text === b[i - k]?.text) i += 1;
      next.set(k, i);
      if (i >= a.length && i - k >= b.length) return wayBack(a, b, trace);
    }
    reached = next;
  }
  return [...a.map(removed), ...b.map(added)];
}

const at = (reached: Map<number, number>, k: number): number => reached.get(k) ?? 0;

/** Whether diagonal `k` is come to by a line that was added, and not by one that was removed. */
const isDown = (reached: Map<number, number>, k: number, edits: number): boolean =>
  k === -edits || (k !== edits && at(reached, k - 1) < at(reached, k + 1));

function wayBack(a: Line[], b: Line[], trace: Map<number, number>[]): Change[] {
  const changes: Change[] = [];
  let [i, j] = [a.length, b.length];
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    const reached = trace[edits] ?? new Map();
    const down = isDown(reached, i - j, edits);
    const from = i - j + (down ? 1 : -1);
    const [toI, toJ] = edits === 0 ? [0, 0] : [at(reached, from), at(reached, from) - from];
    while (i > toI && j > toJ) {
      i -= 1;
      j -= 1;
      changes.push(normal(a[i] as Line, b[j] as Line));
    }
    if (edits > 0) changes.push(down ? added(b[toJ] as Line) : removed(a[toI] as Line));
    [i, j] = [toI, toJ];
  }
  return changes.reverse();
}

const normal = (a: Line, b: Line): Change => ({
  type: "normal",
  isNormal: true,
  content: b.text,
  oldLineNumber: a.number,
  newLineNumber: b.number,
});
const removed = ({ text, number }: Line): Change => ({ type: "delete", isDelete: true, content: text, lineNumber: number });
const added = ({ text, number }: Line): Change => ({ type: "insert", isInsert: true, content: text, lineNumber: number });

/** Leaves out what is far from every change. */
function hunksOf(changes: Change[]): Hunk[] {
  const near = changes.map((_, index) =>
    changes.slice(Math.max(0, index - AROUND), index + AROUND + 1).some((one) => one.type !== "normal"),
  );
  const hunks: Hunk[] = [];
  changes.forEach((change, index) => {
    if (!near[index]) return;
    if (index > 0 && near[index - 1]) hunks.at(-1)?.changes.push(change);
    else hunks.push({ content: "", oldStart: 0, newStart: 0, oldLines: 0, newLines: 0, changes: [change] });
  });
  return hunks.map(headed);
}

function headed({ changes }: Hunk): Hunk {
  const old = changes.flatMap((one) => (one.type === "insert" ? [] : one.type === "normal" ? one.oldLineNumber : one.lineNumber));
  const now = changes.flatMap((one) => (one.type === "delete" ? [] : one.type === "normal" ? one.newLineNumber : one.lineNumber));
  const [oldStart, newStart] = [old[0] ?? 0, now[0] ?? 0];
  const content = `@@ -${oldStart},${old.length} +${newStart},${now.length} @@`;
  return { content, oldStart, newStart, oldLines: old.length, newLines: now.length, changes };
}
