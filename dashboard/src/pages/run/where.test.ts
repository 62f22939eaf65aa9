import { expect, test } from "vitest";
import { refusal, whyThere } from "./where";

const [here, there] = ["did:key:z6MkHere", "did:key:z6MkThere"];

test("why a run is where it is, as far as that is known", () => {
  expect(whyThere({ on: there, device: there })).toContain("named");
  expect(whyThere({ on: null, device: here, refused: [{ device: there, reasons: [], at: 1 }] })).toContain("did not refuse");
  expect(whyThere({ on: null, device: there })).toBe("it suited best when it was placed");
});

test("only what devices said is a refusal", () => {
  const message = "vm: All its 2 slots are taken.";
  expect(refusal({ code: "waits_for_room", message })).toBe(message);
  expect(refusal({ code: "refused", message })).toBe(message);
  expect(refusal({ code: "waits_for", tasks: ["T001"] })).toBeUndefined();
  expect(refusal(null)).toBeUndefined();
});
