// What the run changed: its commit, or the last checkpoint on the way there.
import { useState } from "react";
import { useRead } from "../../api/query";
import { Diff, type View } from "../../ui/diff/Diff";
import { ViewChoice } from "../../ui/diff/ViewChoice";
import { Empty, Loaded } from "../../ui/State";
import { ended } from "../../ui/words";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

export default function Changes({ run }: { run: ShownRun }) {
  const [view, setView] = useState<View>("unified");
  const diff = useRead("run.diff", { run: run.id });
  return (
    <div className={css.scroll}>
      <Loaded query={diff}>
        {({ diff, whole }) =>
          diff == null ? (
            <Empty title="Nothing was saved yet">
              {ended(run.state)
                ? "It ended before anything was."
                : "Changes come here once its work is saved: at its end, or at a checkpoint."}
            </Empty>
          ) : (
            <>
              <div className={css.viewBar}>
                {!whole && <span className="muted">As of its last checkpoint.</span>}
                <ViewChoice view={view} onChange={setView} />
              </div>
              <Diff diff={diff} view={view} />
            </>
          )
        }
      </Loaded>
    </div>
  );
}
