import { describe, expect, it } from "vitest";
import { pieces, plain } from "../../ui/ansi";
import { type RunnerEvent, Transcript } from "./transcript";

function told(...events: RunnerEvent[]): Transcript {
  const transcript = new Transcript();
  transcript.push(events.map((event, at) => ({ seq: at + 1, at, event })));
  return transcript;
}
const out = (text: string, stream = "stdout"): RunnerEvent => ({ type: "log", stream, text });
const texts = (transcript: Transcript) => transcript.lines.map((line) => line.text);

describe("a run's log as lines", () => {
  it("joins what comes in pieces, and splits what comes in chunks", () => {
    expect(
      texts(told({ type: "message", text: "I will " }, { type: "message", text: "do it.\nNow" }, { type: "message", text: "." })),
    ).toEqual(["I will do it.", "Now."]);
    expect(texts(told(out("a\nb\n"), out("c"), out("d\n\ne")))).toEqual(["a", "b", "cd", "", "e"]);
  });

  it("does not join lines of different streams or speakers", () => {
    expect(texts(told(out("half"), out("bad\n", "stderr"), out("other")))).toEqual(["half", "bad", "other"]);
    expect(texts(told({ type: "message", text: "a" }, { type: "thought", text: "b" }, { type: "message", text: "c" }))).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  it("shows a progress bar as its last state, and colours over several lines", () => {
    expect(texts(told(out("10%\r"), out("50%\r100%\n")))).toEqual(["100%"]);
    expect(texts(told(out("one\r\ntwo\r\n")))).toEqual(["one", "two"]);
    expect(texts(told(out("\x1b[31mred\nstill\x1b[0m\nplain\n")))).toEqual(["\x1b[31mred", "\x1b[31mstill\x1b[0m", "plain"]);
  });

  it("keeps each tool call once, with its latest state and its output below", () => {
    const transcript = told(
      { type: "tool", id: "1", title: "sh run.sh", status: "in_progress", output: "" },
      { type: "tool", id: "1", title: "", status: "completed", output: "ok\nfine\n" },
    );
    expect(transcript.lines.map((l) => [l.kind, l.text])).toEqual([
      ["tool", "sh run.sh"],
      ["output", "ok"],
      ["output", "fine"],
    ]);
    expect(transcript.tools.get("1")).toMatchObject({ title: "sh run.sh", status: "completed" });
  });

  it("takes no entry twice, so that a resumed stream may overlap", () => {
    const transcript = told(out("a\n"), out("b\n"));
    transcript.push([
      { seq: 2, at: 1, event: out("b\n") },
      { seq: 3, at: 2, event: out("c\n") },
    ]);
    expect(texts(transcript)).toEqual(["a", "b", "c"]);
  });
});

describe("terminal text", () => {
  it("keeps colours and drops everything else that a terminal would do", () => {
    const text = "\x1b[1;32mok\x1b[0m \x1b[2K\x1b[1A\x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\\x07";
    expect(plain(text)).toBe("ok link");
    expect(pieces(text).map((p) => [p.text, p.fg, p.bold])).toEqual([
      ["ok", "green", true],
      [" link", undefined, false],
    ]);
    expect(pieces("\x1b[38;2;1;2;3mx")[0]).toMatchObject({ text: "x", fg: "1, 2, 3" });
  });

  it("leaves markup as the text that it is", () => {
    expect(pieces("<img src=x onerror=alert(1)>")).toEqual([{ text: "<img src=x onerror=alert(1)>" }]);
  });
});
