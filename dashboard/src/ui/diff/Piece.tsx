// Some lines of a file: a table of react-diff-view, drawn once it comes near the window.
import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Diff, type GutterOptions, markEdits, tokenize } from "react-diff-view";
import { lineOn, refOf } from "./anchor";
import type { OnLine } from "./DiffView";
import css from "./DiffView.module.css";
import type { DiffFile, Hunk } from "./parse";

const ROW_PX = 20;
/** What lies this near to the window is drawn already. */
const NEAR_PX = 1_200;
/** The marks within lines cost a list as long as the file up to there. */
const MARKED_LINES = 5_000;

interface Props {
  file: DiffFile;
  hunk: Hunk;
  split: boolean;
  heading?: string;
  /** The file's first: its first line is where Tab comes in. */
  first: boolean;
  widgets: Record<string, ReactNode>;
  onLine?: OnLine;
  /** To be drawn at once. */
  wanted: boolean;
}

export const Piece = memo(function Piece({ wanted, heading, ...rest }: Props) {
  const [near, setNear] = useState(wanted);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (near || !root.current) return;
    const seer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && setNear(true), {
      root: root.current.closest("main"),
      rootMargin: `${NEAR_PX}px 0px`,
    });
    seer.observe(root.current);
    return () => seer.disconnect();
  }, [near]);
  return (
    <div ref={root} style={near ? undefined : { minHeight: rest.hunk.changes.length * ROW_PX }}>
      {heading && <p className={css.heading}>{heading}</p>}
      {near && <Lines {...rest} />}
    </div>
  );
});

function Lines({ file, hunk, split, first, widgets, onLine }: Omit<Props, "wanted" | "heading">) {
  const hunks = useMemo(() => [hunk], [hunk]);
  const tokens = useMemo(() => marks(hunk), [hunk]);
  const entry = first ? hunk.changes[0] : undefined;
  const gutter = useCallback(
    ({ change, side }: GutterOptions) => {
      const line = lineOn(change, side);
      if (line === undefined) return null;
      // Inline, an unchanged line is offered once: as it is now.
      const named = split || change.type !== "normal" || side === "new";
      if (!named) return line;
      const what = { insert: ", added", delete: ", removed", normal: side === "old" ? ", as it was" : "" }[change.type];
      const name = `${side}:${line}`;
      if (!onLine) {
        return (
          <span data-line={name} tabIndex={-1}>
            {line}
            <span className="hidden">{what}</span>
          </span>
        );
      }
      return (
        <button
          type="button"
          className={css.line}
          data-line={name}
          data-row={side === "new" || change.type === "delete" || undefined}
          tabIndex={change === entry ? 0 : -1}
          aria-label={`Comment on line ${line}${what}`}
          onClick={() => onLine(refOf(file, side, line), change.content)}
        >
          {line}
        </button>
      );
    },
    [file, split, entry, onLine],
  );
  return (
    <Diff
      viewType={split ? "split" : "unified"}
      diffType={file.kind === "added" ? "add" : file.kind === "removed" ? "delete" : "modify"}
      hunks={hunks}
      widgets={widgets}
      tokens={tokens}
      renderGutter={gutter}
      className={css.lines}
      optimizeSelection
    />
  );
}

/** Which words of a changed line changed. */
function marks(hunk: Hunk) {
  const both = hunk.changes.some((change) => change.type === "delete") && hunk.changes.some((change) => change.type === "insert");
  const last = hunk.changes.reduce((most, change) => Math.max(most, lineOn(change, "old") ?? 0, lineOn(change, "new") ?? 0), 0);
  if (!both || last > MARKED_LINES) return undefined;
  return tokenize([hunk], { enhancers: [markEdits([hunk], { type: "block" })] });
}
