// What the patch changes: any revision, or what changed between two, with the comments on its lines.
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";
import { problemOf } from "../../api/call";
import { useMay } from "../../api/query";
import { type LineRef, readRef } from "../../ui/diff/anchor";
import type { Note } from "../../ui/diff/DiffView";
import { Empty, Loading, ProblemView } from "../../ui/State";
import { type RevisionDiff, useDiff } from "./diffs";
import { commentsOf, lineOf, type Revision, type Shown } from "./facts";
import { Draft, LineNote } from "./LineNote";
import css from "./Patch.module.css";
import { begin, usePending } from "./pending";

export const loadDiffView = () => import("../../ui/diff/DiffView");
const DiffView = lazy(loadDiffView);
const route = getRouteApi("/patches/$patch");

/** `seen` is the newest revision that the reader knows of. */
export function Changes({ patch, seen }: { patch: Shown; seen: Revision }) {
  const { rev, since } = route.useSearch();
  const newest = patch.revisions.indexOf(seen) + 1;
  const shown = patch.revisions[(rev ?? newest) - 1] ?? seen;
  const before = since && since < (rev ?? newest) ? patch.revisions[since - 1] : undefined;
  const diff = useDiff(patch, shown, before);
  const tools = <Choice newest={newest} />;
  if (diff.error) {
    return (
      <>
        <div className={css.tools}>{tools}</div>
        <ProblemView problem={problemOf(diff.error)} retry={() => void diff.refetch()} />
      </>
    );
  }
  if (!diff.data) return <Loading rows={12} />;
  return (
    <Lines
      key={`${shown.id} ${before?.id}`}
      patch={patch}
      shown={shown}
      current={shown.id === seen.id}
      diff={diff.data}
      compared={before !== undefined}
      tools={tools}
    />
  );
}

function Instead({ tools, title, text }: { tools: React.ReactNode; title: string; text?: string }) {
  return (
    <>
      <div className={css.tools}>{tools}</div>
      <Empty title={title}>{text}</Empty>
    </>
  );
}

interface LinesProps {
  patch: Shown;
  shown: Revision;
  /** Whether it is the newest that the reader knows of: comments are written there. */
  current: boolean;
  diff: RevisionDiff;
  /** With an earlier revision. */
  compared: boolean;
  tools: React.ReactNode;
}

function Lines({ patch, shown, current, diff: { files, cut, note }, compared, tools }: LinesProps) {
  const start = route.useSearch({ select: (search) => search.at });
  const at = useMemo(() => readRef(start), [start]);
  const may = useMay("patch.review");
  const [begun, setBegun] = useState<string>();
  const judged = !compared && current && patch.state === "open" && may;
  const notes = useNotes(patch, shown, compared, judged, begun);
  const { id } = patch;
  const revision = shown.id;
  const onLine = useCallback(
    (line: LineRef, quote: string) => {
      const comment = begin(id, revision, line, quote);
      setBegun(comment);
      // It may have been open already.
      document.getElementById(comment)?.focus();
    },
    [id, revision],
  );
  if (files.length === 0) {
    return (
      <Instead tools={tools} title="Nothing differs" text={compared ? "Both revisions have the same files." : "It changes no file."} />
    );
  }
  return (
    <>
      {note && <p className={css.warning}>{note}</p>}
      {cut && <p className={css.warning}>The diff is {cut.replace(/^cut here: the diff is /, "")}, and is shown up to there.</p>}
      <Suspense fallback={<Loading rows={12} />}>
        <DiffView
          files={files}
          notes={notes}
          onLine={judged ? onLine : undefined}
          at={at}
          tools={
            <>
              {tools}
              <span className="muted clip">{hint(judged, may && patch.state === "open")}</span>
            </>
          }
        />
      </Suspense>
    </>
  );
}

function hint(judged: boolean, may: boolean): string {
  if (judged) return "A line’s number begins a comment on it. n and p go from file to file.";
  return may ? "Comments are written on the latest revision, since the beginning." : "n and p go from file to file.";
}

/** Comments on the lines that are shown, and those that are being written. In a comparison the older side is another revision's. */
function useNotes(patch: Shown, shown: Revision, compared: boolean, judged: boolean, begun: string | undefined): Note[] {
  const pending = usePending(patch.id);
  return useMemo(() => {
    const said = commentsOf(shown).flatMap((comment) => {
      const at = lineOf(comment, shown);
      return at && !(compared && at.side === "old")
        ? [{ at, node: <LineNote key={comment.id} patch={patch} revision={shown} comment={comment} /> }]
        : [];
    });
    const mine = judged && pending.revision === shown.id ? pending.comments.filter((one) => !one.lost) : [];
    return [
      ...said,
      ...mine.map((one) => ({
        at: one,
        empty: one.text.trim() === "",
        node: <Draft key={one.id} patch={patch.id} comment={one} begun={one.id === begun} />,
      })),
    ];
  }, [patch, shown, compared, judged, pending, begun]);
}

/** Which revision is shown, and compared with what. */
function Choice({ newest }: { newest: number }) {
  const { rev, since } = route.useSearch();
  const navigate = route.useNavigate();
  const shown = rev ?? newest;
  const numbers = Array.from({ length: newest }, (_, at) => at + 1);
  if (newest < 2) return null;
  const show = (to: number) =>
    void navigate({
      search: (old) => ({ ...old, at: undefined, rev: to === newest ? undefined : to, since: since && since < to ? since : undefined }),
    });
  const against = (to: number) => void navigate({ search: (old) => ({ ...old, at: undefined, since: to || undefined }) });
  return (
    <span className={css.choice}>
      <label>
        Show{" "}
        <select value={shown} onChange={(event) => show(Number(event.target.value))}>
          {numbers.toReversed().map((one) => (
            <option key={one} value={one}>
              Revision {one}
            </option>
          ))}
        </select>
      </label>
      <label>
        since{" "}
        <select value={since ?? 0} onChange={(event) => against(Number(event.target.value))}>
          <option value={0}>the beginning</option>
          {numbers
            .filter((one) => one < shown)
            .toReversed()
            .map((one) => (
              <option key={one} value={one}>
                Revision {one}
              </option>
            ))}
        </select>
      </label>
    </span>
  );
}
