import { act, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { program, shown } from "../../tests/program";
import { Warnings } from "./Warnings";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children, hash }: { children: string; hash: string }) => <a href={`#${hash}`}>{children}</a>,
}));

const OF_TAILNET = "tailnet: The server does not answer. What runs goes on.";
const wrong = { kind: "unavailable", what: "The server does not answer.", why: "No route.", next: "See `headscale health`." };
let warnings: string[];
let tailnet: object;

const answers = vi.fn(() => ({ "/health": { status: "ok", warnings }, "tailnet/status": tailnet }));
program(answers);
beforeEach(() => {
  answers.mockClear();
  warnings = [];
  tailnet = { managed: false, nodes: [], opened: [] };
});
afterEach(() => {
  vi.useRealTimers();
});

const region = { name: "Warnings of this device" };

test("a disk that was put back and clocks that differ are told, with the way to what to do", async () => {
  warnings = ["journal: The disk of this device was put back", "clock: that of laptop is 130 s ahead of this one"];
  shown(<Warnings />);
  const told = await screen.findByRole("region", region);
  expect(told.textContent).toContain("put back");
  expect(told.textContent).toContain("130 s ahead");
  expect(screen.getByRole("link", { name: "What to do" }).getAttribute("href")).toBe("#machine");
});

test("where nothing is wrong there is nothing to see", async () => {
  shown(<Warnings />);
  await waitFor(() => expect(answers).toHaveBeenCalledTimes(2));
  expect(screen.queryByRole("region")).toBeNull();
});

test("a tailnet that is not in order is told once, with why and what to do, until it is in order, of which no event tells", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  warnings = [OF_TAILNET];
  tailnet = { ...tailnet, wrong };
  shown(<Warnings />);
  await screen.findByText("headscale health");
  const told = screen.getByRole("region", region);
  expect(told.textContent).toContain("The server does not answer. What runs goes on; nobody new gets in.No route.");
  await waitFor(() => expect(told.textContent?.match(/does not answer/g)).toHaveLength(1));
  expect(told.getAttribute("aria-live")).toBe("polite");
  [warnings, tailnet] = [[], { ...tailnet, wrong: null }];
  await act(async () => {
    await vi.advanceTimersByTimeAsync(30_000);
  });
  await waitFor(() => expect(screen.queryByRole("region")).toBeNull());
});
