import { expect, test } from "vitest";
import {
  answered,
  bareTitle,
  type Comment,
  changedAt,
  described,
  lineOf,
  makerOf,
  type Patch,
  type Review,
  type Run,
  waitsFor,
} from "./facts";

const review = (by: string, verdict: Review["verdict"], at = 5): Review => ({ by, verdict, summary: "", at, comments: [] });

function patch(reviews: Review[], more: Partial<Patch> = {}): Patch {
  const revision = { id: "r2", author: "run key", head: "h2", base: "b", at: 2, description: "", reviews, comments: [] };
  const earlier = { ...revision, id: "r1", head: "h1", at: 1, reviews: [review("ada", "reject", 1)] };
  return {
    id: "p",
    project: "demo",
    title: "T001: Greet",
    description: "",
    state: "open",
    standing: "to_review",
    author: "run key",
    head: "h2",
    base: "b",
    revisions: [earlier, revision],
    ...more,
  };
}

test("a patch waits for whoever may take its next step", () => {
  const ada = { key: "ada", reviews: true, merges: true, runs: true };
  expect(waitsFor(patch([]), ada)).toBe(true);
  expect(waitsFor(patch([]), { ...ada, reviews: false })).toBe(false);
  const accepted = (by: string) => patch([review(by, "accept")], { standing: "to_merge" });
  expect(waitsFor(accepted("ada"), { ...ada, merges: false })).toBe(false);
  expect(waitsFor(accepted("ada"), ada)).toBe(true);
  expect(waitsFor(patch([review("ada", "accept")]), ada)).toBe(false);
  expect(waitsFor(accepted("bob"), { ...ada, merges: false }), "no review is missing").toBe(false);
  expect(waitsFor(patch([review("ada", null)]), ada)).toBe(true);
  const refused = patch([review("bob", "reject")], { standing: "changes_requested" });
  expect(waitsFor(refused, ada)).toBe(true);
  expect(waitsFor(refused, { ...ada, runs: false })).toBe(false);
  expect(waitsFor({ ...accepted("ada"), standing: "checks_failed" }, { ...ada, runs: false })).toBe(false);
  expect(waitsFor(patch([], { state: "archived" }), ada)).toBe(false);
});

test("a revision's run is known by its key, not by what the patch says", () => {
  const run = { id: "x", revision: "r2", key: "run key", commit: "h2" } as Run;
  const latest = patch([]).revisions[1];
  expect(makerOf(latest, [run])).toBe(run);
  expect(makerOf(latest, [{ ...run, key: "another" }])).toBeUndefined();
  expect(makerOf(latest, [{ ...run, commit: "h1" }])).toBeUndefined();
  expect(makerOf(latest, undefined)).toBeUndefined();
});

test("texts are shown without what is there for machines or terminals", () => {
  expect(described('Made by x.\n\n```meshwork-trace\n{\n "a": 1\n}\n```\n')).toBe("Made by x.");
  expect(described("It passed.\n\n```meshwork-judged\n{}\n```\n")).toBe("It passed.");
  expect(described("Plain ```code``` stays.")).toBe("Plain ```code``` stays.");
  expect(bareTitle({ title: "T001: Greet", trace: { task: { task: "T001" } } as Patch["trace"] })).toBe("Greet");
  expect(bareTitle({ title: "T001: Greet" })).toBe("T001: Greet");
  expect(changedAt(patch([review("ada", null, 9)]))).toBe(9);
});

test("an answer is about the line of what it answers; a plain comment hangs on the first and is none", () => {
  const at = { path: "x", line: 3, side: "new" as const };
  const say = (id: string, reply_to?: string, line?: Comment["line"]): Comment => ({ id, reply_to, line, by: "ada", body: id, at: 1 });
  const [first, plain, onLine, answer, further, lost] = [
    say("first"),
    say("plain", "first"),
    say("onLine", "first", at),
    say("answer", "onLine"),
    say("further", "answer"),
    say("lost", "nowhere"),
  ] as [Comment, Comment, Comment, Comment, Comment, Comment];
  const revision = { ...patch([]).revisions[0], comments: [first, plain, onLine, answer, further, lost] } as Patch["revisions"][0];
  expect(revision.comments.map((one) => answered(one, revision)?.id)).toEqual([
    undefined,
    undefined,
    undefined,
    "onLine",
    "answer",
    undefined,
  ]);
  expect(revision.comments.map((one) => lineOf(one, revision)?.line)).toEqual([undefined, undefined, 3, 3, 3, undefined]);
});
