import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import { program, sent, shown } from "../../../tests/program";
import { Invites } from "./Invites";
import { Roles } from "./Roles";

let permissions: string[];

const ticket = { admits: { as: "member", role: "developer" }, expires: 1, uses: 2, used: ["did:key:a"], knock: [] };

beforeEach(() => {
  permissions = ["manage_org"];
});

program(() => ({
  "session/show": { permissions },
  "org/invites": [
    { ...ticket, id: "01JZZZZZZZZZZZZZZZZZOPEN01", ticket: "mesh1open", open: true },
    { ...ticket, id: "01JZZZZZZZZZZZZZZZZZGONE02", ticket: "mesh1gone", open: false },
  ],
}));

const user = userEvent.setup();
const show = () =>
  shown(
    <>
      <Roles member={{ name: "bob", roles: ["developer"] }} />
      <Invites />
    </>,
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
