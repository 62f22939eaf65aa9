import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { program, shown } from "../../../tests/program";
import type { Shown } from "./facts";
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

const patch = (more: object) =>
  ({ id: "p", project: "web", state: "open", missing: [], merging: null, rules_changed: [], revisions: [], ...more }) as unknown as Shown;
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

test("a merged patch says how a working copy gets it, whoever merged it", () => {
  show(patch({ state: "merged", pull: "git pull /store main" }));
  expect(screen.getByText("git pull /store main")).toBeTruthy();
});
