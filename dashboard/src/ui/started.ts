// What became of tasks that were given to an agent: how many runs wait now, what was left out, and what keeps them from starting.
import type { Output } from "../api/call";
import { useAct } from "../api/query";
import { notify } from "./Toasts";
import { plural } from "./words";

type Started = Output<"task.run">;

/** What is to be told of it; nothing where all went as one expects. */
export function said({ runs, skipped, notices }: Started): { tone: "good" | "bad"; title: string; text: string } | undefined {
  const words = [...skipped.map(({ task, why }) => `${task}: ${why}`), ...notices];
  if (words.length === 0) return undefined;
  const title = runs.length === 0 ? "Nothing was queued" : `${plural(runs.length, "run")} queued`;
  return { tone: runs.length === 0 ? "bad" : "good", title, text: words.join(" ") };
}

/** Gives a task to an agent from a button that shows by itself that it went on. */
export function useRunTask() {
  return useAct("task.run", {
    done: (started) => {
      const words = said(started);
      if (words) notify(words);
    },
  });
}
