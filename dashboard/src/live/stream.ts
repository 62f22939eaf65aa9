// The journal as it grows: one connection to `/events` that comes back by itself, goes on after the last event it saw, and says
// when it cannot promise that nothing was missed. Knows neither pages nor tabs.
import type { Output } from "../api/call";

export type JournalEntry = Output<"journal.list">[number];

/** What the stream tells. `at` is when it last heard something; `reset`: look at everything anew; `others`: journals of other devices grew. */
export type Told =
  | { kind: "live"; live: boolean; at: number }
  | { kind: "events"; entries: JournalEntry[]; at: number }
  | { kind: "others"; at: number }
  | { kind: "reset"; at: number };

/** The part of `EventSource` that is used. */
export interface Source {
  addEventListener(type: string, listener: (event: { data?: string }) => void): void;
  close(): void;
}

export interface World {
  open(url: string): Source;
  now(): number;
}

/** The program says each 15 s that it lives. */
export const SILENCE_MS = 40_000;
const RETRY_MS = [250, 500, 1_000, 2_000, 4_000];
/** Who was away for longer reads anew instead of event by event. */
export const CATCH_UP_EVENTS = 2_000;
/** Events that come together are told together. */
const JOIN_MS = 20;

export class JournalStream {
  #world: World;
  #tell: (told: Told) => void;
  #source: Source | undefined;
  #last: { seq: number; incarnation: number } | undefined;
  #failures = 0;
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pending: JournalEntry[] = [];
  #flush: ReturnType<typeof setTimeout> | undefined;
  live = false;

  constructor(world: World, tell: (told: Told) => void) {
    this.#world = world;
    this.#tell = tell;
  }

  start(): void {
    if (!this.#source) this.#connect();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#flush);
    this.#source?.close();
    this.#source = undefined;
  }

  /** Somebody knows that the network is back: no need to wait. */
  hurry(): void {
    if (!this.live) this.#connect();
  }

  #connect(): void {
    this.stop();
    const source = this.#world.open(this.#last ? `/events?after=${this.#last.seq}` : "/events");
    this.#source = source;
    const on = (type: string, then: (data: string) => void) =>
      source.addEventListener(type, (event) => {
        if (this.#source !== source) return;
        this.#heardAt = this.#world.now();
        this.#watch();
        then(event.data ?? "");
      });
    on("head", (data) => this.#head(JSON.parse(data)));
    on("journal", (data) => this.#event(JSON.parse(data)));
    on("others", () => this.#tell({ kind: "others", at: this.#world.now() }));
    on("alive", () => {});
    source.addEventListener("error", () => this.#source === source && this.#lost());
    this.#watch();
  }

  #head(head: { seq: number; incarnation: number }): void {
    const last = this.#last;
    const away = last ? head.seq - last.seq : 0;
    const other = last && last.incarnation !== head.incarnation;
    if (!last || other || away < 0 || away > CATCH_UP_EVENTS) {
      this.#last = head;
      if (last) this.#tell({ kind: "reset", at: this.#world.now() });
    }
    this.#failures = 0;
    this.live = true;
    this.#tell({ kind: "live", live: true, at: this.#world.now() });
  }

  #event(entry: JournalEntry): void {
    const last = this.#last;
    if (last && entry.seq <= last.seq) return;
    // The journal has no gaps: a hole means that something was lost on the way.
    if (last && entry.seq > last.seq + 1) this.#tell({ kind: "reset", at: this.#world.now() });
    this.#last = { seq: entry.seq, incarnation: entry.incarnation };
    this.#pending.push(entry);
    this.#flush ??= setTimeout(() => this.#deliver(), JOIN_MS);
  }

  #deliver(): void {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const entries = this.#pending;
    this.#pending = [];
    if (entries.length > 0) this.#tell({ kind: "events", entries, at: this.#world.now() });
  }

  #lost(): void {
    this.#deliver();
    this.stop();
    if (this.live) this.#tell({ kind: "live", live: false, at: this.#heardAt });
    this.live = false;
    const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), SILENCE_MS);
  }
}
