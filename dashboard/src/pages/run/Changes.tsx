// What the run changed: its commit, or the last checkpoint on the way there.
import { useMemo } from "react";
import { useRead } from "../../api/query";
import DiffView from "../../ui/diff/DiffView";
import { parse } from "../../ui/diff/parse";
import { Empty, Loaded } from "../../ui/State";
import { ended } from "../../ui/words";
import css from "./Run.module.css";
import type { ShownRun } from "./RunPage";

export default function Changes({ run }: { run: ShownRun }) {
  const diff = useRead("run.diff", { run: run.id });
  return (
    <div className={css.scroll}>
      <Loaded query={diff}>{({ diff, whole }) => (diff == null ? <Nothing run={run} /> : <Files diff={diff} whole={whole} />)}</Loaded>
    </div>
  );
}

function Nothing({ run }: { run: ShownRun }) {
  return (
    <Empty title={ended(run.state) ? "Nothing was saved" : "Nothing was saved yet"}>
      {ended(run.state) ? "It ended before anything was." : "Changes come here once its work is saved: at its end, or at a checkpoint."}
    </Empty>
  );
}

function Files({ diff, whole }: { diff: string; whole: boolean }) {
  const { files, cut } = useMemo(() => parse(diff), [diff]);
  if (files.length === 0) return <Empty title="No file differs" />;
  return (
    <>
      {cut && <p className="muted">The diff is {cut.replace(/^cut here: the diff is /, "")}, and is shown up to there.</p>}
      <DiffView files={files} tools={!whole && <span className="muted">As of its last checkpoint.</span>} />
    </>
  );
}
