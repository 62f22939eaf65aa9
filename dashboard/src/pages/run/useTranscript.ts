// Follows a run's log while the page can be seen, and goes on where it was when it can be seen again.
import { useEffect, useState } from "react";
import { ApiError, call, type Problem, problemOf } from "../../api/call";
import type { Messages } from "./messages";
import { type Entry, Transcript } from "./transcript";

const RETRY_MS = 1_000;
/** What arrives within this is shown together. */
const JOIN_MS = 50;

export interface Followed {
  transcript: Transcript;
  /** Changes with every arrival: the transcript itself is one object that grows. */
  version: number;
  /** Everything that was reported so far is here. */
  complete: boolean;
  /** Why nothing more comes: it was refused. What came before stays. */
  problem?: Problem;
  /** Asks again after a refusal, and goes on where it was. */
  retry: () => void;
}

export function useTranscript(run: string, messages: Messages): Followed {
  const [followed, setFollowed] = useState<Followed>(fresh);
  useEffect(() => {
    const transcript = new Transcript(messages);
    const log = follow(run, transcript, (complete, problem) =>
      setFollowed(({ version, complete: before, retry }) => ({
        transcript,
        version: version + 1,
        complete: complete || before,
        problem,
        retry,
      })),
    );
    setFollowed({ ...fresh(), transcript, retry: log.retry });
    return log.end;
  }, [run, messages]);
  return followed;
}

const fresh = (): Followed => ({ transcript: new Transcript(), version: 0, complete: false, retry: () => undefined });

interface Log {
  retry: () => void;
  end: () => void;
}

function follow(run: string, transcript: Transcript, changed: (complete: boolean, problem?: Problem) => void): Log {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pending: Entry[] = [];
  let flush: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  const deliver = () => {
    clearTimeout(flush);
    flush = undefined;
    transcript.push(pending);
    pending = [];
    changed(false);
  };
  const open = () => {
    clearTimeout(timer);
    if (over || source || document.visibilityState === "hidden") return;
    source = new EventSource(`/api/v1/run/${run}/log/events?after=${transcript.lastSeq}`);
    source.addEventListener("log", ({ data }: MessageEvent<string>) => {
      pending.push(JSON.parse(data));
      flush ??= setTimeout(deliver, JOIN_MS);
    });
    // The stream ends with the log, and breaks with the connection: the log itself says which.
    source.addEventListener("error", () => void ended());
  };
  const close = () => {
    source?.close();
    source = undefined;
    deliver();
  };
  const ended = async () => {
    close();
    try {
      const page = await call("run.logs", { run, after: transcript.lastSeq });
      transcript.push(page.lines);
      over = page.ended;
      changed(over);
    } catch (error) {
      const lost = !(error instanceof ApiError) || error.problem.kind === "unavailable";
      over = !lost;
      changed(false, lost ? undefined : problemOf(error));
    }
    if (!over) timer = setTimeout(open, RETRY_MS);
  };
  const look = () => {
    // What it was refused for stays to be read.
    if (!over) document.visibilityState === "hidden" ? close() : open();
  };

  document.addEventListener("visibilitychange", look);
  open();
  return {
    retry: () => {
      over = false;
      changed(false);
      open();
    },
    end: () => {
      over = true;
      document.removeEventListener("visibilitychange", look);
      source?.close();
      clearTimeout(timer);
      clearTimeout(flush);
    },
  };
}
