import { expect, test } from "vitest";
import type { Change, Hunk } from "./parse";
import { PIECE_ROWS, paired, pieces } from "./pieces";
import { inOrder, treeOf } from "./tree";

const removed = (lineNumber: number): Change => ({ type: "delete", isDelete: true, content: `-${lineNumber}`, lineNumber });
const added = (lineNumber: number): Change => ({ type: "insert", isInsert: true, content: `+${lineNumber}`, lineNumber });
const same = (n: number): Change => ({ type: "normal", isNormal: true, content: ` ${n}`, oldLineNumber: n, newLineNumber: n });
const hunk = (changes: Change[]): Hunk => ({ content: "@@ x @@", oldStart: 1, newStart: 1, oldLines: 1, newLines: 1, changes });
const text = (changes: Change[]) => changes.map((change) => change.content).join(" ");

test("side by side each removed line stands before the added one that takes its place", () => {
  expect(text(paired([same(1), removed(2), removed(3), removed(4), added(2), added(3), same(5), added(9)]))).toBe(
    " 1 -2 +2 -3 +3 -4  5 +9",
  );
  expect(text(paired([removed(1), added(1), added(2)]))).toBe("-1 +1 +2");
});

test("a long hunk comes in pieces: nothing is lost or doubled, no pair is torn", () => {
  const count = PIECE_ROWS * 2 + 7;
  const lines = [
    same(0),
    ...Array.from({ length: count }, (_, n) => removed(n + 1)),
    ...Array.from({ length: count }, (_, n) => added(n + 1)),
  ];
  for (const split of [true, false]) {
    const parts = pieces(hunk(lines), split);
    const all = parts.flatMap((part) => part.changes);
    expect(text(all)).toBe(text(split ? paired(lines) : lines));
    expect(parts.every((part) => part.changes.length <= PIECE_ROWS + 1)).toBe(true);
    expect(new Set(parts.map((part) => part.content)).size).toBe(parts.length);
  }
  for (const part of pieces(hunk(lines), true).slice(1)) expect(part.changes[0]?.type).toBe("delete");
});

test("folders that hold but one folder are one; files come as the tree shows them", () => {
  const file = (path: string) => ({ path, from: path, kind: "changed" as const, binary: false, hunks: [], added: 0, removed: 0 });
  const tree = treeOf(["a/b/c/x", "a/b/c/y", "top", "d/e", "d/f/g"].map(file));
  expect(tree.folders.map((folder) => folder.name)).toEqual(["a/b/c", "d"]);
  expect(inOrder(tree).map((one) => one.path)).toEqual(["a/b/c/x", "a/b/c/y", "d/f/g", "d/e", "top"]);
});
