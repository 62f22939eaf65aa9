// Long files are drawn piece by piece: cut here, so that each piece is a small table. Pure.
import type { Change, Hunk } from "./parse";

/** Rows of a piece, about. */
export const PIECE_ROWS = 120;

/** Side by side a removed line stands beside the added one that follows it: so they are put in pairs. */
export function paired(changes: Change[]): Change[] {
  const out: Change[] = [];
  for (let at = 0; at < changes.length; ) {
    let added = at;
    while (changes[added]?.type === "delete") added += 1;
    let end = added;
    while (changes[end]?.type === "insert") end += 1;
    if (end === at) {
      out.push(changes[at] as Change);
      at += 1;
      continue;
    }
    for (let row = 0; row < Math.max(added - at, end - added); row += 1) {
      if (at + row < added) out.push(changes[at + row] as Change);
      if (added + row < end) out.push(changes[added + row] as Change);
    }
    at = end;
  }
  return out;
}

/** A hunk in pieces; a pair is never torn. */
export function pieces(hunk: Hunk, split: boolean): Hunk[] {
  const changes = split ? paired(hunk.changes) : hunk.changes;
  const found: Hunk[] = [];
  for (let from = 0; from < changes.length; ) {
    let to = Math.min(from + PIECE_ROWS, changes.length);
    if (changes[to]?.type === "insert" && changes[to - 1]?.type === "delete") to += 1;
    found.push({ ...hunk, content: from === 0 ? hunk.content : `${hunk.content} ${from}`, changes: changes.slice(from, to) });
    from = to;
  }
  return found;
}
