import { renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { useAhead } from "./ahead";

test("a script is fetched once it is wanted, and again for no other reason", () => {
  const load = vi.fn(() => Promise.reject(new Error("not there")));
  const { rerender } = renderHook(({ wanted }) => useAhead(load, wanted), { initialProps: { wanted: false } });
  expect(load).not.toHaveBeenCalled();
  rerender({ wanted: true });
  rerender({ wanted: true });
  expect(load).toHaveBeenCalledTimes(1);
});
