import { expect, test } from "vitest";
import { fresh, keyOf, wish } from "./notifications";

const item = (run: string, since = 1) => ({
  kind: "failed" as const,
  heading: "A run failed",
  run,
  why: "",
  since,
  project: "p",
  task: null,
  title: "t",
});

test("only what is new is told, and a second failure of a task is new", () => {
  const seen = new Set([keyOf(item("a"))]);
  expect(fresh(seen, [item("a"), item("b")]).map((i) => "run" in i && i.run)).toEqual(["b"]);
  expect(fresh(seen, [item("a", 2)])).toHaveLength(1);
});

test("that a patch can be merged by now is new", () => {
  const patch = { kind: "review" as const, heading: "A patch", patch: "p1", since: 1, project: "p", task: null, title: "t" };
  const seen = new Set([keyOf({ ...patch, standing: "gate_shut" })]);
  expect(fresh(seen, [{ ...patch, standing: "gate_shut" }])).toHaveLength(0);
  expect(fresh(seen, [{ ...patch, standing: "to_merge" }])).toHaveLength(1);
});

test("without a secure context notifications are impossible", () => {
  Object.defineProperty(window, "isSecureContext", { value: false, configurable: true });
  expect(wish()).toBe("impossible");
});
