import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../../api/query";
import { FileForm } from "./FileForm";

const team = { path: "policy/team.cedar", text: "// ours" };
const other = { path: "policy/other.cedar", text: "// theirs" };
const mistakes = [
  { file: team.path, line: 2, message: "unexpected end of input" },
  { file: other.path, line: 1, message: "the same id twice" },
];

const sent: [path: string, body: unknown][] = [];
let found: typeof mistakes;
let warnings: string[];
const closed = vi.fn();

beforeEach(() => {
  sent.length = 0;
  warnings = [];
  closed.mockClear();
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    sent.push([url, JSON.parse(String(init.body))]);
    return Response.json(
      url.endsWith("policy/check") ? { files: 2, mistakes: found, warnings, schema: "" } : { message: "It waits for owners." },
    );
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const client = makeClient();
const form = (files = [team, other]) => (
  <QueryClientProvider client={client}>
    <FileForm files={files} path={team.path} onClose={closed} />
  </QueryClientProvider>
);
const user = userEvent.setup();
const rules = () => screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Rules" });
const send = () => user.click(screen.getByRole("button", { name: "Check and set" }));

test("what is wrong is shown with its line, and nothing is set", async () => {
  found = mistakes;
  render(form());
  await user.type(rules(), "{Enter}foo");
  await send();
  await user.click(await screen.findByRole("button", { name: "line 2" }));
  expect(rules().value.slice(rules().selectionStart, rules().selectionEnd)).toBe("foo");
  expect(screen.getByRole("alert").textContent).toContain("policy/other.cedar, line 1");
  expect(sent).toEqual([["/api/v1/policy/check", { files: [other, { path: team.path, text: "// ours\nfoo" }] }]]);
  expect(closed).not.toHaveBeenCalled();
});

test("what is right is set by its name", async () => {
  found = [];
  render(form());
  expect(screen.getByRole("button", { name: "Check and set" })).toHaveProperty("disabled", true);
  await user.type(rules(), "!");
  await send();
  await waitFor(() => expect(closed).toHaveBeenCalled());
  expect(sent.at(-1)).toEqual(["/api/v1/policy/set", { name: "team.cedar", text: "// ours!", anyway: false }]);
});

test("what leaves nobody a right is said before it is set all the same", async () => {
  found = [];
  warnings = ["No member of the org may any of: merge."];
  render(form());
  await user.type(rules(), "!");
  await send();
  expect((await screen.findByRole("alert")).textContent).toContain("may any of: merge");
  expect(sent.map(([path]) => path)).toEqual(["/api/v1/policy/check"]);
  await user.click(screen.getByRole("button", { name: "Set it all the same" }));
  await waitFor(() => expect(closed).toHaveBeenCalled());
  expect(sent.at(-1)).toEqual(["/api/v1/policy/set", { name: "team.cedar", text: "// ours!", anyway: true }]);
});

test("that somebody changed the file meanwhile is said, and what was typed stays", async () => {
  const { rerender } = render(form());
  await user.type(rules(), "!");
  rerender(form([{ ...team, text: "// new" }, other]));
  expect(screen.getByRole("alert").textContent).toBe("Somebody changed this file meanwhile.");
  expect(rules().value).toBe("// ours!");
});
