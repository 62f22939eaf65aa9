import { expect, test } from "vitest";
import type { Found } from "../rank";
import { type Completion, completed, fitting, optionsOf, usual } from "./options";

const found = (kind: string, title: string): Found => ({ id: `${kind} ${title}`, kind, title, go: () => undefined });
const all = [
  found("Page", "Stop orders"),
  found("Do", "Stop everything"),
  found("Page", "Settings"),
  found("Page", "Runs"),
  found("Task", "T004 Greet in German"),
  found("Run", "T004 · run ABC123"),
  found("Patch", "stop everything"),
  found("Patch", "add a bye"),
  found("Look", "Look dark"),
];
const word = (from: number, to: number, insert: string): Completion => ({ from, to, insert, label: insert, what: "", kind: "word" });

/** What Enter takes. */
function taken(text: string, completions: Completion[] = []): string | undefined {
  const options = optionsOf(text, completions, all);
  return options[usual(options, text)]?.id;
}

test.each([
  ["settings", "Page Settings"],
  ["T004", "Task T004 Greet in German"],
  ["look dark", "Look Look dark"],
  ["t004 greet", "Task T004 Greet in German"],
  ["run T004", "ask"],
  ["why is T004 waiting?", "ask"],
  ["T004?", "ask"],
  ["undo", "ask"],
  ["xyzzy", "ask"],
])("“%s” and Enter: %s", (text, id) => expect(taken(text)).toBe(id));

test("a patch's title, which others write, never takes the place of a sentence", () => {
  expect(taken("add a bye")).toBe("ask");
});

test("a deed comes first, and so does a task that is called exactly so", () => {
  expect(optionsOf("stop", [], all).map((one) => one.id)).toEqual([
    "Do Stop everything",
    "ask",
    "Page Stop orders",
    "Patch stop everything",
  ]);
  expect(taken("stop")).toBe("Do Stop everything");
  expect(taken("greet in german")).toBe("Task T004 Greet in German");
  expect(taken("greet in")).toBe("ask");
});

test("a scrap of a word is not offered", () => {
  expect(optionsOf("stop everything ", [word(16, 16, "on")], all).some((one) => one.kind === "complete")).toBe(false);
});

test("nothing is chosen before anything is written", () => {
  expect(taken("")).toBeUndefined();
  expect(taken("  ")).toBeUndefined();
});

test("completions stand between asking and what was found, and a whole sentence is not offered again", () => {
  const ids = optionsOf("run T004", [word(4, 8, "T004"), word(4, 8, "T0041")], all).map((one) => one.id);
  expect(ids.slice(0, 3)).toEqual(["ask", "complete T0041", "Run T004 · run ABC123"]);
});

test("a completion replaces the word that was begun, and leaves room for the next", () => {
  expect(completed("run T0", word(4, 6, "T004"))).toBe("run T004 ");
  expect(completed("run T0 on x", word(4, 6, "T004"))).toBe("run T004 on x");
  expect(completed("add ", word(4, 4, "task: "))).toBe("add task: ");
});

test("completions of the letter before count until those of this one are there", () => {
  const known = [word(4, 5, "T004"), word(4, 5, "them")];
  expect(fitting(known, "run T", "run T0")).toEqual([word(4, 6, "T004")]);
  expect(fitting(known, "run T", "run T")).toHaveLength(2);
  expect(fitting(known, "run T", "why T")).toEqual([]);
});
