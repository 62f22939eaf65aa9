import { expect, test } from "vitest";
import { foundBy, foundOf, rebuiltWords } from "./verified";

type Verified = Parameters<typeof foundBy>[0];

const sound: Verified = {
  sound: true,
  device: "did:a",
  events: 12,
  unknown: 0,
  signatures: 3,
  incarnations: 1,
  bad: null,
  blobs: 2,
  bad_blobs: [],
  more_bad_blobs: 0,
  lost_blobs: 0,
  mends: [],
  copies: [],
};
const copy = { device: "did:b", sound: true, events: 5, signatures: 2, incarnations: 1, bad: null, kept_out: null };

test("a copy that is not sound is told, and is not taken for this device's own journal", () => {
  expect(foundBy(sound)).toMatchObject({ tone: "good", title: "The journal is sound." });
  expect(foundBy({ ...sound, copies: [copy] }).title).toBe("The journal is sound. So is the copy of the other device's.");
  const found = { ...sound, copies: [copy, { ...copy, device: "did:c", sound: false, kept_out: "It forked." }] };
  expect(foundBy(found)).toMatchObject({ tone: "bad", title: "This device's journal is sound; 1 of 2 copies of others is not." });
  expect(foundOf("did:a", found)?.word.text).toBe("Sound");
  expect(foundOf("did:b", found)).toEqual({ word: { text: "Sound", tone: "good" }, text: "5 events, 2 signatures" });
  expect(foundOf("did:c", found)).toEqual({ word: { text: "Not sound", tone: "bad" }, text: "It forked." });
});

test("the first wrong event is named, and blobs that are missing", () => {
  expect(foundBy({ ...sound, sound: false, bad: { seq: 7, why: "Its hash differs." } })).toMatchObject({
    title: "Event 7 is not sound.",
    text: "Its hash differs.",
  });
  const lost = { ...sound, sound: false, bad_blobs: [{ hash: "h", seq: 2, why: "It is missing." }], more_bad_blobs: 4 };
  expect(foundBy(lost).title).toBe("5 blobs missing or altered.");
  expect(foundOf("did:a", lost)?.text).toBe("5 blobs missing or altered.");
});

test("nothing is said of what nobody checked", () => {
  expect(foundOf("did:a", undefined)).toBeUndefined();
  expect(foundOf("did:x", sound)).toBeUndefined();
});

test("what is made anew from the journal says what was otherwise", () => {
  expect(rebuiltWords({ events: 12, unknown: 0, differences: 0 })).toEqual({
    title: "Made anew from 12 events.",
    text: "Nothing was otherwise before.",
  });
  expect(rebuiltWords({ events: 1, unknown: 2, differences: 3 }).text).toBe(
    "3 things did not stand as the journal says. 2 of the events were written by a newer Meshwork, and changed nothing.",
  );
});
