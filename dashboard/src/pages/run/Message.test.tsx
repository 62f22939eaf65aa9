import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import { Message } from "./Message";
import { Messages } from "./messages";
import type { ShownRun } from "./RunPage";

vi.mock("./RunPage", () => ({}));

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (state: ShownRun["state"], text: string) => {
  vi.stubGlobal("fetch", async () => Response.json({ permissions: ["steer_runs"] }));
  render(
    <QueryClientProvider client={makeClient()}>
      <Message
        run={{ id: "r", agent: "codex", state } as ShownRun}
        messages={new Messages()}
        text={text}
        onText={() => undefined}
        onChange={() => undefined}
      />
    </QueryClientProvider>,
  );
};

test.each([
  ["verifying", "the agent is not at work"],
  ["done", "the run has ended"],
] as const)("what was half written stays while the run is %s, and is said not to go now", async (state, why) => {
  show(state, "half a sen");
  const field = (await screen.findByRole("textbox", { name: "Message to the agent" })) as HTMLTextAreaElement;
  expect([field.value, field.disabled]).toEqual(["half a sen", false]);
  expect(screen.getByRole("status").textContent).toContain(why);
  expect(screen.getByRole("button", { name: "Send" })).toHaveProperty("disabled", true);
});

test("while the agent works nothing is said of that", async () => {
  show("working", "half a sen");
  expect(await screen.findByRole("button", { name: "Send" })).toHaveProperty("disabled", false);
  expect(screen.queryByRole("status")).toBeNull();
});
