import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parse } from "../../ui/diff/parse";
import type * as first from "./pending";

const AT = { path: "bin/greet", side: "new" as const, line: 4 };
let store: typeof first;

/** As a page that is loaded anew: only what the browser keeps is there. */
async function reload(): Promise<void> {
  vi.resetModules();
  store = await import("./pending");
}

beforeEach(reload);
afterEach(() => localStorage.clear());

const comments = () => store.pendingOf("p").comments;

test("every letter outlives the page", async () => {
  const id = store.begin("p", "r1", AT, "echo");
  store.write("p", id, "Why");
  store.summarize("p", "r1", "Nearly.");
  await reload();
  expect(comments()).toEqual([{ ...AT, id, quote: "echo", text: "Why", open: true }]);
  expect(store.pendingOf("p")).toMatchObject({ revision: "r1", summary: "Nearly." });
  expect(store.pendingOf("other").comments).toEqual([]);
});

test("a comment that is open on a line is gone on with; a finished one leaves room for another", () => {
  const id = store.begin("p", "r1", AT, "echo");
  expect(store.begin("p", "r1", AT, "echo")).toBe(id);
  store.write("p", id, "One.");
  store.finish("p", id);
  const next = store.begin("p", "r1", AT, "echo");
  expect(next).not.toBe(id);
  store.finish("p", next);
  expect(comments().map((one) => one.text)).toEqual(["One."]);
  store.edit("p", id);
  expect(comments()[0]?.open).toBe(true);
  store.discard("p", id);
  expect(comments()).toEqual([]);
  expect(localStorage).toHaveLength(0);
});

test("what is sent: comments with a word in them, on their lines", () => {
  const id = store.begin("p", "r1", AT, "echo");
  store.begin("p", "r1", { ...AT, line: 9 }, "empty");
  store.write("p", id, " Why? ");
  store.summarize("p", "r1", " Nearly. ");
  expect(store.toSend(store.pendingOf("p"))).toEqual({ summary: "Nearly.", comments: [{ ...AT, text: "Why?" }] });
  store.forget("p");
  expect(store.toSend(store.pendingOf("p"))).toEqual({ summary: "", comments: [] });
  expect(localStorage).toHaveLength(0);
});

test("in a newer revision a comment goes to the nearest line that says the same; one whose line is gone is said in words", () => {
  const put = (line: number, quote: string, side: "old" | "new" = "new") => {
    const id = store.begin("p", "r1", { path: "bin/greet", side, line }, quote);
    store.write("p", id, `on ${quote} ${line}`);
    store.finish("p", id);
  };
  put(4, "fi");
  put(2, "echo");
  put(3, "was", "old");
  put(9, "fi");
  const { files } = parse(
    "diff --git a/bin/greet b/bin/greet\n--- a/bin/greet\n+++ b/bin/greet\n@@ -1,5 +1,8 @@\n one\n+fi\n two\n-was\n+three\n+four\n+five\n+fi\n",
  );
  store.carry("p", "r2", files);
  expect(store.pendingOf("p").revision).toBe("r2");
  expect(comments().map(({ side, line, lost }) => [side, line, lost])).toEqual([
    ["new", 2, undefined],
    ["new", 2, true],
    ["old", 3, undefined],
    ["new", 7, undefined],
  ]);
  const sent = store.toSend(store.pendingOf("p"));
  expect(sent.summary).toBe("bin/greet, line 2 (“echo”): on echo 2");
  expect(sent.comments?.map((one) => one.text)).toEqual(["on fi 4", "on was 3", "on fi 9"]);
  store.carry("p", "r3", parse("").files);
  expect(comments().every((one) => one.lost)).toBe(true);
  store.carry("p", "r4", files);
  expect(comments()[0]?.lost).toBeUndefined();
});

test("what another tab wrote is taken over", () => {
  store.begin("p", "r1", AT, "echo");
  const other = { revision: "r1", summary: "From the other tab", comments: [] };
  localStorage.setItem("meshwork.review.p", JSON.stringify(other));
  window.dispatchEvent(new StorageEvent("storage", { key: "meshwork.review.p" }));
  expect(store.pendingOf("p")).toEqual(other);
});

test("something else in the browser's store does no harm", async () => {
  for (const text of ["{", "7", '{"comments":3}']) {
    localStorage.setItem("meshwork.review.p", text);
    await reload();
    expect(comments()).toEqual([]);
  }
});
