// What people tell the agent, as lines of the log: at once when it is sent, at the end of the log while it waits, and at its place once the
// agent has it. Its text is known of what was sent from this page or was seen waiting; the log itself only says that it was delivered.
import type { Schemas } from "../../api/call";
import type { Line } from "./transcript";

export interface Told {
  /** The order's number within the run. */
  order: number;
  who: string;
  text: string;
  at: number;
  /** Why the agent will not get it. */
  why?: string | null;
}

/** Sent, and nothing was heard of it yet. */
export interface Sending {
  text: string;
  at: number;
  /** The last order that was known before. */
  after: number;
}

interface OfRun {
  messages?: Schemas["Message"][];
  undelivered?: Schemas["Undelivered"][];
}

/** What a run's agent did not get, or not yet: who and when stands in one list, the text in the other. */
export function told({ messages = [], undelivered = [] }: OfRun, nameOf: (did: string) => string): Told[] {
  return messages.flatMap(({ order, by, at }, index) => {
    const one = undelivered[index];
    return one ? [{ order, at, who: nameOf(by), ...one }] : [];
  });
}

export class Messages {
  readonly #known = new Map<number, Told>();
  readonly #delivered = new Set<number>();
  #sending: Sending[] = [];

  send(text: string, at: number): Sending {
    const sending = { text, at, after: Math.max(-1, ...this.#known.keys(), ...this.#delivered) };
    this.#sending.push(sending);
    return sending;
  }

  /** It was refused. */
  giveUp(sending: Sending): void {
    this.#sending = this.#sending.filter((one) => one !== sending);
  }

  /** Takes what the program says of those that wait. */
  learn(waiting: readonly Told[]): void {
    for (const one of waiting) {
      const heard = !this.#known.has(one.order) && this.#sending.find(({ text, after }) => after < one.order && text === one.text);
      if (heard) this.giveUp(heard);
      this.#known.set(one.order, one);
    }
  }

  /** The agent got it; gives who said what, where that is known. */
  deliver(order: number): Pick<Told, "who" | "text"> | undefined {
    this.#delivered.add(order);
    const known = this.#known.get(order);
    if (known) return known;
    // So fast that nobody saw it wait.
    const sent = this.#sending.find(({ after }) => after < order);
    if (!sent) return undefined;
    this.giveUp(sent);
    const mine = { order, who: YOU, text: sent.text, at: sent.at };
    this.#known.set(order, mine);
    return mine;
  }

  /** Those that stand at the end of the log. */
  lines(waiting: readonly Told[]): readonly Line[] {
    const left = waiting.filter(({ order }) => !this.#delivered.has(order));
    if (left.length + this.#sending.length === 0) return none;
    return [
      ...left.flatMap(({ who, text, at, why }) => spoken(at, who, text, why ? `not delivered: ${why}` : WAITS)),
      ...this.#sending.flatMap(({ text, at }) => spoken(at, YOU, text, WAITS)),
    ];
  }
}

/** Why it is not delivered at once. */
const WAITS = "sent; the agent is told when its turn ends";
export const YOU = "You";
const none: readonly Line[] = [];

/** What somebody said: their name before the first line, what became of it behind the last. */
export function spoken(at: number, who: string, text: string, status: string): Line[] {
  const parts = text.trimEnd().split("\n");
  return parts.map((part, index) => ({
    at,
    kind: "person",
    text: part,
    who: index === 0 ? who : undefined,
    status: index === parts.length - 1 ? status : undefined,
  }));
}
