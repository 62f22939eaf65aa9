import { act, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { program, shown } from "../../tests/program";
import { NotHere } from "./NotHere";

vi.mock("@tanstack/react-router", () => ({ Link: ({ children }: { children: string }) => <a href="/">{children}</a> }));

let head: string | undefined;
let others: object[] = [];

program(() => ({ "project/list": [{ project: { name: "web" }, head }, ...others] }));
afterEach(() => {
  vi.useRealTimers();
  others = [];
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

const away = (name: string, absent?: string) => ({ project: { name }, absent });

test("why projects are not here is told once for all of which it is so, in the words of the page", async () => {
  head = "a";
  const alone = "It is connected to no other device of the org: meshwork device list shows them.";
  others = [away("one", alone), away("two", alone), away("three", "From lap: It is full."), away("four")];
  shown(<NotHere />);
  expect(await screen.findByText("Not on this device yet, and so not shown: one, two, three, four.")).toBeTruthy();
  expect(screen.getAllByRole("listitem").map((one) => one.textContent)).toEqual([
    "one, two: It is connected to no other device of the org.",
    "three: From lap: It is full.",
  ]);
  expect(screen.queryByRole("link")).toBeNull();
});

test("a project that cannot be read is named with the reason", async () => {
  head = "a";
  others = [{ project: { name: "broken" }, problem: "Its folder is locked." }];
  shown(<NotHere />);
  expect(await screen.findByText("Not readable, and so not shown: broken.")).toBeTruthy();
  expect(screen.getByRole("listitem").textContent).toBe("broken: Its folder is locked.");
  expect(screen.queryByText(/Not on this device yet/)).toBeNull();
});

test("of many reasons the page Projects tells the rest", async () => {
  head = "a";
  others = ["a", "b", "c", "d"].map((name) => away(name, `From lap: ${name} is full.`));
  shown(<NotHere />);
  expect(await screen.findAllByRole("listitem")).toHaveLength(3);
  expect(screen.getByRole("link", { name: "Why each is not here" })).toBeTruthy();
});
