import { afterEach, expect, test, vi } from "vitest";
import { signOut } from "./Person";

afterEach(() => vi.unstubAllGlobals());

test("a browser that forbids its store is signed out all the same", async () => {
  const clear = () => {
    throw new DOMException("refused", "SecurityError");
  };
  const fetched = vi.fn(async (_: string) => new Response());
  const assign = vi.fn();
  vi.stubGlobal("sessionStorage", { clear });
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("location", { assign });
  await signOut();
  expect(fetched.mock.calls[0]?.[0]).toBe("/sign-out");
  expect(assign).toHaveBeenCalledWith("/");
});
