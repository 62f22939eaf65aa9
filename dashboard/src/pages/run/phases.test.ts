import { expect, it } from "vitest";
import { stages } from "./phases";

it("shows each state once with when it began and ended", () => {
  const phases = [
    { state: "placing", at: 20 },
    { state: "queued", at: 30 },
    { state: "placing", at: 40 },
    { state: "starting", at: 50 },
    { state: "working", at: 70 },
    { state: "failed", at: 90 },
  ] as const;
  expect(stages({ state: "failed", queued_at: 10, ended_at: 90, phases: [...phases] })).toEqual([
    { state: "placing", from: 10, to: 50 },
    { state: "starting", from: 50, to: 70 },
    { state: "working", from: 70, to: 90 },
    { state: "failed", from: 90, to: 90 },
  ]);
  expect(stages({ state: "queued", queued_at: 10, ended_at: null, phases: [] })).toEqual([{ state: "queued", from: 10 }]);
});
