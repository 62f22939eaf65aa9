import { expect, test } from "vitest";
import { places } from "./output";

test("a line of a changed file that a check names is a place; other names stay text", () => {
  const text = "error in ./src/a.ts:12:3\nnode_modules/b.ts:1, /work/src/a.ts:7";
  expect(places(text, ["src/a.ts"])).toEqual([
    "error in ",
    { text: "./src/a.ts:12:3", path: "src/a.ts", line: 12 },
    "\nnode_modules/b.ts:1, ",
    { text: "/work/src/a.ts:7", path: "src/a.ts", line: 7 },
  ]);
  expect(places("fine", [])).toEqual(["fine"]);
});
