import { describe, expect, it } from "vitest";
import { said } from "./started";

const run = { task: "T001", run: "01JZZZZZZZZZZZZZZZZZWRK001" };

describe("tasks that were given to an agent", () => {
  it("needs no words where all of them were queued", () => {
    expect(said({ seq: 1, runs: [run], skipped: [], notices: [] })).toBeUndefined();
  });

  it("tells what was left out and what keeps the rest", () => {
    expect(
      said({ seq: 1, runs: [run], skipped: [{ task: "T002", why: "It is done." }], notices: ["The project has no runs left today."] }),
    ).toEqual({ tone: "good", title: "1 run queued", text: "T002: It is done. The project has no runs left today." });
  });

  it("says that nothing was queued", () => {
    expect(said({ seq: 1, runs: [], skipped: [{ task: "T002", why: "It is done." }], notices: [] })).toMatchObject({
      tone: "bad",
      title: "Nothing was queued",
    });
  });
});
