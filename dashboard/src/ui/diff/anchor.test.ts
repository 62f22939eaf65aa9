import { expect, test } from "vitest";
import { type LineRef, lineOn, readRef, refOf, rowAt, rowKey, writeRef } from "./anchor";
import { type DiffFile, parse } from "./parse";

const [file] = parse(`diff --git a/was.txt b/is.txt
similarity index 90%
rename from was.txt
rename to is.txt
--- a/was.txt
+++ b/is.txt
@@ -10,4 +20,5 @@
 ten
-eleven
+new one
+new two
 twelve
 thirteen
`).files as [DiffFile];

const row = (at: Partial<LineRef>) => {
  const found = rowAt(file, { path: "is.txt", side: "new", line: 0, ...at });
  return found && `${rowKey(found)} ${found.content}`;
};

test("a line is found on its own side", () => {
  expect(row({ side: "new", line: 21 })).toBe("I21 new one");
  expect(row({ side: "old", line: 11 })).toBe("D11 eleven");
  expect(row({ side: "old", line: 12 })).toBe("N12 twelve");
  expect(row({ side: "new", line: 23 })).toBe("N12 twelve");
  expect(row({ side: "new", line: 11 })).toBeUndefined();
  expect(row({ side: "old", line: 21 })).toBeUndefined();
  expect(row({ side: "new", line: 25 })).toBeUndefined();
});

test("a renamed file has its former name on the old side, and its new one on both", () => {
  expect(refOf(file, "old", 11)).toEqual({ path: "was.txt", side: "old", line: 11 });
  expect(refOf(file, "new", 21)).toEqual({ path: "is.txt", side: "new", line: 21 });
  expect(row({ path: "was.txt", side: "old", line: 11 })).toBe("D11 eleven");
  expect(row({ path: "was.txt", side: "new", line: 21 })).toBeUndefined();
});

test("every row's line leads back to that row", () => {
  for (const change of file.hunks.flatMap((hunk) => hunk.changes)) {
    for (const side of ["old", "new"] as const) {
      const line = lineOn(change, side);
      if (line !== undefined) expect(rowAt(file, refOf(file, side, line))).toBe(change);
    }
  }
  expect(file.hunks.flatMap((hunk) => hunk.changes).map((change) => lineOn(change, "new"))).toEqual([20, undefined, 21, 22, 23, 24]);
});

test("a line in an address is read as it was written; other text is none", () => {
  const at: LineRef = { path: "a:b/c d.rs", side: "old", line: 7 };
  expect(readRef(writeRef(at))).toEqual(at);
  for (const text of [undefined, "", "new:x:a", "up:1:a", "new:1:"]) expect(readRef(text)).toBeUndefined();
});
