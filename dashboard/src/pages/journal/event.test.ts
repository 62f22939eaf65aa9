import { expect, test } from "vitest";
import { factsOf, titleOf } from "./event";

test("an event is told by its title and short facts", () => {
  const event = {
    type: "agent_set",
    version: 1,
    at: 1,
    actor: "did:key:z6Mk",
    agent: "builder",
  } as unknown as Parameters<typeof titleOf>[0];
  expect(titleOf(event)).toBe("Agent set");
  expect(factsOf(event)).toBe("agent builder");
});

test("inner things are told by their names, empty ones not at all", () => {
  const event = { type: "x", version: 1, at: 1, actor: "a", run: { id: "01R", other: 1 }, task: { project: "p", task: "T001" }, why: null };
  expect(factsOf(event as unknown as Parameters<typeof titleOf>[0])).toBe("run 01R · task T001");
});
