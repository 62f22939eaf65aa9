import { act, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { program, shown } from "../../tests/program";
import { NotHere } from "./NotHere";

let head: string | undefined;

program(() => ({ "project/list": [{ project: { name: "web" }, head }] }));
afterEach(() => {
  vi.useRealTimers();
});

test("a project is told as not here until it has arrived, of which no event tells", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  head = undefined;
  shown(<NotHere />);
  expect(await screen.findByText("Not on this device yet, and so not shown: web.")).toBeTruthy();
  head = "a";
  await act(async () => {
    await vi.advanceTimersByTimeAsync(5_000);
  });
  await waitFor(() => expect(screen.queryByRole("status")).toBeNull());
});
