import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import { RunFeature } from "./RunFeature";

const sent: unknown[] = [];
const task = (feature: string, id: string, state: string) => ({
  at: { project: "web", feature, task: id },
  task: { id },
  state: { state },
});

beforeEach(() => {
  sent.length = 0;
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push(JSON.parse(String(init.body)));
    if (url.endsWith("session/show")) return Response.json({ permissions: ["run_tasks"] });
    if (url.includes("task/list"))
      return Response.json([task("001-a", "T001", "done"), task("002-b", "T001", "ready"), task("003-c", "T001", "ready")]);
    if (url.endsWith("agent/list")) return Response.json([{ name: "builder" }]);
    return Response.json(url.includes("task/run") ? { runs: [], skipped: [], notices: [] } : []);
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("of several features the person says which is run; one with nothing left is not offered", async () => {
  const user = userEvent.setup();
  render(
    <QueryClientProvider client={makeClient()}>
      <RunFeature project="web" feature={undefined} all={["001-a", "002-b", "003-c"]} />
    </QueryClientProvider>,
  );
  await user.click(await screen.findByRole("button", { name: "Run feature" }));
  const choice = screen.getByRole("combobox", { name: "Feature" });
  expect(screen.getAllByRole("option", { name: /-/ }).map((one) => one.textContent)).toEqual(["002-b", "003-c"]);
  await user.selectOptions(choice, "003-c");
  await user.click(screen.getByRole("button", { name: "Run 1 task" }));
  await waitFor(() => expect(sent).toMatchObject([{ project: "web", feature: "003-c", agent: "builder" }]));
});
