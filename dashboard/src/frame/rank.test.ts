import { expect, it } from "vitest";
import { rank } from "./rank";

const items = [
  { kind: "Page", title: "Tasks" },
  { kind: "Task", title: "T012 Write the login form", hint: "Ready · 001-login" },
  { kind: "Task", title: "T001 Set up", hint: "Merged · 001-login" },
  { kind: "Run", title: "T012 · run 9MCY3N", hint: "Failed · builder" },
];
const titles = (query: string) => rank(query, items, 10).map((i) => i.title);

it("finds by every word, wherever it stands, best first", () => {
  expect(titles("t012")).toEqual(["T012 · run 9MCY3N", "T012 Write the login form"]);
  expect(titles("login write")).toEqual(["T012 Write the login form"]);
  expect(titles("failed run")[0]).toBe("T012 · run 9MCY3N");
  expect(titles("tasks")[0]).toBe("Tasks");
  expect(titles("nowhere")).toEqual([]);
});

it("finds letters in order, but not a single word's letters all over", () => {
  expect(titles("lgnfrm")).toContain("T012 Write the login form");
});

it("shows the beginning where nothing was typed, and never more than asked for", () => {
  expect(rank("", items, 2)).toEqual(items.slice(0, 2));
});
