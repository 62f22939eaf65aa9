import { expect, test } from "vitest";
import { answersIn, describe, described, goingOn, reachWord } from "./devices";
import { around, DRAWN_MAX, NODE } from "./reach";

type Pod = Parameters<typeof goingOn>[1][number];
type Run = Parameters<typeof goingOn>[2][number];

const task = { project: "web", feature: "001-work", task: "T001" };
const pod = { run: "01AAAAAA11", task, class: "agent", state: "working" } as Pod;
const run = (id: string, device: string, state: Run["state"]) => ({ id, device, state, task: null }) as Run;

test("here everything that runs counts; elsewhere what this device knows of", () => {
  const runs = [run("01BBBBBB22", "b", "working"), run("01CCCCCC33", "b", "done"), run("01DDDDDD44", "c", "working")];
  expect(goingOn({ did: "a", here: true }, [pod], runs)).toEqual([{ run: "01AAAAAA11", name: "T001 · AAAA11" }]);
  expect(goingOn({ did: "b", here: false }, [pod], runs)).toEqual([{ run: "01BBBBBB22", name: "Checks · BBBB22" }]);
});

test("a device that did not answer is not called reached", () => {
  expect(reachWord({ here: false, reachable: false }).text).toBe("Not reached");
  expect(reachWord({ here: false, reachable: false, halted: "the device box" }).text).toBe("Cut off");
  expect(reachWord({ here: true, reachable: true }).text).toBe("This device");
});

test("how long a device takes is told where it is known", () => {
  expect([undefined, null, 0, 24].map(answersIn)).toEqual([undefined, undefined, "answers in less than 1 ms", "answers in 24 ms"]);
});

test.each([1, 2, 7, DRAWN_MAX - 1])("%i devices stand around this one, none on another", (count) => {
  const all = [{ x: 0, y: 0 }, ...around(count)];
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) {
      expect(Math.abs(one.x - other.x) >= NODE.width || Math.abs(one.y - other.y) >= NODE.height).toBe(true);
    }
  }
});

test("of what the org says of a device only that is sent which was changed; an empty value takes a promise back", () => {
  const device = { name: "box", did: "did:key:a", owner: "ada", addresses: ["box:7001", "10.0.0.1:7001"], tags: { region: "eu" } };
  const was = describe(device);
  expect(described(device, was)).toEqual({});
  expect(described(device, { ...was, name: " tower ", addresses: "tower:7001" })).toEqual({ name: "tower", addresses: ["tower:7001"] });
  expect(described(device, { ...was, tags: "compliance:restricted" })).toEqual({ tags: { compliance: "restricted", region: "" } });
});
