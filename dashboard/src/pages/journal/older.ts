// A page of a journal that is only given from a number on, read towards its beginning. Pure.
import type { Output } from "../../api/call";

type Entries = Output<"journal.list">;

/** The newest events before a number, newest first; the newest of all where none is said. */
export async function older(
  list: (input: { after?: number; limit: number }) => Promise<Entries>,
  before: number | undefined,
  limit: number,
): Promise<Output<"journal.search">> {
  const after = before === undefined ? undefined : Math.max(0, before - 1 - limit);
  const found = await list(after === undefined || before === undefined ? { limit } : { after, limit: before - 1 - after });
  const first = found[0]?.seq ?? 1;
  return { entries: found.toReversed(), older: first > 1 ? first : null };
}
