import { expect, test } from "vitest";
import { forPage, priorityWord, runWord, tagsOf, tagsText } from "./words";

const run = { stands: "working" as const, questions: [] };

test("where a run stands is told, and that it asks where an answer helps", () => {
  const questions = [{ id: "q1", title: "write answer.txt", options: [] }];
  const words = (["working", "paused", "frozen", "halted", "ending"] as const).map((stands) => [
    runWord({ ...run, stands }).text,
    runWord({ ...run, stands, questions }).text,
  ]);
  expect(words).toEqual([
    ["Working", "Asks"],
    ["Paused", "Asks"],
    ["Frozen", "Asks"],
    ["Halted", "Halted"],
    ["Ending", "Ending"],
  ]);
});

test("checks that found something wrong are not done well", () => {
  const check = { name: "test", passed: false, exit_code: 1, duration_ms: 1 } as never;
  expect(runWord({ ...run, stands: "done", class: "ci", checks: [check] }).text).toBe("Checks failed");
  expect(runWord({ ...run, stands: "done", class: "agent", checks: [check] }).text).toBe("Done");
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
