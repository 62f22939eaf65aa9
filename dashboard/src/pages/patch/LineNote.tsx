// What stands under a line: what was said there, and what the reader is writing.
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button } from "../../ui/Button";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { Who } from "../../ui/Who";
import { AnswerButton } from "./CommentBox";
import { answered, type Comment, described, type Revision, type Shown } from "./facts";
import css from "./Patch.module.css";
import { discard, edit, finish, type PendingComment, write } from "./pending";

export function LineNote({ patch, revision, comment }: { patch: Shown; revision: Revision; comment: Comment }) {
  const answer = answered(comment, revision) !== undefined;
  return (
    <article className={css.note} aria-label={answer ? "Answer" : "Comment"}>
      <header>
        <Who did={comment.by} /> {answer && <span className="muted">answered</span>} <Ago at={comment.at} />
      </header>
      <p className={css.said}>{described(comment.body)}</p>
      <AnswerButton patch={patch} to={comment} />
    </article>
  );
}

interface Props {
  patch: string;
  comment: PendingComment;
  /** The reader has just asked for it. */
  begun: boolean;
}

export function Draft({ patch, comment, begun }: Props) {
  if (comment.open) return <Editor patch={patch} comment={comment} begun={begun} />;
  return (
    <article className={css.note} data-pending aria-label="Comment of your unsent review">
      <header>
        <b>You</b> <span className={css.unsent}>not sent yet</span>
      </header>
      <p className={css.said}>{comment.text}</p>
      <footer>
        <Button onClick={() => edit(patch, comment.id)}>Edit</Button>
        <Button tone="danger" onClick={() => discard(patch, comment.id)}>
          Delete
        </Button>
      </footer>
    </article>
  );
}

function Editor({ patch, comment, begun }: Props) {
  const [text, setText] = useState(comment.text);
  const field = useRef<HTMLTextAreaElement>(null);
  const edited = useRef(comment.text !== "");
  useEffect(() => {
    // One that is there again after the page was left is gone on with, where nothing else has the focus.
    const idle = document.activeElement === document.body || document.activeElement?.id === "main";
    if (begun || edited.current || idle) field.current?.focus();
  }, [begun]);
  // The keyboard goes back to the line.
  const leave = (deed: (patch: string, id: string) => void) => {
    const file = field.current?.closest("[data-file]");
    file?.querySelector<HTMLElement>(`[data-line="${comment.side}:${comment.line}"]`)?.focus();
    deed(patch, comment.id);
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      leave(finish);
    }
  };
  return (
    <div className={css.note} data-pending>
      <label htmlFor={comment.id}>
        Comment on line {comment.line}
        {comment.side === "old" ? " as it was" : ""}
      </label>
      <textarea
        id={comment.id}
        ref={field}
        rows={3}
        className={ui.input}
        value={text}
        onKeyDown={press}
        onChange={(event) => {
          setText(event.target.value);
          write(patch, comment.id, event.target.value);
        }}
      />
      <footer>
        <Button tone="primary" disabled={!text.trim()} onClick={() => leave(finish)}>
          Add to review
        </Button>
        <Button onClick={() => leave(discard)}>Discard</Button>
        <span className="muted">It is sent with your review.</span>
      </footer>
    </div>
  );
}
