import { expect, test } from "vitest";
import { lines } from "./export";

test("every event is exported once, page after page", async () => {
  const all = [1, 2, 3, 4, 5].map((seq) => ({ seq, incarnation: 1, hash: "h", event: { type: "device_stopped" } }));
  const page = async (after: number) => all.filter((e) => e.seq > after).slice(0, 2) as never;
  let text = "";
  for await (const part of lines(page)) text += part;
  const seqs = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).seq);
  expect(seqs).toEqual([1, 2, 3, 4, 5]);
});
