// The command that brings what was merged into a working copy: told with a merge, the same for the whole project, and kept in this browser.
import { useSyncExternalStore } from "react";

const KEY = "meshwork.pull.";
const watchers = new Set<() => void>();

export function keepPull(project: string, command: string): void {
  try {
    localStorage.setItem(KEY + project, command);
  } catch {
    // The browser's store is full or forbidden: the command is not shown then.
  }
  for (const watcher of watchers) watcher();
}

/** None where no merge of this project was asked for in this browser. */
export const usePull = (project: string): string | null =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => localStorage.getItem(KEY + project),
  );
