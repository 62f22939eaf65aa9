// Keeps the query cache in step with the journal, and says whether it is.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { connect } from "./connection";
import { Refresher } from "./refresher";
import { OF_OTHERS, touched } from "./touched";

/** `connecting` only at first; `lost` since the moment of which everything shown is. */
export type Connection = { state: "connecting" | "live" } | { state: "lost"; asOf: number };

let connection: Connection = { state: "connecting" };
const watchers = new Set<() => void>();

function set(next: Connection): void {
  if (next.state === connection.state) return;
  connection = next;
  for (const watcher of watchers) watcher();
}

export function useConnection(): Connection {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => connection,
  );
}

/** How long a page waits for the live connection before it reads without. */
const PATIENCE_MS = 1_000;

/** Whether pages may read: what is read before the connection stands would have to be read again once it does. */
export function useReady(): boolean {
  const { state } = useConnection();
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setWaited(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return waited || state !== "connecting";
}

/** Used once, by the frame. */
export function useLive(): void {
  const client = useQueryClient();
  useEffect(() => {
    const refresher = new Refresher(client);
    const { hurry, end } = connect((heard) => {
      if (heard.kind === "hello") {
        // What was read before this moment may have missed an event.
        if (heard.live) refresher.touchEverything();
        set(heard.live ? { state: "live" } : connection);
        return;
      }
      if (heard.kind === "live") {
        if (heard.live && connection.state === "connecting") refresher.touchEverything();
        // What was asked for in between was refused by nobody: ask again.
        if (heard.live) void client.refetchQueries({ predicate: (query) => query.state.status === "error" });
        set(heard.live ? { state: "live" } : { state: "lost", asOf: heard.at });
      }
      if (heard.kind === "others") refresher.touch(OF_OTHERS);
      if (heard.kind === "reset") refresher.touchEverything();
      if (heard.kind === "events") refresher.touch(heard.entries.flatMap((entry) => touched(entry.event)));
    });
    const look = () => document.visibilityState === "visible" && connection.state === "lost" && hurry();
    window.addEventListener("online", hurry);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", look);
      end();
    };
  }, [client]);
}
