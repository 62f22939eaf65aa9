import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Answer, clear, hear, type Proposal, type Result, restored, say, talkNow, useTalk } from "./conversation";
import { Proposals } from "./Proposals";

const proposal = (id: string, more: Partial<Proposal> = {}): Proposal => ({
  id,
  action: "task.run",
  input: {},
  sentence: `Run T00${id} with builder.`,
  effect: { count: 1, of: "task", names: [`T00${id}`], notes: ["It uses the model of builder."] },
  undo: "End the runs that it starts.",
  untrusted: false,
  until: 0,
  ...more,
});

const answer = (...proposals: Proposal[]): Answer => ({
  conversation: "c_1",
  by: "grammar",
  understood: "Run tasks.",
  text: "",
  looked: [],
  items: [],
  proposals,
  problems: [],
  choices: [],
  examples: [],
  untrusted: false,
});

const result = (id: string, more: Partial<Result> = {}): Result => ({
  proposal: id,
  action: "task.run",
  sentence: "",
  done: true,
  text: "1 run is queued.",
  problem: null,
  items: [],
  output: null,
  undo: "End the run at T001.",
  ...more,
});

/** What the program answers at each address, and what it was sent. */
const answers = new Map<string, () => unknown>();
const sent: [path: string, body: unknown][] = [];

beforeEach(() => {
  sent.length = 0;
  answers.clear();
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    sent.push([url, JSON.parse(String(init.body))]);
    const given = await answers.get(url)?.();
    return given instanceof Response ? given : Response.json(given);
  });
});

afterEach(() => {
  cleanup();
  clear();
  vi.unstubAllGlobals();
});

const nothing = () => undefined;

function Last() {
  const { turns, spoken } = useTalk();
  const turn = turns.at(-1);
  return (
    <>
      {turn && <Proposals turn={turn} onGo={nothing} onDone={nothing} />}
      <p role="status">{spoken}</p>
    </>
  );
}

const user = userEvent.setup();
const press = (name: string | RegExp) => user.click(screen.getByRole("button", { name }));
const refused = (what: string) => Response.json({ error: { kind: "conflict", what, next: "Say it again." } }, { status: 409 });

test("nothing is done before the yes; then each is carried out by itself, and its result is seen before the next is there", async () => {
  let second: (value: unknown) => void = nothing;
  answers.set("/api/v1/command/understand", () => answer(proposal("1"), proposal("2")));
  answers.set("/api/v1/command/run", () => (sent.length < 3 ? { results: [result("1")] } : new Promise((done) => (second = done))));
  await say("run T001 and T002");
  render(<Last />);
  expect(sent.map(([path]) => path)).toEqual(["/api/v1/command/understand"]);
  expect(screen.getByRole("status").textContent).toContain("2 changes wait for your yes.");

  await press("Yes, do 2 changes");
  const [one, two] = screen.getAllByRole("listitem") as [HTMLElement, HTMLElement];
  await within(one).findByText("1 run is queued.");
  expect(within(two).getByText("Being done")).toBeTruthy();
  second({ results: [result("2", { text: "T002 runs." })] });
  await within(two).findByText("T002 runs.");
  expect(sent.slice(1)).toEqual(
    ["1", "2"].map((id) => ["/api/v1/command/run", { conversation: "c_1", proposals: [id], knowingly: false }]),
  );
});

test("what is left out of several is not done", async () => {
  answers.set("/api/v1/command/understand", () => answer(proposal("1"), proposal("2")));
  answers.set("/api/v1/command/run", () => ({ results: [result("2")] }));
  await say("run T001 and T002");
  render(<Last />);
  await user.click(screen.getByRole("checkbox", { name: "Run T001 with builder." }));
  await press("Yes, do 1 change");
  await screen.findByText("1 run is queued.");
  expect(sent).toHaveLength(2);
  expect(screen.getByRole("button", { name: "Yes, do it" })).toBeTruthy();
});

test("what came after text of others says so, and its yes is a knowing one", async () => {
  answers.set("/api/v1/command/understand", () => answer(proposal("1", { untrusted: true })));
  answers.set("/api/v1/command/run", () => ({ results: [result("1")] }));
  await say("do what the log says");
  render(<Last />);
  expect(screen.getByText(/which may have asked for it/)).toBeTruthy();
  await press("Yes, I have looked at it");
  await waitFor(() => expect(sent[1]?.[1]).toMatchObject({ knowingly: true }));
});

test("a refusal is told with what to do, and offers no undo; a result can be undone once", async () => {
  answers.set("/api/v1/command/understand", () => answer(proposal("1")));
  answers.set("/api/v1/command/run", () => refused("“Run T001” was proposed too long ago."));
  await say("run T001");
  render(<Last />);
  await press("Yes, do it");
  await screen.findByText("“Run T001” was proposed too long ago.");
  expect(screen.getByRole("status").textContent).toContain("Say it again.");
  expect(screen.queryByRole("button")).toBeNull();

  answers.set("/api/v1/command/run", () => ({ results: [result("1")] }));
  answers.set("/api/v1/command/undo", () => ({ results: [result("1", { text: "The run is ended.", undo: null })] }));
  await say("run T001");
  await press("Yes, do it");
  await screen.findByText("1 run is queued.");
  await press("Undo: End the run at T001.");
  await screen.findByText("The run is ended.");
  expect(screen.queryByRole("button")).toBeNull();
});

test("a written yes or no is to what was proposed last, also where it was written before that was understood", async () => {
  answers.set("/api/v1/command/understand", () => answer(proposal("1")));
  answers.set("/api/v1/command/run", () => ({ results: [result("1")] }));
  void hear("run T001");
  await hear("Yes.");
  await waitFor(() => expect(talkNow().turns[0]?.fates["1"]?.state).toBe("done"));
  expect(sent).toHaveLength(2);
  await hear("run T001");
  await hear("no");
  expect(talkNow().turns[1]?.fates["1"]).toEqual({ state: "left" });
  // Nothing waits any more: now it is a sentence like any other.
  await hear("yes");
  expect(sent.at(-1)?.[1]).toMatchObject({ text: "yes" });
});

test("a written yes does nothing to what came after text of others", async () => {
  answers.set("/api/v1/command/understand", () => answer(proposal("1", { untrusted: true })));
  await hear("do what the log says");
  await hear("yes");
  expect(sent.map(([path]) => path)).toEqual(["/api/v1/command/understand", "/api/v1/command/understand"]);
});

test("the conversation goes on with what was said before, and is there again after the page was loaded anew", async () => {
  answers.set("/api/v1/command/understand", () => answer(proposal("1")));
  await say("run T001");
  await say("and T002");
  expect(sent.map(([, body]) => body)).toEqual([{ text: "run T001" }, { text: "and T002", conversation: "c_1" }]);
  expect(restored()).toEqual(talkNow().turns);

  answers.set("/api/v1/command/understand", () => new Promise(nothing));
  void say("never answered");
  expect(restored().at(-1)?.problem?.what).toContain("loaded anew");
});
