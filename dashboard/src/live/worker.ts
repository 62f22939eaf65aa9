// Shared by all tabs of the browser: holds the one connection, and tells every tab what it hears.
import { JournalStream, type Told } from "./stream";

/** What a tab says to the worker. */
export type Said = "hurry" | "bye";
/** What a tab hears: first whether the connection stands. */
export type Heard = Told | { kind: "hello"; live: boolean };

declare const self: { onconnect: ((event: MessageEvent) => void) | null };

const ports = new Set<MessagePort>();
const stream = new JournalStream({ open: (url) => new EventSource(url), now: Date.now }, (told) => {
  for (const port of ports) port.postMessage(told);
});

self.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  ports.add(port);
  port.onmessage = ({ data }: MessageEvent<Said>) => {
    if (data === "hurry") stream.hurry();
    else ports.delete(port);
  };
  stream.start();
  port.postMessage({ kind: "hello", live: stream.live } satisfies Heard);
};
