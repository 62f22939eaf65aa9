import { expect, test } from "vitest";
import { factsOf, titleOf } from "./event";

const who = (did: string) => ({ name: did === "did:key:z6Ada" ? "ada" : did, member: true, bot: false });
const texts = (event: object) => factsOf(event as Parameters<typeof factsOf>[0], who).map(({ text }) => text);

test("an event is told by its title and short facts", () => {
  const event = {
    type: "agent_set",
    version: 1,
    at: 1,
    actor: "did:key:z6Mk",
    agent: "builder",
  } as unknown as Parameters<typeof titleOf>[0];
  expect(titleOf(event)).toBe("Agent set");
  expect(texts(event)).toEqual(["agent builder"]);
});

test("inner things are told by their names, empty ones not at all", () => {
  const event = { type: "x", version: 1, at: 1, actor: "a", run: { id: "01R", other: 1 }, task: { project: "p", task: "T001" }, why: null };
  expect(texts(event)).toEqual(["run 01R", "task T001"]);
});

test("runs and keys are told by their names, and keep their ids", () => {
  const id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const run = { id, task: { project: "p", feature: "001-f", task: "T004" } };
  const event = { type: "x", version: 1, at: 1, actor: "a", run, member: "did:key:z6Ada", reason: "tired" };
  expect(factsOf(event as unknown as Parameters<typeof factsOf>[0], who)).toEqual([
    { text: "run T004 9G5FAV", raw: `run T004 ${id}` },
    { text: "member ada", raw: "member did:key:z6Ada" },
    { text: "reason tired" },
  ]);
  expect(texts({ type: "x", version: 1, at: 1, actor: "a", run: id })).toEqual(["run 9G5FAV"]);
});

test("what is left to do after lines of a key were joined is told", () => {
  const event = { type: "line_rejoined", version: 1, at: 1, actor: "a", key: "did:key:z6Ada", aside: ["a", "b"], review_again: ["c1"] };
  expect(texts(event)).toEqual(["key ada", "aside a, b", "review again c1"]);
});
