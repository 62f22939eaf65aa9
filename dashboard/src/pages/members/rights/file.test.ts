import { expect, test } from "vitest";
import { goodName, lineIn, withFile } from "./file";

test("a line is found in its text, and one beyond the end is the last", () => {
  const text = "one\n\nthree";
  const of = (line: number) => text.slice(...lineIn(text, line));
  expect([1, 2, 3, 9, 0].map(of)).toEqual(["one", "", "three", "three", "one"]);
});

test("the files are checked as they would be", () => {
  const files = [
    { path: "policy/a.cedar", text: "old" },
    { path: "policy/b.cedar", text: "b" },
  ];
  expect(withFile(files, "policy/a.cedar", "new").map(({ text }) => text)).toEqual(["b", "new"]);
  expect(withFile(files, "policy/c.cedar", "c")).toHaveLength(3);
});

test.each(["team.cedar", "my-team_2.cedar"])("%s is a name", (name) => expect(goodName(name)).toBe(true));
test.each(["", ".cedar", "team", "../team.cedar", "a b.cedar"])("“%s” is none", (name) => expect(goodName(name)).toBe(false));
