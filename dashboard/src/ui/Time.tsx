// Moments and spans that go on by themselves; one clock for the whole page.
import { useSyncExternalStore } from "react";
import { ago, moment, span } from "./words";

const watchers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of watchers) each();
  }, 1_000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

/** How long ago something was; the exact time as a hint. */
export function Ago({ at }: { at: number }) {
  // The words, not the clock: of a long list only those are drawn anew whose words changed.
  const words = useSyncExternalStore(watch, () => ago(at, now));
  return (
    <time className="number muted" dateTime={new Date(at).toISOString()} title={moment(at)}>
      {words}
    </time>
  );
}

/** How long something took, or takes since it began. */
export function Span({ from, to }: { from: number; to?: number | null }) {
  return to ? <span className="number">{span(to - from)}</span> : <Running from={from} />;
}

function Running({ from }: { from: number }) {
  return <span className="number">{span(Math.max(1_000, useNow() - from))}</span>;
}
