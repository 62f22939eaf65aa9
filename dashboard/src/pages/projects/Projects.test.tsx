import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { program, shown } from "../../../tests/program";
import Projects from "./Projects";

vi.mock("@tanstack/react-router", () => ({ Link: ({ children }: { children: string }) => <a href="/">{children}</a> }));

const view = (name: string, head?: string) => ({ project: { name, rid: `rad:${name}`, branch: "main" }, head });

program(() => ({
  "project/list": [
    { ...view("away"), absent: "From lap: It could not be fetched." },
    { ...view("broken"), problem: "Its folder is locked." },
    view("web", "a".repeat(40)),
  ],
  "project/show": { features: [], checks: [], notices: ["of the one that is here"] },
  "session/show": { permissions: [] },
}));

test("a project that is not on this device yet is marked so with the reason, and the others are shown", async () => {
  shown(<Projects />);
  expect(await screen.findByText("of the one that is here")).toBeTruthy();
  expect(screen.getAllByText(/not on this device yet/)).toHaveLength(1);
  expect(screen.getByRole("region", { name: "away" }).textContent).toContain("From lap: It could not be fetched.");
  expect(screen.getByRole("region", { name: "broken" }).textContent).toContain("It cannot be read.Its folder is locked.");
  expect(screen.getByText("aaaaaaaa")).toBeTruthy();
});
