import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../../api/query";
import { RemoveFile } from "./RemoveFile";

const team = { path: "policy/team.cedar", text: "// ours" };
const other = { path: "policy/other.cedar", text: "// theirs" };

const sent: [path: string, body: { files?: (typeof team)[]; anyway?: boolean }][] = [];
let warnings: string[];
const closed = vi.fn();

beforeEach(() => {
  sent.length = 0;
  closed.mockClear();
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    sent.push([url, JSON.parse(String(init.body))]);
    return Response.json(url.endsWith("policy/check") ? { files: 2, mistakes: [], warnings, schema: "" } : { message: "It is removed." });
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = () =>
  render(
    <QueryClientProvider client={makeClient()}>
      <RemoveFile files={[team, other]} path={team.path} onClose={closed} />
    </QueryClientProvider>,
  );
const user = userEvent.setup();

test("a file that nobody needs is removed at once, and the program may still refuse", async () => {
  warnings = [];
  show();
  await user.click(await screen.findByRole("button", { name: "Remove team.cedar" }));
  await waitFor(() => expect(closed).toHaveBeenCalled());
  const [path, body] = sent.at(-1) ?? [];
  expect([path, body]).toEqual(["/api/v1/policy/set", { name: "team.cedar", text: null, anyway: false }]);
});

test("that somebody would be locked out is said first, of the other files as they are and this one without a rule", async () => {
  warnings = ["No member of the org may any of: merge."];
  show();
  expect((await screen.findByRole("alert")).textContent).toContain("may any of: merge");
  const looked = sent[0]?.[1].files?.find(({ path }) => path === team.path);
  expect(looked?.text.trim().startsWith("//")).toBe(true);
  expect(sent[0]?.[1].files).toContainEqual(other);
  await user.click(screen.getByRole("button", { name: "Remove it all the same" }));
  await waitFor(() => expect(closed).toHaveBeenCalled());
  expect(sent.at(-1)?.[1].anyway).toBe(true);
});
