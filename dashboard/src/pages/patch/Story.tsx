// Revisions, reviews and comments, oldest first.
import { Link } from "@tanstack/react-router";
import { GitCommitHorizontal, GitMerge, MessageSquare } from "lucide-react";
import { Badge } from "../../ui/Badge";
import { writeRef } from "../../ui/diff/anchor";
import { Ago } from "../../ui/Time";
import { Who } from "../../ui/Who";
import { shortOid, shortRun } from "../../ui/words";
import { AnswerButton } from "./CommentBox";
import { answered, type Comment, described, lineOf, makerOf, type Review, type Revision, type Run, type Shown } from "./facts";
import css from "./Patch.module.css";
import { verdictWord } from "./words";

type Happened = { at: number; number: number } & ({ revision: Revision } | { review: Review } | { comment: Comment });

function told(patch: Shown): Happened[] {
  const all = patch.revisions.flatMap((revision, index): Happened[] => {
    const number = index + 1;
    return [
      { at: revision.at, number, revision },
      ...revision.reviews.map((review) => ({ at: review.at, number, review })),
      ...revision.comments.map((comment) => ({ at: comment.at, number, comment })),
    ];
  });
  return all.sort((a, b) => a.at - b.at);
}

export function Story({ patch, runs }: { patch: Shown; runs: Run[] | undefined }) {
  return (
    <ol className={css.story}>
      {told(patch).map((one) => {
        if ("revision" in one) return <Came key={one.revision.id} {...one} patch={patch} runs={runs} />;
        const key = "review" in one ? `review ${one.number} ${one.review.by}` : one.comment.id;
        return (
          <li key={key} className={css.event}>
            {"review" in one ? <Reviewed patch={patch} {...one} /> : <Said patch={patch} {...one} />}
          </li>
        );
      })}
      {patch.state === "merged" && <Merged patch={patch} />}
    </ol>
  );
}

/** The last that happens to a patch; when is told by nobody. */
function Merged({ patch: { merged_as, merged_by } }: { patch: Shown }) {
  return (
    <li className={css.event}>
      <p className={css.eventHead}>
        <GitMerge size={15} aria-hidden />
        <b>Merged</b>
        {merged_by && (
          <span>
            by <Who did={merged_by} />
          </span>
        )}
        {merged_as && <code className="muted">{shortOid(merged_as)}</code>}
      </p>
    </li>
  );
}

function Came({ revision, number, patch, runs }: { revision: Revision; number: number; patch: Shown; runs: Run[] | undefined }) {
  const run = makerOf(revision, runs);
  const last = number === patch.revisions.length;
  const search = { project: patch.project, tab: "changes" as const, rev: last ? undefined : number };
  return (
    <li className={css.event}>
      <p className={css.eventHead}>
        <GitCommitHorizontal size={15} aria-hidden />
        <b>Revision {number}</b>
        <span>
          by {run?.agent ? <b>{run.agent}</b> : <Who did={revision.author} />}
          {run && (
            <>
              {" "}
              in{" "}
              <Link to="/runs/$run" params={{ run: run.id }} className="link">
                run {shortRun(run.id)}
              </Link>
            </>
          )}
        </span>
        <code className="muted">{shortOid(revision.head)}</code>
        <Ago at={revision.at} />
        <span className={css.spring} />
        <Link to="/patches/$patch" params={{ patch: patch.id }} search={search} className="link">
          Its changes
        </Link>
        {number > 1 && (
          <Link to="/patches/$patch" params={{ patch: patch.id }} search={{ ...search, since: number - 1 }} className="link">
            Since revision {number - 1}
          </Link>
        )}
      </p>
    </li>
  );
}

function Reviewed({ review, number, patch }: { review: Review; number: number; patch: Shown }) {
  return (
    <>
      <p className={css.eventHead}>
        <Badge word={verdictWord(review.verdict)} />
        <span>
          <Who did={review.by} /> <span className="muted">on revision {number}</span>
        </span>
        <Ago at={review.at} />
      </p>
      {review.summary && <p className={css.said}>{review.summary}</p>}
      {review.comments.map((comment) => (
        <OnLine key={comment.id} comment={comment} number={number} patch={patch} />
      ))}
    </>
  );
}

function Said({ comment, number, patch }: { comment: Comment; number: number; patch: Shown }) {
  const revision = patch.revisions[number - 1];
  const to = revision && answered(comment, revision);
  return (
    <>
      <p className={css.eventHead}>
        <MessageSquare size={15} aria-hidden />
        <span>
          <Who did={comment.by} />{" "}
          <span className="muted">
            {to ? "answered" : "commented"} on revision {number}
          </span>
        </span>
        <Ago at={comment.at} />
      </p>
      <OnLine comment={comment} number={number} patch={patch} />
    </>
  );
}

function OnLine({ comment, number, patch }: { comment: Comment; number: number; patch: Shown }) {
  const revision = patch.revisions[number - 1];
  const line = revision && lineOf(comment, revision);
  const search = line && {
    project: patch.project,
    tab: "changes" as const,
    rev: number === patch.revisions.length ? undefined : number,
    at: writeRef(line),
  };
  return (
    <div className={search ? css.onLine : undefined}>
      {line && search && (
        <Link to="/patches/$patch" params={{ patch: patch.id }} search={search} className="link mono">
          {line.path}:{line.line}
          {line.side === "old" && " (as it was)"}
        </Link>
      )}
      <p className={css.said}>{described(comment.body)}</p>
      <AnswerButton patch={patch} to={comment} />
    </div>
  );
}
