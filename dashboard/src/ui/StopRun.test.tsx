import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Schemas } from "../api/call";
import { makeClient } from "../api/query";
import { StopAll, StopRun } from "./StopRun";
import { Toasts } from "./Toasts";

const sent: unknown[] = [];
const run = (id: string, more: object = {}) =>
  ({ id, state: "working", task: { project: "web", feature: "001-work", task: "T004" }, ...more }) as unknown as Schemas["Run"];

beforeEach(() => {
  sent.length = 0;
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push(JSON.parse(String(init.body)));
    return Response.json(url.endsWith("session/show") ? { permissions: ["steer_runs"] } : { message: "Told." });
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const user = userEvent.setup();
const client = makeClient();
const within = (runs: readonly Schemas["Run"][]) => (
  <QueryClientProvider client={client}>
    <StopAll runs={runs} />
    <Toasts />
  </QueryClientProvider>
);

test("stopping everything names what it stops, and says so once it is stopped", async () => {
  const going = run("01JZZZZZZZZZZZZZZZZZWRK001");
  const { rerender } = render(within([going]));
  await user.click(await screen.findByRole("button", { name: "Stop everything" }));
  expect(screen.getByRole("listitem").textContent).toBe("T004, run WRK001");
  await user.click(screen.getByRole("button", { name: "Stop it" }));
  await waitFor(() => expect(sent).toEqual([{ run: going.id }]));
  expect(screen.queryByText("Stopped 1 run.")).toBeNull();
  rerender(within([run(going.id, { state: "cancelled" })]));
  expect(await screen.findByText("Stopped 1 run.")).toBeTruthy();
});

test("a message that still waits is told of before the run is stopped", async () => {
  render(
    <QueryClientProvider client={client}>
      <StopRun run={run("01JZZZZZZZZZZZZZZZZZWRK001", { messages: [{ order: 1 }, { order: 2, why: "It was too late." }] })} />
    </QueryClientProvider>,
  );
  await user.click(screen.getByRole("button", { name: "Stop" }));
  expect(screen.getByRole("dialog").textContent).toContain("1 message still waits for the agent, and will not be delivered");
});
