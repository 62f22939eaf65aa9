// The tab's end of the live connection: a port to the worker that all tabs share; where the browser has none, a stream of its own.
import { JournalStream } from "./stream";
import type { Heard, Said } from "./worker";
import workerUrl from "./worker?sharedworker&url";

/** Starts listening; answers with how to hurry, and how to end. */
export function connect(hear: (heard: Heard) => void): { hurry(): void; end(): void } {
  if (typeof SharedWorker === "undefined") {
    const stream = new JournalStream({ open: (url) => new EventSource(url), now: Date.now }, hear);
    stream.start();
    return { hurry: () => stream.hurry(), end: () => stream.stop() };
  }
  const { port } = new SharedWorker(trusted(workerUrl), { type: "module", name: "meshwork" });
  port.onmessage = ({ data }: MessageEvent<Heard>) => hear(data);
  const say = (said: Said) => port.postMessage(said);
  const bye = () => say("bye");
  window.addEventListener("pagehide", bye);
  return {
    hurry: () => say("hurry"),
    end: () => {
      window.removeEventListener("pagehide", bye);
      bye();
      port.close();
    },
  };
}

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}
let policy: ReturnType<Policies["createPolicy"]> | undefined;

/** Our content policy asks for trusted types: the worker's address is the one script address that the page names by itself. */
function trusted(url: string): string {
  const policies = (window as { trustedTypes?: Policies }).trustedTypes;
  policy ??= policies?.createPolicy("meshwork", {
    createScriptURL: (asked) => {
      if (asked !== workerUrl) throw new TypeError(`${asked} is no script of ours`);
      return asked;
    },
  });
  return policy?.createScriptURL(url) ?? url;
}
