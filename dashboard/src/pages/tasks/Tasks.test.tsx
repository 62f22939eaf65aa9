import { act, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { program, shown } from "../../../tests/program";
import Tasks from "./Tasks";

vi.mock("../../router", () => ({ taskViews: ["board", "graph"] }));
vi.mock("@tanstack/react-router", () => ({
  getRouteApi: () => ({ useSearch: () => ({ project: "away" }), useNavigate: () => () => undefined }),
  Link: ({ children }: { children: string }) => <a href="/">{children}</a>,
}));

let head: string | undefined;

program(() => ({
  "project/list": [
    { project: { name: "web" }, head: "a" },
    { project: { name: "away" }, head, absent: head ? undefined : "From lap: It could not be fetched." },
  ],
  "project/show": { features: [] },
  "task/list": [],
  "run/list": [],
  "agent/list": [],
  "journal/copies": [],
  "session/show": { permissions: [] },
}));
afterEach(() => {
  vi.useRealTimers();
});

test("in place of the board of a project that is not on this device yet stands why, until it has arrived", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  head = undefined;
  shown(<Tasks />);
  expect(await screen.findByText("away is not on this device yet")).toBeTruthy();
  expect(screen.getByRole("status").textContent).toContain("From lap: It could not be fetched.");
  expect(screen.queryByText("No tasks here yet")).toBeNull();
  expect(screen.getAllByRole("combobox")).toEqual([screen.getByRole("combobox", { name: "Project" })]);
  head = "b";
  await act(async () => {
    await vi.advanceTimersByTimeAsync(5_000);
  });
  expect(await screen.findByText("No tasks here yet")).toBeTruthy();
  await waitFor(() => expect(screen.queryByText("away is not on this device yet")).toBeNull());
  expect(screen.getByRole("combobox", { name: "Feature" })).toBeTruthy();
});
