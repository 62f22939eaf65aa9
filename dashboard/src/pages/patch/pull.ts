// The command that brings what was merged into a working copy: told with a merge, the same for the whole project, and kept in this browser.
const KEY = "meshwork.pull.";

export const pullOf = (project: string): string | null => localStorage.getItem(KEY + project);

export function keepPull(project: string, command: string): void {
  try {
    localStorage.setItem(KEY + project, command);
  } catch {
    // The browser's store is full or forbidden: the command is not shown then.
  }
}
