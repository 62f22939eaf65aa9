import { afterEach, expect, test, vi } from "vitest";
import { keep, kept, watchKept } from "./kept";

afterEach(() => localStorage.clear());

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
