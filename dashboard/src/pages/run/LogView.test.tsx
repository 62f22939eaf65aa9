import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { byTime, LogView } from "./LogView";
import { Messages } from "./messages";
import { useTranscript } from "./useTranscript";

const opened: Source[] = [];

/** The stream of a log. */
class Source extends EventTarget {
  readonly url: string;
  constructor(url: string) {
    super();
    this.url = url;
    opened.push(this);
  }
  close(): void {}
  say(seq: number, text: string): void {
    this.report(seq, { type: "log", stream: "stdout", text });
  }
  report(seq: number, event: object): void {
    const data = JSON.stringify({ seq, at: 0, event });
    this.dispatchEvent(new MessageEvent("log", { data }));
  }
}

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  opened.length = 0;
});

const messages = new Messages();
const Shown = () => <LogView followed={useTranscript("r", messages)} waiting={[]} />;

test("after a refusal the lines that were read stay, and one tries again from there", async () => {
  vi.stubGlobal("EventSource", Source);
  const refusal = { kind: "forbidden", what: "You may not read this log.", why: null, next: null };
  vi.stubGlobal("fetch", async () => Response.json({ error: refusal }, { status: 403 }));
  render(<Shown />);
  opened[0]?.say(7, "compiled\n");
  await screen.findByText("1 line");
  opened[0]?.dispatchEvent(new Event("error"));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("You may not read this log.");
  expect(screen.getByText("1 line")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(opened).toHaveLength(2));
  expect(opened[1]?.url).toContain("after=7");
  expect(screen.queryByRole("alert")).toBeNull();
});

test("the whole of what the agent was asked is there to be opened, and found", async () => {
  // Without a size nothing is on screen.
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(400);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(800);
  vi.stubGlobal("EventSource", Source);
  render(<Shown />);
  opened[0]?.report(1, { type: "turn_started", turn: 1, prompt: "Do T001.\n\nMind the colours.\n" });
  await userEvent.click(await screen.findByRole("button", { name: "Show all (2 more lines)" }));
  expect(screen.getByText(/Mind the colours/)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Show less" }));
  expect(screen.queryByText(/Mind the colours/)).toBeNull();
  await userEvent.type(screen.getByRole("searchbox"), "colours");
  expect(await screen.findByText("1 of 1")).toBeTruthy();
  expect((await screen.findByText("colours")).tagName).toBe("MARK");
});

test("after the end what people said stands by its own time", () => {
  const line = (at: number, text: string) => ({ at, kind: "note" as const, text });
  const all = byTime([line(1, "a"), line(5, "b"), line(9, "end")], [line(3, "hurry"), line(3, "please"), line(12, "late")]);
  expect(all.map(({ text }) => text)).toEqual(["a", "hurry", "please", "b", "end", "late"]);
});
