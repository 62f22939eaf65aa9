import { describe, expect, it } from "vitest";
import { Messages, told } from "./messages";
import { type RunnerEvent, Transcript } from "./transcript";

const waits = (order: number, text: string, why: string | null = null) => ({ order, who: "ada", text, at: order, why });
const shown = (lines: readonly { who?: string; text: string; status?: string }[]) =>
  lines.map(({ who, text, status }) => [who, text, status].filter(Boolean).join(" | "));
const got = (order: number): RunnerEvent => ({ type: "message_delivered", order });
const turn = (prompt: string): RunnerEvent => ({ type: "turn_started", turn: 2, prompt });
const WAITS = "sent; the agent is told when its turn ends";

function log(messages: Messages, ...events: RunnerEvent[]): string[] {
  const transcript = new Transcript(messages);
  transcript.push(events.map((event, at) => ({ seq: at + 1, at, event })));
  return shown(transcript.lines);
}

describe("what people tell an agent", () => {
  it("stands in the log at once, and says of itself that it waits", () => {
    const messages = new Messages();
    messages.send("Mind the gap.", 1);
    expect(shown(messages.lines([]))).toEqual([`You | Mind the gap. | ${WAITS}`]);
  });

  it("is not shown twice when the program tells of it", () => {
    const messages = new Messages();
    messages.send("Mind the gap.", 1);
    const waiting = [waits(3, "Mind the gap.")];
    messages.learn(waiting);
    expect(shown(messages.lines(waiting))).toEqual([`ada | Mind the gap. | ${WAITS}`]);
    messages.send("Mind the gap.", 2);
    messages.learn(waiting);
    expect(messages.lines(waiting).length).toBe(2);
  });

  it("stands where the agent got it, and at the end no more", () => {
    const messages = new Messages();
    const waiting = [waits(3, "Mind\nthe gap."), waits(4, "Hurry.")];
    messages.learn(waiting);
    expect(log(messages, got(3), turn("Mind\nthe gap."))).toEqual(["ada | Mind", "the gap. | delivered", "Turn 2 begins."]);
    expect(shown(messages.lines(waiting))).toEqual([`ada | Hurry. | ${WAITS}`]);
  });

  it("is known also where the agent got it before anybody saw it wait", () => {
    const messages = new Messages();
    messages.send("Hurry.", 1);
    expect(log(messages, got(3))).toEqual(["You | Hurry. | delivered"]);
    expect(messages.lines([])).toEqual([]);
    expect(log(messages, got(3)), "also where the log is read anew").toEqual(["You | Hurry. | delivered"]);
  });

  it("is only said to have come where its words are not known", () => {
    expect(log(new Messages(), got(3), turn("Mind the gap."))).toEqual([
      "A person’s message was handed to the agent.",
      "Turn 2 begins: Mind the gap.",
    ]);
  });

  it("says why it was not delivered, and goes where it was refused", () => {
    const messages = new Messages();
    const late = [waits(3, "Hurry.", "The run ended before.")];
    messages.learn(late);
    expect(shown(messages.lines(late))).toEqual(["ada | Hurry. | not delivered: The run ended before."]);
    messages.giveUp(messages.send("Again.", 2));
    expect(messages.lines(late).length).toBe(1);
  });

  it("joins what a run says of its messages in two lists", () => {
    const messages = [{ order: 7, by: "did:key:z6Mk", at: 5, text: "b3:0" }];
    expect(told({ messages, undelivered: [{ text: "Hurry.", why: null }] }, () => "ada")).toEqual([
      { order: 7, who: "ada", text: "Hurry.", at: 5, why: null },
    ]);
    expect(told({}, () => "ada")).toEqual([]);
  });
});
