// The review that was begun and not sent, where the reader finds it again.
import { Link } from "@tanstack/react-router";
import { Button } from "../../ui/Button";
import { plural } from "../../ui/words";
import type { Shown } from "./facts";
import css from "./Patch.module.css";
import { forget, usePending, written } from "./pending";

export function Unsent({ patch }: { patch: Shown }) {
  const count = written(usePending(patch.id)).length;
  if (count === 0) return null;
  return (
    <div className={css.newer} role="status">
      <span>
        You wrote {plural(count, "comment")} and did not send {count === 1 ? "it" : "them"}.{" "}
        {patch.state === "open" ? (
          <Link to="/patches/$patch" params={{ patch: patch.id }} search={{ project: patch.project, tab: "changes" }} className="link">
            See {count === 1 ? "it" : "them"} in the changes
          </Link>
        ) : (
          "The patch is not open any more, so no review of it is taken."
        )}
      </span>
      {patch.state !== "open" && <Button onClick={() => forget(patch.id)}>Throw away</Button>}
    </div>
  );
}
