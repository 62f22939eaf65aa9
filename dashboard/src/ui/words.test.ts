import { expect, test } from "vitest";
import { priorityWord, runWord, tagsOf, tagsText } from "./words";

const run = { state: "working" as const, paused: true, questions: [] };

test("a run that a stop order halts is halted, not paused", () => {
  expect(runWord(run).text).toBe("Paused");
  expect(runWord({ ...run, reason: { code: "halted", by: "did:key:z6MkAda", what: "the whole org", why: "A leak." } }).text).toBe("Halted");
});

test("checks that found something wrong are not done well", () => {
  const check = { name: "test", passed: false, exit_code: 1, duration_ms: 1 } as never;
  expect(runWord({ state: "done", paused: false, questions: [], class: "ci", checks: [check] }).text).toBe("Checks failed");
  expect(runWord({ state: "done", paused: false, questions: [], class: "agent", checks: [check] }).text).toBe("Done");
});

test("a priority is told where it is not as that of most work", () => {
  expect([undefined, "normal", "high", "low"].map((one) => priorityWord(one as "low"))).toEqual([undefined, undefined, "High", "Low"]);
});

test("tags are read as a person writes them, and written so", () => {
  expect(tagsOf(" gpu region:eu, zone:a:b ")).toEqual({ gpu: "true", region: "eu", zone: "a:b" });
  expect([tagsText({ gpu: "true", region: "eu" }), tagsText(undefined)]).toEqual(["gpu:true region:eu", ""]);
});
