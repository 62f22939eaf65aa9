import { expect, test } from "vitest";
import { inOrder, type Verdict, wordOf } from "./verdicts";

const verdict = (name: string, place?: number) => ({ device: `did:${name}`, name, place }) as Verdict;

test("who has it comes first, then who would be asked, last who cannot", () => {
  const devices = [verdict("zoe"), verdict("anna"), verdict("desk", 2), verdict("mac", 1), verdict("held")];
  const names = (device?: string) => inOrder({ devices, device }).map(({ name }) => name);
  expect(names()).toEqual(["mac", "desk", "anna", "held", "zoe"]);
  expect(names("did:held")).toEqual(["held", "mac", "desk", "anna", "zoe"]);
});

test("each device has a word", () => {
  const held = { device: "did:a" };
  expect(wordOf(held, { device: "did:a", state: "placing" }).text).toBe("Is asked");
  expect(wordOf(held, { device: "did:a", state: "working" }).text).toBe("Has it");
  expect(wordOf(held, { device: "did:a", state: "lost" }).text).toBe("Had it");
  expect(wordOf({ device: "did:b", place: 1 }, { device: "did:a", state: "working" }).text).toBe("First choice");
  expect(wordOf({ device: "did:b", place: 3 }, {}).text).toBe("Choice 3");
  expect(wordOf({ device: "did:b" }, {}).text).toBe("Cannot now");
});
