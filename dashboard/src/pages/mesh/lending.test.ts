import { expect, test } from "vitest";
import { borrows, brokenWords, changes, edit, lentWord, minutesOf, policyWords, sensed } from "./lending";

type Policy = Parameters<typeof edit>[0];

const policy: Policy = {
  version: 1,
  guests: true,
  classes: ["agent", "ci"],
  slots: 2,
  while_present: true,
  away_after_s: 300,
  on_battery: false,
  lid_closed: false,
  hours: ["mon-fri 19:00-07:00"],
  grace_s: 30,
  saved_days: 30,
  saved_gib: 10,
  tags: { gpu: "true", os: "debian" },
};

test("only what was changed is sent, and what was taken out of the tags goes", () => {
  const was = edit(policy);
  expect(changes(policy, was)).toEqual({});
  expect(changes(policy, { ...was, guests: false, away: "10" })).toEqual({ guests: false, away_after_s: 600 });
  expect(changes(policy, { ...was, slots: "" })).toEqual({ slots: 0 });
  expect(changes(policy, { ...was, saved_days: "7", saved_gib: "20" })).toEqual({ saved_days: 7, saved_gib: 20 });
  expect(changes(policy, { ...was, ci: false, hours: " \n" })).toEqual({ classes: ["agent"], hours: [] });
  expect(changes(policy, { ...was, tags: "gpu region:eu" })).toEqual({ tags: { gpu: "true", region: "eu", os: "" } });
});

test("the policy is told in a line", () => {
  expect(policyWords(policy)).toBe(
    "It takes agents and checks of other members; 2 runs at once at most; also while you are at it; mon-fri 19:00-07:00.",
  );
  expect(policyWords({ ...policy, guests: false })).toBe("It is lent to nobody.");
  expect(policyWords({ ...policy, slots: null, while_present: false, hours: [], classes: ["ci"] })).toBe(
    "It takes checks of other members; once nobody typed for 5 min 0 s.",
  );
});

test("who may borrow, and why not", () => {
  const capacity = { classes: ["agent"] } as Parameters<typeof borrows>[0]["capacity"];
  expect(borrows({ capacity })).toMatchObject({ word: { text: "Any member" }, text: "agents" });
  expect(borrows({ capacity, reclaimed: { code: "battery" } }).text).toBe("it runs on battery");
  expect(lentWord({ reclaimed: { code: "present" } }).text).toBe("Yours alone");
  expect(lentWord({}).text).toBe("Lent");
});

test("sensors tell what they saw, and nothing where there are none", () => {
  expect(sensed({})).toEqual([]);
  expect(sensed({ idle_s: 3, on_battery: true, battery_percent: 40, lid_closed: false })).toEqual([
    "somebody is at it",
    "on battery, 40 %",
  ]);
  expect(sensed({ idle_s: 720, on_battery: false })).toEqual(["nobody typed for 12 min 0 s", "on mains"]);
});

test("without an end there are no minutes", () => {
  expect([minutesOf("open"), minutesOf("2")]).toEqual([undefined, 120]);
});

test("a policy that cannot be read: what that means, what is wrong with the file, and how it is mended", () => {
  const broken = { kind: "invalid", what: "The file lend.toml is not in order.", why: "Line 2: no.", next: "Mend it." } as const;
  const told = brokenWords({ guests: 0 }, broken);
  expect(told.what).toBe("What this machine lends cannot be read. It counts as taken back: nothing new of others is taken.");
  expect([told.why, told.next]).toEqual(["The file lend.toml is not in order. Line 2: no.", "Mend it."]);
  expect(brokenWords({ guests: 2, reclaimed: { code: "unread" } }, broken).what).toMatch(/here stay for now, unless you take it back\.$/);
  expect(brokenWords({ guests: 2, reclaimed: { code: "battery" } }, broken).what).toMatch(/here are sent away: it runs on battery\.$/);
  expect(brokenWords({ guests: 1, reclaimed: { code: "asked" } }, broken).what).toContain("are sent away, as you said");
});

test("a device whose lend policy cannot be read is not told as one that its owner wants", () => {
  const { word, text } = borrows({ reclaimed: { code: "unread" }, capacity: null });
  expect(word.text).toBe("Nobody new");
  expect(text).toContain("cannot be read");
});
