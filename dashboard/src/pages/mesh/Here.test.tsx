import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { program, sent, shown } from "../../../tests/program";
import { Here } from "./Here";
import { Tailnet } from "./Tailnet";

vi.mock("@tanstack/react-router", () => ({ Link: ({ children }: { children: unknown }) => <a href="/">{children as string}</a> }));

let permissions: string[];
let pods: object[];
let tailnet: object;

beforeEach(() => {
  permissions = ["manage_device"];
  pods = ["01AAAAAA11", "01BBBBBB22"].map((run) => ({ ...pod, run }));
  tailnet = { managed: false, nodes: [], opened: [] };
});

const pod = { class: "agent", state: "working", stands: "working", paused: false };
program(() => ({
  "session/show": { permissions },
  "tailnet/status": tailnet,
  "device/pods": pods,
}));

const show = () =>
  shown(
    <>
      <Here />
      <Tailnet />
    </>,
  );

test("one run is evicted with a reason, or all of them, after a question", async () => {
  const user = userEvent.setup();
  show();
  await user.click(await screen.findByRole("button", { name: "Evict BBBB22" }));
  expect(sent).toEqual([]);
  await user.type(screen.getByRole("textbox", { name: "Why" }), "I need it.");
  await user.click(screen.getByRole("button", { name: "Evict" }));
  await waitFor(() => expect(sent).toEqual([["/api/v1/device/evict", { run: "01BBBBBB22", reason: "I need it." }]]));
  await user.click(screen.getByRole("button", { name: "Evict all" }));
  await user.click(screen.getByRole("button", { name: "Evict" }));
  await waitFor(() => expect(sent.at(-1)).toEqual(["/api/v1/device/evict", { run: null, reason: null }]));
});

test("of a run whose end could not be written it is said why it holds its place", async () => {
  const unended = "Nothing of it runs any more on box. The disk is full. That is tried again, and it holds its place until then.";
  pods = [pods[0] ?? {}, { ...pod, run: "01BBBBBB22", stands: "ending", unended }];
  show();
  const [goes, ends] = await screen.findAllByRole("link");
  expect(goes?.textContent).toMatch(/^Working.*agent$/);
  expect(ends?.textContent).toMatch(/^Ending.*The disk is full\..*until then\.$/);
});

test("who may not gets no button, and an org without a tailnet says nothing of one", async () => {
  permissions = [];
  show();
  await screen.findByText("run AAAA11");
  expect(screen.queryByRole("button")).toBeNull();
  expect(screen.queryByRole("region", { name: "Tailnet" })).toBeNull();
});

test("a tailnet says whether its server answers, and whose its machines are", async () => {
  const problem = { kind: "unavailable", what: "The server does not answer.", why: null, next: null };
  const nodes = [{ name: "box-1", addresses: ["100.64.0.2"], online: true, tags: ["tag:crew"], device: "box", owner: "bob" }];
  tailnet = { server: "https://hs.example", managed: false, reachable: false, problem, nodes, opened: [] };
  show();
  await screen.findByText("Does not answer");
  expect(screen.getByRole("alert").textContent).toContain("The server does not answer.");
  expect(screen.getByRole("row", { name: /box-1/ }).textContent).toContain("box of bob");
});

test("what stands above the page as wrong is not told again beside the tailnet", async () => {
  const wrong = { kind: "unavailable", what: "tailscaled does not answer.", why: null, next: null };
  const here = { own: false, addresses: [], health: [], problem: wrong };
  const problem = { kind: "unavailable", what: "The server does not answer.", why: null, next: null };
  tailnet = { server: "https://hs.example", managed: false, reachable: false, problem, wrong, here, nodes: [], opened: [] };
  show();
  await screen.findByText("Does not answer");
  expect(screen.getAllByRole("alert").map((one) => one.textContent)).toEqual(["The server does not answer."]);
});
