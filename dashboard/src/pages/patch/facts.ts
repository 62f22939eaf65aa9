// What the facts of a patch mean. Pure.
import type { Output, Schemas } from "../../api/call";

export type Patch = Output<"patch.list">[number];
export type Shown = Output<"patch.show">;
export type Revision = Schemas["Revision"];
export type Review = Schemas["Review"];
export type Run = Schemas["RunView"];

/** What a dialog needs in which a patch is judged. */
export interface Judged {
  patch: Shown;
  /** The revision that was looked at. */
  seen: Revision;
  run: Run | undefined;
  onClose: () => void;
  /** Shows the newest revision. */
  catchUp: () => void;
}

export const latest = (patch: Pick<Patch, "revisions">): Revision | undefined => patch.revisions.at(-1);

/** Whether a patch waits for this person: for a review that they have not given, for the merge, or for a further run. */
export function waitsFor(patch: Patch, me: { key: string | null; reviews: boolean; merges: boolean; runs: boolean }): boolean {
  if (patch.state !== "open") return false;
  if (patch.standing === "changes_requested" || patch.standing === "checks_failed") return me.runs;
  // A gate that something else shuts waits for who may merge too: they know what to do with the patch.
  if (patch.standing !== "to_review") return me.merges;
  const revision = latest(patch);
  const judged = revision?.reviews.some(({ by, verdict }) => by === me.key && (verdict === "accept" || verdict === "reject"));
  return me.reviews && revision?.author !== me.key && !judged;
}

/** When something last happened to a patch. */
export function changedAt(patch: Patch): number {
  const revision = latest(patch);
  const moments = revision ? [revision, ...revision.reviews, ...revision.comments].map((one) => one.at) : [];
  return Math.max(0, ...moments);
}

/** The run of this org that made a revision: by its own key, not by what the patch says of itself. */
export function makerOf(revision: Revision | undefined, runs: readonly Run[] | undefined): Run | undefined {
  return runs?.find((run) => run.revision === revision?.id && run.key === revision?.author && run.commit === revision?.head);
}

/** What the checks said of a revision: of the run that made it, else as the patch itself tells. */
export const checksOf = (patch: Shown, revision: Revision, run: Run | undefined): Schemas["CheckResult"][] =>
  run ? run.checks : revision.id === latest(patch)?.id ? (patch.trace?.checks ?? []) : [];

/** Whether a sentence of the gate asks for a review. */
export const asksReview = (sentence: string): boolean => /\bapprovals?\b/.test(sentence);

/** A description or a comment without the blocks that machines read. */
export const described = (text: string): string => text.replace(/\n*```meshwork-[a-z]+\n[\s\S]*?\n```\s*/g, "\n").trim();

/** The title without its task's id, which stands beside it. */
export const bareTitle = (patch: Pick<Patch, "title" | "trace">): string =>
  patch.trace ? patch.title.replace(new RegExp(`^${patch.trace.task.task}:? +`), "") : patch.title;

export type Comment = Schemas["Comment"];

/** All that was said of a revision, on lines and besides, oldest first. */
export const commentsOf = (revision: Revision): Comment[] =>
  [...revision.reviews.flatMap((review) => review.comments), ...revision.comments].sort((a, b) => a.at - b.at);

/** The comment that one answers. Radicle hangs every plain comment on the first one: that is no answer. */
export function answered(comment: Comment, revision: Revision): Comment | undefined {
  const to = comment.reply_to;
  return to && to !== revision.comments[0]?.id ? commentsOf(revision).find((one) => one.id === to) : undefined;
}

/** The line that a comment is about: its own, or that of the comment it answers. */
export function lineOf(comment: Comment, revision: Revision): Schemas["LineRef"] | undefined {
  const seen = new Set<Comment>();
  for (let at: Comment | undefined = comment; at && !seen.has(at); at = answered(at, revision)) {
    if (at.line) return at.line;
    seen.add(at);
  }
  return undefined;
}
