// Side by side or inline: kept in this browser. A narrow screen has room for one column only.
import { useSyncExternalStore } from "react";
import { keep, kept, watchKept } from "../kept";

export type Look = "split" | "inline";

const KEY = "meshwork.diff";
const NARROW = "(max-width: 1000px)";

const look = (): Look => (kept(KEY) === "inline" ? "inline" : "split");

function watch(watcher: () => void): () => void {
  const media = window.matchMedia(NARROW);
  media.addEventListener("change", watcher);
  const end = watchKept(watcher);
  return () => {
    media.removeEventListener("change", watcher);
    end();
  };
}

export function useDiffLook(): [look: Look, set: (look: Look) => void, narrow: boolean] {
  const chosen = useSyncExternalStore(watch, look);
  const narrow = useSyncExternalStore(watch, () => window.matchMedia(NARROW).matches);
  return [narrow ? "inline" : chosen, (next) => keep(KEY, next), narrow];
}
