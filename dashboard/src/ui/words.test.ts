import { expect, test } from "vitest";
import { runWord, whyOf } from "./words";

const run = { state: "working" as const, paused: true, questions: [] };

test("a run that a stop order halts is halted, not paused", () => {
  expect(runWord(run).text).toBe("Paused");
  expect(runWord({ ...run, reason: { code: "halted", by: "did:key:z6MkAda", what: "the whole org", why: "A leak." } }).text).toBe("Halted");
});

test("a reason speaks of a checkpoint only where there is one", () => {
  const failed = "It broke: no. Its work so far is in the run's checkpoint; run the task again to go on from there.";
  expect(whyOf(failed, { checkpoint: "abc" })).toBe(failed);
  expect(whyOf(failed, undefined)).toBe(failed);
  const none = { checkpoint: null };
  expect(whyOf(failed, none)).toBe("It broke: no. Run the task again.");
  expect(whyOf("Stopped by ada. Its work is in the checkpoint.", none)).toBe("Stopped by ada.");
  expect(whyOf("It was ended. Its work is in the checkpoint; raise limits.silence_s in x.", none)).toBe(
    "It was ended. Raise limits.silence_s in x.",
  );
  expect(whyOf("It took long. Its work is in the checkpoint; run the task again to go on, or raise limits.wall_s.", none)).toBe(
    "It took long. Run the task again, or raise limits.wall_s.",
  );
});

test("checks that found something wrong are not done well", () => {
  const check = { name: "test", passed: false, exit_code: 1, duration_ms: 1 } as never;
  expect(runWord({ state: "done", paused: false, questions: [], class: "ci", checks: [check] }).text).toBe("Checks failed");
  expect(runWord({ state: "done", paused: false, questions: [], class: "agent", checks: [check] }).text).toBe("Done");
});
