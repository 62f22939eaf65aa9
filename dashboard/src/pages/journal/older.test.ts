import { expect, test } from "vitest";
import { older } from "./older";

const journal = Array.from({ length: 25 }, (_, at) => ({ seq: at + 1, incarnation: 1, hash: "h", event: { type: "device_stopped" } }));
const list = async ({ after = journal.length - 10, limit }: { after?: number; limit: number }) =>
  journal.filter(({ seq }) => seq > after).slice(0, limit) as never;

test("every event is read once, from the newest to the first", async () => {
  const seqs: number[] = [];
  let before: number | undefined;
  do {
    const page = await older(list, before, 10);
    seqs.push(...page.entries.map(({ seq }) => seq));
    before = page.older ?? undefined;
  } while (before !== undefined);
  expect(seqs).toEqual(journal.map(({ seq }) => seq).reverse());
});

test("a journal of which nothing was copied ends at once", async () => {
  expect(await older(async () => [], undefined, 10)).toEqual({ entries: [], older: null });
});
