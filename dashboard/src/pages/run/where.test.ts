import { expect, test } from "vitest";
import { refusal, savedWords, whyThere } from "./where";

const [here, there] = ["did:key:z6MkHere", "did:key:z6MkThere"];

test("why a run is where it is, as far as that is known", () => {
  expect(whyThere({ on: there, device: there })).toContain("named");
  expect(whyThere({ on: null, device: here, refused: [{ device: there, reasons: [], at: 1 }] })).toContain("did not refuse");
  expect(whyThere({ on: null, device: there })).toBe("it suited best when it was placed");
});

test("of a checkpoint that lies where the run was it is said what has arrived", () => {
  expect(savedWords({})).toBeUndefined();
  expect(savedWords({ checkpoint: "c1", held: "c1" })).toBe("c1");
  expect(savedWords({ checkpoint: "c2", held: "c1" })).toContain("c1 of before has arrived");
  expect(savedWords({ checkpoint: "c2" })).toContain("it has not arrived");
});

test("only what devices said is a refusal", () => {
  const message = "vm: All its 2 slots are taken.";
  expect(refusal({ code: "waits_for_room", message })).toBe(message);
  expect(refusal({ code: "refused", message })).toBe(message);
  expect(refusal({ code: "waits_for", tasks: ["T001"] })).toBeUndefined();
  expect(refusal(null)).toBeUndefined();
});
