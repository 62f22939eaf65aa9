import { expect, test } from "vitest";
import { forPage, priorityWord, runWord, tagsOf, tagsText } from "./words";

const run = { state: "working" as const, paused: true, questions: [] };

test("a run that a stop order halts is halted, not paused, and what its device froze is neither", () => {
  expect(runWord({ ...run, paused_by: "did:key:z6MkAda" }).text).toBe("Paused");
  expect(runWord(run).text).toBe("Frozen");
  expect(runWord({ ...run, reason: { code: "halted", by: "did:key:z6MkAda", what: "the whole org", why: "A leak." } }).text).toBe("Halted");
});

test("a run whose end could not be written does not look as if it worked", () => {
  const reason = { code: "end_unwritten" as const, device: "did:key:z6MkBob", message: "The disk is full." };
  expect(runWord({ ...run, reason }).text).toBe("Ending");
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

test("a sentence loses its command where the page has a button, and nothing else", () => {
  expect(forPage("It has 0 of 1 approvals: `meshwork patch review <patch> --accept` gives one.")).toBe("It has 0 of 1 approvals.");
  expect(forPage("It is being merged: the checks run on the result (meshwork run list --all shows them).")).toBe(
    "It is being merged: the checks run on the result.",
  );
  expect(forPage("A review asked for changes: meshwork task run starts the next revision. tasks.md has a circle.")).toBe(
    "A review asked for changes. tasks.md has a circle.",
  );
  expect(forPage("2 slots; meshwork lend shows when")).toBe("2 slots");
  expect(forPage("The checks have not run.")).toBe("The checks have not run.");
});
