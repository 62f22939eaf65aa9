// The project whose tasks were looked at last, kept in this browser.
const KEY = "meshwork.tasks.project";

/** That one, where it is there still; else the first. */
export function lastOf(names: readonly string[] | undefined): string | undefined {
  const last = localStorage.getItem(KEY);
  return names?.find((name) => name === last) ?? names?.[0];
}

export function keepLast(name: string): void {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // The browser's store is full or forbidden: the first is shown next time.
  }
}
