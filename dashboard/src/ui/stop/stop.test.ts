import { expect, test } from "vitest";
import { effectOf, halting, orderOf, type Scope, type Stop, whatOf } from "./stop";

const stop = (scope: Scope, lifted_by?: string): Stop => ({
  order: { version: 1, id: "01", org: "crew", scope, why: "It burns.", at: 1, lifts: false },
  by: "did:key:z6MkAda",
  envelope: "e",
  lifted_by,
});

const bob = { what: "member", name: "bob", keys: ["did:key:z6MkBob1"] } as const;
const laptop = { what: "device", name: "laptop", device: "did:key:z6MkLaptop" } as const;

test("an order is about a key, whatever its name is now", () => {
  const orders = [stop({ ...bob, keys: [...bob.keys] }), stop(laptop)];
  expect(halting(orders, { what: "member", name: "robert", keys: ["did:key:z6MkBob2", "did:key:z6MkBob1"] })).toBe(orders[0]);
  expect(halting(orders, { what: "member", name: "bob", keys: ["did:key:z6MkOther"] })).toBeUndefined();
  expect(halting(orders, { ...laptop, name: "old laptop" })).toBe(orders[1]);
  expect(halting(orders, { ...laptop, device: "did:key:z6MkOther" })).toBeUndefined();
});

test("one that is lifted halts nothing, and the org's is not the agent's", () => {
  expect(halting([stop({ what: "agent", name: "a" }, "did:key:z6MkAda")], { what: "agent", name: "a" })).toBeUndefined();
  expect(halting([stop({ what: "org" })], { what: "agent", name: "a" })).toBeUndefined();
  expect(halting([stop({ what: "org" })], { what: "org" })).toBeDefined();
});

test.each<[Scope, string, object]>([
  [{ what: "agent", name: "builder" }, "the agent builder", { agent: "builder", org: false }],
  [{ ...bob, keys: [...bob.keys] }, "the member bob", { member: "bob", org: false }],
  [laptop, "the device laptop", { device: "laptop", org: false }],
  [{ what: "org" }, "the whole org", { agent: null, member: null, device: null, org: true }],
])("%o is named, explained and asked for", (scope, what, asked) => {
  expect(whatOf(scope)).toBe(what);
  expect(effectOf(scope)).toMatch(/frozen.*saved.*lifted/);
  expect(orderOf(scope, "Because.")).toMatchObject({ ...asked, why: "Because." });
});
