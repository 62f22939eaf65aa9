// A remark on the patch, without a verdict; kept in this browser until it is sent.
import { useId, useState } from "react";
import { Button } from "../../ui/Button";
import ui from "../../ui/ui.module.css";
import type { Shown } from "./facts";
import { useLater } from "./later";
import css from "./Patch.module.css";

export function CommentBox({ patch }: { patch: Shown }) {
  const key = `meshwork.comment.${patch.id}`;
  const field = useId();
  const [text, setText] = useState(() => localStorage.getItem(key) ?? "");
  const put = (next: string) => {
    setText(next);
    if (next) localStorage.setItem(key, next);
    else localStorage.removeItem(key);
  };
  const comment = useLater("patch.comment", () => put(""));
  if (!comment) return null;
  return (
    <div className={css.form}>
      <label htmlFor={field}>Your comment</label>
      <textarea id={field} rows={3} className={ui.input} value={text} onChange={(event) => put(event.target.value)} />
      <p className={css.buttons}>
        <Button
          busy={comment.busy}
          disabled={!text.trim()}
          onClick={() => comment.go({ project: patch.project, patch: patch.id, body: text.trim() })}
        >
          Send comment
        </Button>
      </p>
    </div>
  );
}
