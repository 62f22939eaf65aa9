import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import { Warnings } from "./Warnings";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children, hash }: { children: string; hash: string }) => <a href={`#${hash}`}>{children}</a>,
}));

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (warnings: string[]) => {
  const fetched = vi.fn(async (_: string) => Response.json({ status: "ok", warnings }));
  vi.stubGlobal("fetch", fetched);
  render(
    <QueryClientProvider client={makeClient()}>
      <Warnings />
    </QueryClientProvider>,
  );
  return fetched;
};

test("a disk that was put back and clocks that differ are told at Home, with the way to what to do", async () => {
  show(["journal: The disk of this device was put back", "clock: that of laptop is 130 s ahead of this one"]);
  const told = await screen.findByRole("region", { name: "Warnings of this device" });
  expect(told.textContent).toContain("put back");
  expect(told.textContent).toContain("130 s ahead");
  expect(screen.getByRole("link", { name: "What to do" }).getAttribute("href")).toBe("#machine");
});

test("where nothing is wrong there is nothing to see", async () => {
  const fetched = show([]);
  await waitFor(() => expect(fetched).toHaveBeenCalled());
  expect(screen.queryByRole("region")).toBeNull();
});
