// Sends the review: what was written on lines, some words, and the verdict.
import { useId, useState } from "react";
import type { Schemas } from "../../api/call";
import { useAct, useMay, useSession } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { notify } from "../../ui/Toasts";
import ui from "../../ui/ui.module.css";
import { plural } from "../../ui/words";
import { checksOf, type Judged, latest } from "./facts";
import { Newer } from "./Newer";
import { useLookAgain } from "./newest";
import css from "./Patch.module.css";
import { discard, forget, type PendingComment, summarize, toSend, usePending, written } from "./pending";

type Verdict = Schemas["Verdict"];

const told: Record<Verdict, string> = {
  accept: "You accepted the patch.",
  reject: "You requested changes.",
  comment: "Your comments are sent.",
};

export function ReviewDialog({ patch, seen, run, onClose, catchUp }: Judged) {
  const field = useId();
  const { data: session } = useSession();
  const pending = usePending(patch.id);
  // A second review of the same revision takes the place of the first: so it begins with its words.
  const earlier = seen.reviews.findLast((review) => review.by === session?.member);
  const [summary, setSummary] = useState(pending.summary || (earlier?.summary ?? ""));
  const [wordless, setWordless] = useState(false);
  const [given, setGiven] = useState<Verdict>("comment");
  const mayRun = useMay("task.run");
  const sent = () => {
    const task = given === "reject" && mayRun ? run?.task : undefined;
    notify({
      tone: "good",
      title: told[given],
      text: task ? `“Run ${task.task} again” in the overview starts the next run, which gets your comments.` : undefined,
    });
    forget(patch.id);
    onClose();
  };
  const review = useAct("patch.review", { done: sent, failed: useLookAgain(), quiet: true });
  const behind = seen.id !== latest(patch)?.id;
  const comments = written(pending);
  // The comments still have to find their lines in this revision.
  const early = comments.length > 0 && pending.revision !== seen.id;

  // With something to object to, that is the usual verdict; to accept is always the person's own choice.
  const objects = comments.length > 0 || checksOf(patch, seen, run).some((check) => !check.passed);

  const send = (verdict: Verdict) => {
    const words = toSend({ ...pending, summary });
    const empty = words.summary === "" && words.comments?.length === 0;
    setWordless(verdict !== "accept" && empty);
    if (verdict !== "accept" && empty) return;
    setGiven(verdict);
    review.mutate({ project: patch.project, patch: patch.id, revision: seen.id, verdict, ...words });
  };

  return (
    <Dialog title="Your review" open onClose={onClose}>
      <div className={css.form}>
        {behind && <Newer number={patch.revisions.length} onShow={catchUp} />}
        <label htmlFor={field}>In words{comments.length > 0 ? ", if there is more to say than on the lines" : ""}</label>
        <textarea
          id={field}
          rows={4}
          className={ui.input}
          value={summary}
          onChange={(event) => {
            setSummary(event.target.value);
            summarize(patch.id, seen.id, event.target.value);
          }}
        />
        {comments.length > 0 && (
          <>
            <p className="muted">{plural(comments.length, "comment")} on lines:</p>
            <ul className={css.unsentList}>
              {comments.map((one) => (
                <Written key={one.id} patch={patch.id} comment={one} />
              ))}
            </ul>
          </>
        )}
        {earlier && (
          <p className="muted">
            You reviewed this revision already: these words take the place of those, and a comment keeps your verdict.
          </p>
        )}
        {wordless && (
          <p className={css.refused} role="alert">
            Say what is to change, here or on a line: a review without a word helps nobody.
          </p>
        )}
        <p className={css.buttons}>
          <Button onClick={onClose}>Cancel</Button>
          <span className={css.spring} />
          <Button busy={review.isPending} disabled={behind || early} onClick={() => send("comment")}>
            Comment
          </Button>
          <Button tone={objects ? "primary" : undefined} busy={review.isPending} disabled={behind || early} onClick={() => send("reject")}>
            Request changes
          </Button>
          <Button busy={review.isPending} disabled={behind || early} onClick={() => send("accept")}>
            Accept
          </Button>
        </p>
      </div>
    </Dialog>
  );
}

function Written({ patch, comment }: { patch: string; comment: PendingComment }) {
  return (
    <li>
      <code>
        {comment.path}:{comment.line}
      </code>
      {comment.lost && <span className="muted"> (the line is gone in this revision: it is sent among the words)</span>}
      <p className={css.said}>{comment.text}</p>
      <Button
        tone="danger"
        aria-label={`Delete what is on ${comment.path}, line ${comment.line}`}
        onClick={() => discard(patch, comment.id)}
      >
        Delete
      </Button>
    </li>
  );
}
