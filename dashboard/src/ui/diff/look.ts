// Side by side or inline: kept in this browser. A narrow screen has room for one column only.
import { useSyncExternalStore } from "react";

export type Look = "split" | "inline";

const KEY = "meshwork.diff";
const NARROW = "(max-width: 1000px)";
const watchers = new Set<() => void>();

const kept = (): Look => (localStorage.getItem(KEY) === "inline" ? "inline" : "split");

function watch(watcher: () => void): () => void {
  const media = window.matchMedia(NARROW);
  media.addEventListener("change", watcher);
  watchers.add(watcher);
  return () => {
    media.removeEventListener("change", watcher);
    watchers.delete(watcher);
  };
}

export function useDiffLook(): [look: Look, set: (look: Look) => void, narrow: boolean] {
  const look = useSyncExternalStore(watch, kept);
  const narrow = useSyncExternalStore(watch, () => window.matchMedia(NARROW).matches);
  const set = (next: Look) => {
    localStorage.setItem(KEY, next);
    for (const watcher of watchers) watcher();
  };
  return [narrow ? "inline" : look, set, narrow];
}
