import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import { Invites } from "./Invites";
import { Roles } from "./Roles";

const sent: [path: string, body: unknown][] = [];
let permissions: string[];

const ticket = { admits: { as: "member", role: "developer" }, expires: 1, uses: 2, used: ["did:key:a"], knock: [] };

beforeEach(() => {
  sent.length = 0;
  permissions = ["manage_org"];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push([url, JSON.parse(String(init.body))]);
    if (url.endsWith("session/show")) return Response.json({ permissions });
    if (url.endsWith("org/invites"))
      return Response.json([
        { ...ticket, id: "01JZZZZZZZZZZZZZZZZZOPEN01", ticket: "mesh1open", open: true },
        { ...ticket, id: "01JZZZZZZZZZZZZZZZZZGONE02", ticket: "mesh1gone", open: false },
      ]);
    return Response.json({ message: "Done." });
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const user = userEvent.setup();
const show = () =>
  render(
    <QueryClientProvider client={makeClient()}>
      <Roles member={{ name: "bob", roles: ["developer"] }} />
      <Invites />
    </QueryClientProvider>,
  );

test("roles are given and taken together, and nothing is sent where nothing changed", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Change the roles of bob" }));
  expect(screen.getByRole("button", { name: "Set them" })).toHaveProperty("disabled", true);
  await user.click(screen.getByRole("checkbox", { name: "developer" }));
  await user.click(screen.getByRole("checkbox", { name: "reviewer-bot" }));
  await user.click(screen.getByRole("button", { name: "Set them" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(sent).toEqual([["/api/v1/member/roles", { member: "bob", give: ["reviewer-bot"], take: ["developer"] }]]);
});

test("a ticket that still counts is shown again, and taken back after a yes", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Show the ticket OPEN01" }));
  expect(screen.getByRole("textbox", { name: "Ticket" })).toHaveProperty("value", "mesh1open");
  await user.keyboard("{Escape}");
  await user.click(screen.getByRole("button", { name: "Take back OPEN01" }));
  expect(sent).toEqual([]);
  await user.click(screen.getByRole("button", { name: "Take it back" }));
  expect(sent).toEqual([["/api/v1/org/uninvite", { invite: "01JZZZZZZZZZZZZZZZZZOPEN01" }]]);
  expect(screen.queryByText(/GONE02/)).toBeNull();
});

test("who may neither sees neither", async () => {
  permissions = ["view"];
  show();
  await waitFor(() => expect(screen.queryByRole("button")).toBeNull());
});
