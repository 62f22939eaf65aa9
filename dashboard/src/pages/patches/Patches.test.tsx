import { screen } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { program, shown } from "../../../tests/program";
import Patches from "./Patches";

let search: { project?: string };

vi.mock("../../router", () => ({ patchStates: ["waits", "open", "merged", "closed", "all"] }));
vi.mock("@tanstack/react-router", () => ({
  getRouteApi: () => ({ useSearch: () => search, useNavigate: () => () => undefined }),
  Link: ({ children, ...rest }: { children: string; "data-row"?: boolean }) => (
    <a href="/" data-row={rest["data-row"]}>
      {children}
    </a>
  ),
}));

const patch = (title: string, whose?: object) => ({
  id: title.padEnd(40, "0"),
  project: "web",
  title,
  state: "open",
  standing: "to_review",
  revisions: [],
  whose,
});
const away = { device: "did:key:b", as_of: new Date().setHours(14, 2), reachable: false };
let patches: object[];

beforeEach(() => {
  search = {};
});

program(() => ({
  "patch/list": patches,
  "project/list": [
    { project: { name: "web" }, head: "a" },
    { project: { name: "not-here-yet" }, absent: "From lap: It is full." },
  ],
  "session/show": { permissions: [] },
  "org/show": { members: [], devices: [{ name: "bobs-box", did: "did:key:b" }] },
  "journal/copies": [],
}));

test("a patch that is the word of a device which is away says as of when", async () => {
  patches = [patch("ours"), patch("reached", { ...away, reachable: true }), patch("theirs", away)];
  shown(<Patches />);
  const mark = await screen.findByTitle(/^bobs-box is not reached/);
  expect(mark.textContent).toBe("as of 14:02, bobs-box not reached");
  expect(mark.closest("[data-row]")?.textContent).toContain("theirs");
  expect(screen.getAllByText(/as of/)).toEqual([mark]);
});

test("that the patches of a project are left out which is not on this device yet is said", async () => {
  patches = [patch("ours")];
  shown(<Patches />);
  expect(await screen.findByText("Not on this device yet, and so not shown: not-here-yet.")).toBeTruthy();
  expect(await screen.findByText("ours")).toBeTruthy();
});

test("in place of the patches of a project that is not on this device yet stands why", async () => {
  patches = [patch("ours")];
  search = { project: "not-here-yet" };
  shown(<Patches />);
  expect(await screen.findByText("not-here-yet is not on this device yet")).toBeTruthy();
  expect(screen.getByRole("status").textContent).toContain("From lap: It is full.");
  expect(screen.queryByText(/no patches|No patch|ours/)).toBeNull();
  const chosen = screen.getByRole<HTMLSelectElement>("combobox").selectedOptions[0];
  expect(chosen?.textContent).toBe("not-here-yet (not here yet)");
});

test("where a patch stands is the program's word, not the reviews'", async () => {
  const accept = { by: "did:key:a", verdict: "accept", summary: "", at: 1, comments: [] };
  const revision = { id: "r", author: "did:key:run", at: 1, reviews: [accept], comments: [] };
  patches = [{ ...patch("red"), standing: "checks_failed", revisions: [revision] }];
  shown(<Patches />);
  expect(await screen.findByText("Checks failed")).toBeTruthy();
  expect(screen.queryByText("To merge")).toBeNull();
});
