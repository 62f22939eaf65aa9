// The review that a person is writing: kept in this browser with every keystroke, until it is sent or thrown away.
import { useSyncExternalStore } from "react";
import type { Input } from "../../api/call";
import { type LineRef, lineOn, type Side } from "../../ui/diff/anchor";
import type { DiffFile } from "../../ui/diff/parse";
import { keep, kept } from "../../ui/kept";

export interface PendingComment extends LineRef {
  id: string;
  /** What stands in the line: it finds the line again in a newer revision. */
  quote: string;
  text: string;
  /** Somebody writes at it. */
  open?: boolean;
  /** A newer revision has no such line. */
  lost?: boolean;
}

export interface PendingReview {
  /** The revision that its lines are of. */
  revision: string;
  summary: string;
  comments: PendingComment[];
}

const NONE: PendingReview = { revision: "", summary: "", comments: [] };
const PREFIX = "meshwork.review.";
const watchers = new Set<() => void>();
const held = new Map<string, PendingReview>();

export function pendingOf(patch: string): PendingReview {
  const known = held.get(patch);
  if (known) return known;
  const read = parsed(kept(PREFIX + patch));
  held.set(patch, read);
  return read;
}

function parsed(text: string | null): PendingReview {
  try {
    const value = JSON.parse(text ?? "null") as PendingReview | null;
    return value && Array.isArray(value.comments) ? value : NONE;
  } catch {
    return NONE;
  }
}

/** Keeps a review. What a person types is kept without telling, or the page would be drawn anew with each letter. */
function put(patch: string, review: PendingReview, quietly = false): void {
  held.set(patch, review);
  keep(PREFIX + patch, review.comments.length === 0 && review.summary === "" ? "" : JSON.stringify(review));
  if (!quietly) for (const watcher of watchers) watcher();
}

// Another tab writes at the same review.
window.addEventListener("storage", ({ key }) => {
  if (!key?.startsWith(PREFIX)) return;
  held.delete(key.slice(PREFIX.length));
  for (const watcher of watchers) watcher();
});

export function usePending(patch: string): PendingReview {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => pendingOf(patch),
  );
}

const change = (patch: string, id: string, to: Partial<PendingComment>): PendingReview => {
  const review = pendingOf(patch);
  return { ...review, comments: review.comments.map((one) => (one.id === id ? { ...one, ...to } : one)) };
};

let made = 0;

/** Begins a comment on a line, or goes on with the one that is open there. Answers with its id. */
export function begin(patch: string, revision: string, at: LineRef, quote: string): string {
  const review = pendingOf(patch);
  const same = review.comments.find((one) => one.open && one.path === at.path && one.side === at.side && one.line === at.line);
  if (same) return same.id;
  made += 1;
  const id = `${Date.now().toString(36)}-${made}`;
  put(patch, { ...review, revision, comments: [...review.comments, { ...at, id, quote, text: "", open: true }] });
  return id;
}

export function write(patch: string, id: string, text: string): void {
  const blank = (review: PendingReview) => !review.comments.find((one) => one.id === id)?.text.trim();
  const next = change(patch, id, { text });
  put(patch, next, blank(pendingOf(patch)) === blank(next));
}

export function edit(patch: string, id: string): void {
  put(patch, change(patch, id, { open: true }));
}

/** Ends the writing: a comment without a word is gone. */
export function finish(patch: string, id: string): void {
  const next = change(patch, id, { open: undefined });
  put(patch, { ...next, comments: next.comments.filter((one) => one.id !== id || one.text.trim() !== "") });
}

export function discard(patch: string, id: string): void {
  const review = pendingOf(patch);
  put(patch, { ...review, comments: review.comments.filter((one) => one.id !== id) });
}

export function summarize(patch: string, revision: string, summary: string): void {
  const review = pendingOf(patch);
  put(patch, { ...review, revision: review.revision || revision, summary }, true);
}

export const forget = (patch: string): void => put(patch, NONE);

/** Comments with a word in them. */
export const written = (review: PendingReview): PendingComment[] => review.comments.filter((one) => one.text.trim() !== "");

/** Takes a review over to a newer revision: each comment to the nearest line that says the same; where none does, it is marked. */
export function carry(patch: string, revision: string, files: readonly DiffFile[]): void {
  const review = pendingOf(patch);
  if (review.revision === revision) return;
  put(patch, { ...review, revision, comments: review.comments.map((one) => moved(one, files)) });
}

function moved(comment: PendingComment, files: readonly DiffFile[]): PendingComment {
  const lines = files
    .filter((file) => (comment.side === "old" ? [file.from, file.path] : [file.path]).includes(comment.path))
    .flatMap((file) => linesOf(file, comment.side, comment.quote));
  const line = lines.sort((a, b) => Math.abs(a - comment.line) - Math.abs(b - comment.line))[0];
  return line === undefined ? { ...comment, lost: true } : { ...comment, line, lost: undefined };
}

function linesOf(file: DiffFile, side: Side, text: string): number[] {
  return file.hunks.flatMap((hunk) => hunk.changes.flatMap((one) => (one.content === text ? (lineOn(one, side) ?? []) : [])));
}

/** What the program is given. A comment whose line is gone is said in the summary. */
export function toSend(review: PendingReview): Pick<Input<"patch.review">, "summary" | "comments"> {
  const all = written(review);
  const lost = all.filter((one) => one.lost).map((one) => `${one.path}, line ${one.line} (“${one.quote.trim()}”): ${one.text.trim()}`);
  return {
    summary: [review.summary.trim(), ...lost].filter(Boolean).join("\n\n"),
    comments: all.filter((one) => !one.lost).map(({ path, side, line, text }) => ({ path, side, line, text: text.trim() })),
  };
}
