import { describe, expect, it } from "vitest";
import { board, matching, type TaskView, wordOf } from "./board";
import { edges, places } from "./graph";
import { keepLast, lastOf } from "./last";
import { usualAgent } from "./usualAgent";

function task(id: string, state: TaskView["state"], depends_on: string[] = [], title = ""): TaskView {
  const at = { project: "p", feature: "001-f", task: id };
  return {
    at,
    state,
    task: {
      id,
      title,
      details: "",
      done: false,
      parallel: false,
      story: null,
      tags: [],
      phase: "Setup",
      phase_index: 0,
      depends_on,
      line: 1,
    },
  };
}
const ready = { state: "ready" } as const;

describe("the board", () => {
  it("puts every task into exactly one column", () => {
    const states: TaskView["state"][] = [
      ready,
      { state: "waiting", on: ["T001"] },
      { state: "running", run: "r" },
      { state: "failed", run: "r", reason: { code: "nothing_changed" } },
      { state: "in_review", patch: "p" },
      { state: "changes_requested", patch: "p" },
      { state: "merged", patch: "p" },
      { state: "done" },
      { state: "rejected", patch: "p" },
    ];
    const columns = board(states.map((state, at) => task(`T00${at}`, state)));
    expect(columns.map((c) => [c.title, c.tasks.length])).toEqual([
      ["Waiting", 1],
      ["Ready", 1],
      ["Running", 1],
      ["Needs you", 4],
      ["Done", 2],
    ]);
  });

  it("finds tasks by all words", () => {
    const tasks = [task("T001", ready, [], "Add login form"), task("T002", ready, [], "Add logout")];
    expect(matching(tasks, "add FORM").map((t) => t.task.id)).toEqual(["T001"]);
    expect(matching(tasks, "").length).toBe(2);
  });
});

describe("the graph", () => {
  it("leaves out what follows from other edges, and what is not there", () => {
    const tasks = [task("A", ready), task("B", ready, ["A"]), task("C", ready, ["A", "B", "gone", "C"])];
    expect(edges(tasks)).toEqual([
      { from: "A", to: "B" },
      { from: "B", to: "C" },
    ]);
  });

  it("survives a circle, and places every task apart from the others", () => {
    const tasks = [task("A", ready, ["B"]), task("B", ready, ["A"]), task("C", ready)];
    const at = places(tasks, edges(tasks));
    expect(new Set([...at.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(3);
  });
});

describe("a task whose run a person stopped", () => {
  const one = task("T001", { state: "failed", run: "r", reason: { code: "stopped", by: "did:key:z" } });
  it("says so, and needs nobody", () => {
    expect(wordOf(one, new Set(), new Map()).text).toBe("Stopped");
    expect(board([one]).find(({ tasks }) => tasks.length > 0)?.title).toBe("Ready");
  });
});

it("the project that was looked at last comes back, where it is there still", () => {
  const here = (...names: string[]) => names.map((name) => ({ project: { name }, head: "a" }));
  expect([lastOf(undefined), lastOf(here("a", "b"))]).toEqual([undefined, "a"]);
  keepLast("b");
  expect([lastOf(here("a", "b")), lastOf(here("a"))]).toEqual(["b", "a"]);
  const away = { project: { name: "b" } };
  expect([lastOf([away, ...here("c")]), lastOf([away])]).toEqual(["c", "b"]);
});

describe("a task whose patch waits", () => {
  const one = task("T001", { state: "in_review", patch: "p" });
  it("is where its patch is", () => {
    expect(wordOf(one, new Set(), new Map()).text).toBe("In review");
    expect(wordOf(one, new Set(), new Map([["p", { text: "To merge", tone: "good" }]])).text).toBe("To merge");
  });
});

describe("the agent that is offered", () => {
  const run = (id: string, agent: string, queued_at: number) => ({
    task: { project: "p", feature: "001-f", task: id },
    agent,
    queued_at,
  });
  const runs = [run("T001", "zoe", 1), run("T002", "bo", 3), run("T001", "al", 2), run("T001", "gone", 9)];
  it.each([
    ["that of the task's last run", ["al", "bo", "zoe"], "001-f/T001", "al"],
    ["else the one used last in the project", ["al", "bo", "zoe"], "001-f/T009", "bo"],
    ["for a feature the one used last", ["al", "bo", "zoe"], undefined, "bo"],
    ["else the only one", ["solo"], "001-f/T001", "solo"],
  ])("is %s", (_, names, at, agent) => expect(usualAgent(names, runs, at)).toBe(agent));
  it("is none where several are new", () => expect(usualAgent(["al", "bo"], [], "001-f/T001")).toBeUndefined());
});
