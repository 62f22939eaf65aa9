import { beforeEach, describe, expect, it, vi } from "vitest";
import { CATCH_UP_EVENTS, JournalStream, SILENCE_MS, type Source, type Told } from "./stream";

interface Line {
  from: number;
  listeners: Map<string, (event: { data?: string }) => void>;
  closed: boolean;
}

/** A program whose journal grows, and whose connections break when told to: it serves `/events` as the real one does. */
class Program {
  journal = 0;
  incarnation = 1;
  up = true;
  opened: string[] = [];
  #open: Line[] = [];

  open(url: string): Source {
    this.opened.push(url);
    const after = new URL(url, "http://here").searchParams.get("after");
    const line: Line = { from: after === null ? this.journal : Number(after), listeners: new Map(), closed: false };
    this.#open.push(line);
    setTimeout(() => {
      if (line.closed) return;
      if (!this.up) return line.listeners.get("error")?.({});
      line.listeners.get("head")?.({ data: JSON.stringify({ seq: this.journal, incarnation: this.incarnation }) });
      this.#send(line);
    });
    return {
      addEventListener: (type, listener) => line.listeners.set(type, listener),
      close: () => {
        line.closed = true;
      },
    };
  }

  happen(count: number): void {
    this.journal += count;
    if (this.up) for (const line of this.#open) this.#send(line);
  }

  fail(): void {
    this.up = false;
    for (const line of this.#open.splice(0)) if (!line.closed) line.listeners.get("error")?.({});
  }

  alive(): void {
    for (const line of this.#open) if (!line.closed) line.listeners.get("alive")?.({ data: "1" });
  }

  #send(line: Line): void {
    while (!line.closed && line.from < this.journal) {
      line.from += 1;
      const event = { type: "backed_up" };
      line.listeners.get("journal")?.({ data: JSON.stringify({ seq: line.from, incarnation: this.incarnation, event }) });
    }
  }
}

const program = { now: new Program() };
let told: Told[];
let stream: JournalStream;
const seqs = () => told.flatMap((t) => (t.kind === "events" ? t.entries.map((e) => e.seq) : []));
const kinds = () => told.map((t) => (t.kind === "live" ? (t.live ? "live" : "lost") : t.kind));

beforeEach(async () => {
  vi.useFakeTimers();
  program.now = new Program();
  program.now.journal = 10;
  told = [];
  stream = new JournalStream({ open: (url) => program.now.open(url), now: Date.now }, (t) => told.push(t));
  stream.start();
  await vi.advanceTimersByTimeAsync(1);
});

describe("the live connection", () => {
  it("begins at the journal's end, and tells together what comes together", async () => {
    program.now.happen(3);
    await vi.advanceTimersByTimeAsync(100);
    expect(kinds()).toEqual(["live", "events"]);
    expect(seqs()).toEqual([11, 12, 13]);
  });

  it("misses nothing over a lost connection, and says when it is lost", async () => {
    program.now.happen(1);
    await vi.advanceTimersByTimeAsync(100);
    program.now.fail();
    program.now.happen(4);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kinds()).toEqual(["live", "events", "lost"]);
    program.now.up = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(program.now.opened.at(-1)).toBe("/events?after=11");
    expect(kinds()).toEqual(["live", "events", "lost", "live", "events"]);
    expect(seqs()).toEqual([11, 12, 13, 14, 15]);
  });

  it("tells what it heard before it tells that the connection is lost", async () => {
    program.now.happen(2);
    program.now.fail();
    expect(kinds()).toEqual(["live", "events", "lost"]);
  });

  it("notices a line that is dead without breaking, and stays while it is only quiet", async () => {
    for (let i = 0; i < 5; i += 1) {
      await vi.advanceTimersByTimeAsync(15_000);
      program.now.alive();
    }
    expect(kinds()).toEqual(["live"]);
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 1);
    expect(kinds().slice(0, 2)).toEqual(["live", "lost"]);
  });

  it("asks for everything anew after a long absence, another journal, or a hole", async () => {
    program.now.fail();
    program.now.happen(CATCH_UP_EVENTS + 1);
    program.now.up = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(kinds()).toEqual(["live", "lost", "reset", "live"]);
    expect(seqs()).toEqual([]);

    program.now.fail();
    program.now.incarnation = 2;
    program.now.up = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(kinds().slice(4)).toEqual(["lost", "reset", "live"]);
  });
});
