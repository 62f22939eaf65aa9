// Short texts that this browser keeps from visit to visit, by name; who shows one is told when it changes.
const watchers = new Set<() => void>();

/** What the browser did not keep, for its store is full or forbidden: that lasts as long as the page is open. */
const unkept = new Map<string, string>();

export function kept(key: string): string | null {
  const text = unkept.get(key);
  if (text !== undefined) return text || null;
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** An empty text is kept as none. */
export function keep(key: string, text: string): void {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
    unkept.delete(key);
  } catch {
    unkept.set(key, text);
  }
  for (const watcher of watchers) watcher();
}

/** For `useSyncExternalStore`. */
export function watchKept(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}
