import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import type { Run } from "./again";
import { RunAgain } from "./RunAgain";

vi.mock("@tanstack/react-router", () => ({ useNavigate: () => () => undefined }));

const at = { project: "web", feature: "001-work", task: "T004" };
const before = {
  id: "01JZZZZZZZZZZZZZZZZZWRK001",
  agent: "builder",
  on: "did:key:z6MkAttic",
  tags: { gpu: "true" },
  priority: "high",
  apart: { run: "01JZZZZZZZZZZZZZZZZZDNE005", device: "did:key:z6MkOwn" },
} as unknown as Run;
const which = { project: "web", feature: "001-work", tasks: ["T004"] };
const asBefore = {
  ...which,
  agent: "builder",
  priority: "high",
  on: "did:key:z6MkAttic",
  tags: { gpu: "true" },
  apart_from: before.apart?.run,
};

const sent: unknown[] = [];
let agents: string[];

beforeEach(() => {
  sent.length = 0;
  agents = ["builder", "tester"];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push(JSON.parse(String(init.body)));
    if (url.endsWith("session/show")) return Response.json({ permissions: ["run_tasks"] });
    if (url.endsWith("agent/list")) return Response.json(agents.map((name) => ({ name })));
    if (url.endsWith("org/show")) return Response.json({ devices: [{ name: "attic", did: "did:key:z6MkAttic" }] });
    if (url.includes("task/show")) return Response.json({ runs: [before] });
    if (url.includes("run/show")) return Response.json({ undelivered: [{ text: "Use the blue one.", why: null }] });
    return Response.json({ runs: [], skipped: [], notices: [] });
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const user = userEvent.setup();
const open = async (from?: Run) => {
  render(
    <QueryClientProvider client={makeClient()}>
      <RunAgain at={at} from={from} />
    </QueryClientProvider>,
  );
  await user.click(await screen.findByRole("button", { name: "Run again" }));
  await screen.findByRole("combobox", { name: "Device" });
};
const run = async () => {
  await user.click(screen.getByRole("button", { name: "Run it" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
};

test.each([
  ["the run at hand", before],
  ["the task's last run", undefined],
])("it is wanted as %s was", async (_, from) => {
  await open(from);
  expect(sent).toEqual([]);
  expect(await screen.findByRole("option", { name: "attic" })).toHaveProperty("selected", true);
  expect(screen.getByRole("textbox", { name: "Tags that its device must have" })).toHaveProperty("value", "gpu:true");
  await run();
  expect(sent).toEqual([asBefore]);
});

test("a message that the run before did not get is shown for the next one", async () => {
  await open({ ...before, messages: [{ order: 1 }] } as unknown as Run);
  expect((await screen.findByRole("region", { name: "Not delivered to the run before" })).textContent).toContain("Use the blue one.");
});

test("each of it can be changed before it starts", async () => {
  await open(before);
  await screen.findByRole("option", { name: "attic" });
  await user.selectOptions(screen.getByRole("combobox", { name: "Agent" }), "tester");
  await user.selectOptions(screen.getByRole("combobox", { name: "Priority" }), "Low");
  await user.selectOptions(screen.getByRole("combobox", { name: "Device" }), "whichever suits best");
  await user.clear(screen.getByRole("textbox", { name: "Tags that its device must have" }));
  await user.click(screen.getByRole("checkbox", { name: "Not on the device of run DNE005" }));
  await run();
  expect(sent).toEqual([{ ...which, agent: "tester", priority: "low", on: null, tags: {}, apart_from: null }]);
});

test("an agent that is there no more is not run with", async () => {
  agents = ["tester", "writer"];
  await open(before);
  expect(await screen.findByRole("option", { name: "builder" })).toHaveProperty("selected", true);
  expect(screen.getByRole("button", { name: "Run it" })).toHaveProperty("disabled", true);
  await screen.findByRole("option", { name: "tester" });
  await user.selectOptions(screen.getByRole("combobox", { name: "Agent" }), "tester");
  await run();
  expect(sent).toMatchObject([{ agent: "tester" }]);
});
