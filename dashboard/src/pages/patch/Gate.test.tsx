import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
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
  vi.stubGlobal("fetch", async (url: string) =>
    Response.json(url.endsWith("session/show") ? { permissions } : { members: [], devices: [] }),
  );
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const patch = (more: object) =>
  ({ id: "p", project: "web", state: "open", missing: [], merging: null, rules_changed: [], revisions: [], ...more }) as unknown as Shown;
const show = (shown: Shown) =>
  render(
    <QueryClientProvider client={makeClient()}>
      <Gate patch={shown} run={undefined} runs={[]} onReview={review} />
    </QueryClientProvider>,
  );

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
