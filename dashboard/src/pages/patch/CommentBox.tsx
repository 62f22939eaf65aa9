// A remark on the patch, or an answer to one, without a verdict; kept in this browser until it is sent.
import { useEffect, useId, useRef, useState } from "react";
import { useAct, useMay } from "../../api/query";
import { Button } from "../../ui/Button";
import { keep, kept } from "../../ui/kept";
import ui from "../../ui/ui.module.css";
import type { Comment, Shown } from "./facts";
import css from "./Patch.module.css";

interface Props {
  patch: Shown;
  /** The comment that it answers. */
  to?: Comment;
  onDone?: () => void;
}

const keyOf = ({ patch, to }: Props): string => `meshwork.comment.${patch.id}${to ? `.${to.id}` : ""}`;

export function CommentBox({ patch, to, onDone }: Props) {
  const key = keyOf({ patch, to });
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => kept(key) ?? "");
  const put = (next: string) => {
    setText(next);
    keep(key, next);
  };
  const sent = () => {
    put("");
    onDone?.();
  };
  const may = useMay("patch.comment");
  const comment = useAct("patch.comment", { done: sent });
  useEffect(() => {
    if (to) field.current?.focus();
  }, [to]);
  if (!may) return null;
  const send = () => comment.mutate({ project: patch.project, patch: patch.id, body: text.trim(), reply_to: to?.id });
  return (
    <div className={css.form}>
      <label htmlFor={id}>{to ? "Your answer" : "Your comment"}</label>
      <textarea id={id} ref={field} rows={3} className={ui.input} value={text} onChange={(event) => put(event.target.value)} />
      <p className={css.buttons}>
        <Button busy={comment.isPending} disabled={!text.trim()} onClick={send}>
          {to ? "Send answer" : "Send comment"}
        </Button>
        {to && <Button onClick={onDone}>Cancel</Button>}
      </p>
    </div>
  );
}

/** Opens an answer to a comment; one that was begun is open already. */
export function AnswerButton({ patch, to }: { patch: Shown; to: Comment }) {
  const [open, setOpen] = useState(() => kept(keyOf({ patch, to })) !== null);
  const may = useMay("patch.comment");
  // The program takes answers to comments on a revision, and none to those that came with a review.
  if (!may || !patch.revisions.some((revision) => revision.comments.some((one) => one.id === to.id))) return null;
  if (open) return <CommentBox patch={patch} to={to} onDone={() => setOpen(false)} />;
  return (
    <p>
      <Button tone="plain" onClick={() => setOpen(true)}>
        Answer
      </Button>
    </p>
  );
}
