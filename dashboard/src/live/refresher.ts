// Brings touched reads up to date, however fast events come: one round at a time, and what is touched during a round is read again
// in the next. So nothing is missed, and nobody asks more often than the program answers.
import type { Query, QueryClient } from "@tanstack/react-query";
import { isTouched, type Touch } from "./touched";

/** The pause between two rounds: a list that changes 200 times a second is read a few times a second. */
const PAUSE_MS = 150;

export class Refresher {
  #client: QueryClient;
  #waiting = new Map<string, Touch>();
  #everything = false;
  #busy = false;

  constructor(client: QueryClient) {
    this.#client = client;
  }

  touch(touches: Touch[]): void {
    for (const touch of touches) this.#waiting.set(`${touch.action} ${touch.run ?? ""}`, touch);
    void this.#rounds();
  }

  touchEverything(): void {
    this.#everything = true;
    void this.#rounds();
  }

  async #rounds(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#everything || this.#waiting.size > 0) {
      const touches = [...this.#waiting.values()];
      const everything = this.#everything;
      this.#waiting.clear();
      this.#everything = false;
      await this.#readAgain((query) => everything || isTouched(query.queryKey, touches));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#busy = false;
  }

  /** A first read that is under way is not asked again by the cache, though its answer may be from before: it gets its turn after. */
  async #readAgain(predicate: (query: Query) => boolean): Promise<void> {
    const first = this.#client
      .getQueryCache()
      .findAll({ predicate, fetchStatus: "fetching" })
      .filter((query) => query.state.data === undefined);
    await this.#client.invalidateQueries({ predicate });
    if (first.length > 0) await this.#client.invalidateQueries({ predicate: (query) => first.includes(query) });
  }
}
