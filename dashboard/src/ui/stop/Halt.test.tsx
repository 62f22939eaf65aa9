import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import { HaltChoice, useHalt } from "./Halt";
import type { Scope, Stop } from "./stop";

const agent = { what: "agent", name: "builder" } as const;
const inForce: Stop = {
  order: { version: 1, id: "01M8", org: "crew", scope: agent, why: "It burns.", at: 1, lifts: false },
  by: "did:key:z6MkAda",
  envelope: "e",
};

const sent: [path: string, body: unknown][] = [];
let stops: Stop[];
let permissions: string[];
/** What `policy.explain` says yes to. */
let mayBe: string;

const own = { what: "device", name: "laptop", device: "did:key:z6MkOwn" } as const;
const devices = [
  { name: "laptop", did: own.device, owner: "bea" },
  { name: "server", did: "did:key:z6MkAda", owner: "ada" },
];

beforeEach(() => {
  sent.length = 0;
  stops = [];
  mayBe = "";
  permissions = ["view", "manage_org"];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push([url, JSON.parse(String(init.body))]);
    if (url.includes("policy/explain")) return Response.json({ allowed: new URL(url, "http://x").searchParams.get("what") === mayBe });
    if (url.endsWith("org/show")) return Response.json({ devices });
    return Response.json(url.endsWith("session/show") ? { name: "bea", permissions } : url.endsWith("stop/list") ? stops : {});
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Row() {
  const halt = useHalt();
  return (
    <div>
      builder {halt.badge(agent)} {halt.icon(agent)} {halt.button({ what: "org" })}
      {halt.icon(own)} {halt.icon({ what: "device", name: "server", device: "did:key:z6MkAda" })}
      <HaltChoice scopes={[own, agent]} />
    </div>
  );
}

const user = userEvent.setup();
const show = () =>
  render(
    <QueryClientProvider client={makeClient()}>
      <Row />
    </QueryClientProvider>,
  );

test("halting says what will happen and asks why", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Halt the agent builder" }));
  expect(screen.getByRole("dialog", { name: "Halt the agent builder?" }).textContent).toContain("Every run of builder is frozen");
  const halt = screen.getByRole("button", { name: "Halt" });
  expect(halt).toHaveProperty("disabled", true);
  await user.type(screen.getByRole("textbox", { name: "Why" }), " It burns. ");
  await user.click(halt);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(sent).toEqual([["/api/v1/stop/order", { agent: "builder", member: null, device: null, org: false, why: "It burns." }]]);
});

test("what is halted says so, and is lifted after a yes", async () => {
  stops = [inForce];
  show();
  expect(await screen.findByText("Halted")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Lift the stop order for the agent builder" }));
  expect(screen.getByRole("dialog").textContent).toContain("It burns.");
  expect(sent).toEqual([]);
  await user.click(screen.getByRole("button", { name: "Lift it" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/stop/lift", { id: "01M8" }]]));
});

test("who owns a device halts it where the policy lets them, and lifts that again", async () => {
  permissions = ["view"];
  mayBe = "device:laptop";
  const first = show();
  await user.click(await screen.findByRole("button", { name: "Halt the device laptop" }));
  expect(screen.queryByRole("button", { name: "Halt the device server" })).toBeNull();
  await user.type(screen.getByRole("textbox", { name: "Why" }), "It burns.");
  await user.click(screen.getByRole("button", { name: "Halt" }));
  await waitFor(() =>
    expect(sent).toEqual([["/api/v1/stop/order", { agent: null, member: null, device: "laptop", org: false, why: "It burns." }]]),
  );
  first.unmount();
  stops = [{ ...inForce, order: { ...inForce.order, scope: own } }];
  mayBe = "01M8";
  show();
  expect(await screen.findByRole("button", { name: "Lift the stop order for the device laptop" })).toBeTruthy();
});

test("a stop order is given to what is chosen", async () => {
  show();
  await user.click(await screen.findByRole("button", { name: "Give a stop order" }));
  await user.selectOptions(screen.getByRole("combobox", { name: "What" }), "the agent builder");
  expect(screen.getByRole("dialog").textContent).toContain("Every run of builder is frozen");
  await user.type(screen.getByRole("textbox", { name: "Why" }), "It burns.");
  await user.click(screen.getByRole("button", { name: "Halt" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/stop/order", expect.objectContaining({ agent: "builder", device: null })]]));
});

test("what was chosen stays chosen where somebody halts it meanwhile", async () => {
  const among = (scopes: Scope[]) => (
    <QueryClientProvider client={client}>
      <HaltChoice scopes={scopes} />
    </QueryClientProvider>
  );
  const client = makeClient();
  const { rerender } = render(among([own, agent]));
  await user.click(screen.getByRole("button", { name: "Give a stop order" }));
  await user.selectOptions(screen.getByRole("combobox", { name: "What" }), "the agent builder");
  rerender(among([own]));
  expect(screen.getByRole<HTMLSelectElement>("combobox", { name: "What" }).value).toBe("the agent builder");
  await user.type(screen.getByRole("textbox", { name: "Why" }), "It burns.");
  await user.click(screen.getByRole("button", { name: "Halt" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/stop/order", expect.objectContaining({ agent: "builder", device: null })]]));
});

test("who may not is shown that it is halted, and no control", async () => {
  permissions = ["view"];
  stops = [inForce];
  show();
  expect(await screen.findByText("Halted")).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Halt|Lift/ })).toBeNull();
});
