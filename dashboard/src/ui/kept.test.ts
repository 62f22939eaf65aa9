import { afterEach, expect, test, vi } from "vitest";
import { keep, kept, watchKept } from "./kept";

afterEach(() => {
  vi.unstubAllGlobals();
  localStorage.clear();
});

test("what is kept is there again, and who watches is told", () => {
  const watcher = vi.fn();
  const end = watchKept(watcher);
  keep("meshwork.x", "split");
  expect([kept("meshwork.x"), watcher.mock.calls.length]).toEqual(["split", 1]);
  keep("meshwork.x", "");
  expect([kept("meshwork.x"), localStorage.length, watcher.mock.calls.length]).toEqual([null, 0, 2]);
  end();
  keep("meshwork.x", "again");
  expect(watcher).toHaveBeenCalledTimes(2);
});

const refuse = (name: string) => () => {
  throw new DOMException("refused", name);
};

test("where the browser's store is full, what is kept lasts as long as the page, and goes to the store once that takes it", () => {
  localStorage.setItem("meshwork.y", "before");
  const store = localStorage;
  const read = (key: string) => store.getItem(key);
  vi.stubGlobal("localStorage", { getItem: read, setItem: refuse("QuotaExceededError"), removeItem: refuse("QuotaExceededError") });
  const watcher = vi.fn();
  const end = watchKept(watcher);
  keep("meshwork.y", "after");
  expect([kept("meshwork.y"), watcher.mock.calls.length]).toEqual(["after", 1]);
  keep("meshwork.y", "");
  expect([kept("meshwork.y"), read("meshwork.y")]).toEqual([null, "before"]);
  end();
  vi.unstubAllGlobals();
  keep("meshwork.y", "again");
  expect([kept("meshwork.y"), read("meshwork.y")]).toEqual(["again", "again"]);
});

test("where the browser forbids its store, the page works without", () => {
  const forbidden = refuse("SecurityError");
  vi.stubGlobal("localStorage", { getItem: forbidden, setItem: forbidden, removeItem: forbidden });
  expect(kept("meshwork.z")).toBeNull();
  keep("meshwork.z", "dark");
  expect(kept("meshwork.z")).toBe("dark");
});
