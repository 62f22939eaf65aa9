import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { program, shown } from "../../../tests/program";
import type { Run, Shown } from "./facts";
import { Gate } from "./Gate";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: string }) => <a href="/">{children}</a>,
  useNavigate: () => vi.fn(),
}));

const review = vi.fn();
let permissions: string[];

beforeEach(() => {
  review.mockClear();
  permissions = ["review"];
});
program(() => ({ "session/show": { permissions }, "org/show": { members: [], devices: [] } }));

const open = { id: "p", project: "web", state: "open", standing: "to_review", missing: [], approved_by: [], merging: null };
const patch = (more: object) => ({ ...open, rules_changed: [], revisions: [], ...more }) as unknown as Shown;
const show = (patch: Shown) => shown(<Gate patch={patch} run={undefined} runs={[]} onReview={review} />);

const shut = patch({
  missing: ["It has 0 of 1 approvals: `meshwork patch review <patch> --accept` gives one.", "The checks have not run."],
});

test("an approval that is missing is given from there", async () => {
  show(shut);
  await userEvent.click(await screen.findByRole("button", { name: "Review" }));
  expect(review).toHaveBeenCalledOnce();
  expect(screen.getByRole("region", { name: "Merge gate" }).textContent).not.toContain("meshwork");
});

test("who may not review is not led there", async () => {
  permissions = [];
  show(shut);
  await screen.findByText("The checks have not run.");
  expect(screen.queryByRole("button", { name: "Review" })).toBeNull();
});

test("who accepted it, and whether it is to be run again, is the gate's word and not the reviews'", async () => {
  permissions = ["run_tasks", "review"];
  const reviews = ["accept", "reject"].map((verdict) => ({ by: `did:key:${verdict}s`, verdict, summary: "", at: 1, comments: [] }));
  const revisions = [{ id: "r", author: "did:key:run", reviews }];
  const run = { id: "x", task: { project: "web", feature: "001-f", task: "T001" } } as Run;
  const see = (more: object) => shown(<Gate patch={patch({ revisions, ...more })} run={run} runs={[]} onReview={review} />);
  const first = see({ missing: ["It has 0 of 1 approvals."] });
  await screen.findByRole("button", { name: "Review" });
  expect(screen.queryByText(/^Accepted by/)).toBeNull();
  expect(screen.queryByRole("button", { name: /again/ })).toBeNull();
  first.unmount();
  see({ standing: "changes_requested", approved_by: ["did:key:accepts"] });
  expect(await screen.findByRole("button", { name: "Run T001 again" })).toBeTruthy();
  expect(screen.getByText(/^Accepted by/)).toBeTruthy();
});

test("a merged patch says how a working copy gets it, whoever merged it", () => {
  show(patch({ state: "merged", pull: "git pull /store main" }));
  expect(screen.getByText("git pull /store main")).toBeTruthy();
});
