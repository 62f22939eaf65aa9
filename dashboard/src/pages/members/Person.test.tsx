import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import { program, sent, shown } from "../../../tests/program";
import type { Output } from "../../api/call";
import { GateDeeds } from "../projects/Gate";
import { Rename, Standby } from "./Person";
import { Standing } from "./Standing";

let permissions: string[];

const bob = { name: "bob", roles: ["owner" as const], keys: [], standby: "did:key:b" };
const org = {
  name: "crew",
  rid: "rad:z",
  radicle: null,
  rad_home: "/home",
  threshold: 1,
  members: [bob, { name: "ada", roles: ["owner"], keys: [] }],
  devices: ["laptop", "tower", "box"].map((name, at) => ({ name, did: `did:key:${"abc"[at]}`, owner: at < 2 ? "bob" : "ada" })),
} as unknown as Output<"org.show">;

beforeEach(() => {
  permissions = ["manage_org", "manage_device", "manage_projects"];
});

program(() => ({ "session/show": { permissions }, "org/show": org }));

const user = userEvent.setup();
const show = () =>
  shown(
    <>
      <Rename name="bob" />
      <Standby member={bob} devices={org.devices} />
      <Standing org={org} />
      <GateDeeds project="web" gated />
    </>,
  );

test("a member is renamed, and one of their own devices stands in for the others", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Rename bob" }));
  expect(screen.getByRole("button", { name: "Rename" })).toHaveProperty("disabled", true);
  await user.clear(screen.getByRole("textbox", { name: "Name" }));
  await user.type(screen.getByRole("textbox", { name: "Name" }), "robert{Enter}");
  await waitFor(() => expect(sent).toEqual([["/api/v1/member/rename", { member: "bob", name: "robert" }]]));

  await user.click(screen.getByRole("button", { name: "Change the standby device of bob" }));
  const devices = screen.getByRole("combobox", { name: "Stands in for the others" });
  expect([...devices.children].map((one) => one.textContent)).toEqual(["None", "laptop", "tower"]);
  await user.selectOptions(devices, "None");
  await user.click(screen.getByRole("button", { name: "Set it" }));
  await waitFor(() => expect(sent.at(-1)).toEqual(["/api/v1/member/standby", { member: "bob", device: null }]));
});

test("how many owners sign is one of how many there are; leaving the org asks first", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Change how many" }));
  await user.selectOptions(screen.getByRole("combobox", { name: "How many" }), "2 of 2");
  await user.click(screen.getByRole("button", { name: "Set it" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/org/threshold", { owners: 2 }]]));
  await user.click(screen.getByRole("button", { name: "Leave the org" }));
  expect(sent).toHaveLength(1);
  await user.click(screen.getByRole("button", { name: "Leave crew" }));
  await waitFor(() => expect(sent.at(-1)).toEqual(["/api/v1/org/leave", {}]));
});

test("a gate is one device or three, in the order in which they are chosen; it is opened after a question", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Change the gate" }));
  const right = () => !(screen.getByRole("button", { name: "Gate it" }) as HTMLButtonElement).disabled;
  expect(right()).toBe(false);
  await user.click(await screen.findByRole("checkbox", { name: "box" }));
  expect(right()).toBe(true);
  await user.click(screen.getByRole("checkbox", { name: "laptop" }));
  expect(right()).toBe(false);
  await user.click(screen.getByRole("checkbox", { name: "tower" }));
  await user.click(screen.getByRole("button", { name: "Gate it" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/project/gate", { project: "web", devices: ["box", "laptop", "tower"] }]]));
  await user.click(screen.getByRole("button", { name: "Open the gate" }));
  await user.click(screen.getByRole("button", { name: "Open it" }));
  await waitFor(() => expect(sent.at(-1)).toEqual(["/api/v1/project/gate", { project: "web", open: true }]));
});

test("who may not change the org sees how it is, and no button", async () => {
  permissions = [];
  show();
  await screen.findByText("1 of 2");
  expect(screen.getByText("tower")).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});
