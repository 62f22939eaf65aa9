import { expect, test } from "vitest";
import { away, type Copy, knownOf, type OfRun, toldBy } from "./asOf";
import { asOf } from "./words";

const copy = (device: string, reachable: boolean, as_of?: number) => ({ device, here: false, reachable, as_of }) as Copy;
const run = (more: Partial<OfRun>): OfRun => ({ state: "working", told: null, ...more });
const told = { device: "b", seq: 4, heard_at: 70 };

test("what a device tells that is reached needs no mark", () => {
  expect(toldBy(undefined)).toBeUndefined();
  expect(toldBy({ device: "b", as_of: 50, reachable: true })).toBeUndefined();
  expect(toldBy({ device: "b", as_of: 50, reachable: false })).toEqual({ device: "b", at: 50 });
  expect(toldBy({ device: "b", reachable: false })).toEqual({ device: "b", at: null });
  expect(toldBy({ device: "b", as_of: 50, reachable: false, removed: true })).toBeUndefined();
});

test("a run that goes on at a device which is away is known as of what that told last", () => {
  expect(knownOf(run({ told }), [copy("b", true)])).toBeUndefined();
  expect(knownOf(run({ told }), [copy("b", false)])).toEqual({ device: "b", at: 70 });
  expect(knownOf(run({ told, state: "done" }), [copy("b", false)])).toBeUndefined();
  expect(knownOf(run({ told, whose: { device: "c", as_of: 9, reachable: false } }), [])).toEqual({ device: "c", at: 9 });
});

test("of a run at a device which is away it is known until when it is waited for, where that is said", () => {
  const away = { device: "b", as_of: 70, reachable: false, until: 90 };
  expect(knownOf(run({ told, away }), [copy("b", false)])).toEqual({ device: "b", at: 70, until: 90 });
  expect(knownOf(run({ told, away }), [copy("b", true)])).toBeUndefined();
});

test("devices that are away come in the order of how old their word is, and this one is never away", () => {
  const here = { ...copy("a", true), here: true };
  expect(away([here, copy("b", false, 9), copy("c", true, 1), copy("d", false)]).map(({ device }) => device)).toEqual(["d", "b"]);
});

test("a moment of today is a time, one of another day has its day", () => {
  const noon = new Date(2026, 4, 6, 12, 0).getTime();
  expect(asOf(new Date(2026, 4, 6, 9, 5).getTime(), noon)).toBe("09:05");
  expect(asOf(new Date(2026, 4, 5, 9, 5).getTime(), noon)).toMatch(/5.*, 09:05$/);
});
