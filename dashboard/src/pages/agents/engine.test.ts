import { expect, test } from "vitest";
import { draftOf, engineText, fresh, inputOf } from "./engine";

test("an agent goes through the form unchanged", () => {
  const agent = {
    name: "cleaner",
    engine: { kind: "command" as const, command: "npx prettier -w ." },
    answers: "did:key:z6Mk",
    budget: { tokens: 5, calls: 2, money: "1.50" },
    permissions: "ask" as const,
    needs: [],
    used: { calls: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0 },
  };
  expect(inputOf(draftOf(agent))).toMatchObject({
    name: "cleaner",
    engine: "command",
    command: "npx prettier -w .",
    tokens: 5,
    calls: 2,
    money: "1.50",
  });
  expect(engineText(agent.engine)).toBe("command: npx prettier -w .");
});

test("what an engine does not take is not sent", () => {
  const typed = { ...fresh, name: " fixer ", model: "m-1", base_url: "http://x", credential: "k", command: "left over" };
  expect(inputOf(typed)).toMatchObject({ name: "fixer", command: null, model: "m-1", tokens: null });
  expect(inputOf({ ...typed, engine: "command" })).toMatchObject({ command: "left over", model: null, credential: null });
});
