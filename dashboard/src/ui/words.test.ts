import { expect, test } from "vitest";
import { runWord } from "./words";

const run = { state: "working" as const, paused: true, questions: [] };

test("a run that a stop order halts is halted, not paused", () => {
  expect(runWord(run).text).toBe("Paused");
  expect(runWord({ ...run, reason: { code: "halted", by: "did:key:z6MkAda", what: "the whole org", why: "A leak." } }).text).toBe("Halted");
});
