// Short texts that this browser keeps from visit to visit, by name; who shows one is told when it changes.
const watchers = new Set<() => void>();

export const kept = (key: string): string | null => localStorage.getItem(key);

/** An empty text is kept as none. */
export function keep(key: string, text: string): void {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // The browser's store is full or forbidden: what is there lasts as long as the page is open.
  }
  for (const watcher of watchers) watcher();
}

/** For `useSyncExternalStore`. */
export function watchKept(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}
