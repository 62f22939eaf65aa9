// One changed file. A large one is folded until somebody wants it; its lines are drawn as they come near.
import { ChevronDown, ChevronRight } from "lucide-react";
import { memo, type ReactNode, useMemo, useState } from "react";
import { Button } from "../Button";
import { plural } from "../words";
import { type LineRef, lineOn, rowAt, rowKey } from "./anchor";
import { Counts, type Note, type OnLine } from "./DiffView";
import css from "./DiffView.module.css";
import { Piece } from "./Piece";
import type { DiffFile, Hunk } from "./parse";
import { pieces } from "./pieces";

/** More changed lines than these are folded at first. */
const LARGE_LINES = 500;

interface Props {
  file: DiffFile;
  split: boolean;
  notes?: Note[];
  onLine?: OnLine;
  at?: LineRef;
}

export const FileCard = memo(function FileCard({ file, split, notes, onLine, at }: Props) {
  const large = file.added + file.removed > LARGE_LINES;
  const [chosen, setChosen] = useState<boolean>();
  const open = chosen ?? (!large || at !== undefined);
  const Chevron = open ? ChevronDown : ChevronRight;
  return (
    <section className={css.file} aria-label={file.path} data-file={file.path}>
      <header className={css.fileHead}>
        <button type="button" className={css.toggle} aria-expanded={open} onClick={() => setChosen(!open)}>
          <Chevron size={15} aria-hidden />
          <span className={css.path}>
            {file.kind === "renamed" && <span className="muted">{file.from} → </span>}
            {file.path}
          </span>
        </button>
        {file.kind !== "changed" && <span className={css.kind}>{file.kind}</span>}
        {file.mode && <span className="muted number">{file.mode}</span>}
        <span className={css.spring} />
        <Counts added={file.added} removed={file.removed} />
      </header>
      {open ? (
        <Body file={file} split={split} notes={notes} onLine={onLine} at={at} />
      ) : (
        large && (
          <p className={css.folded}>
            {plural(file.added + file.removed, "changed line")}, not shown because they are many.{" "}
            <Button onClick={() => setChosen(true)}>Show them</Button>
          </p>
        )
      )}
    </section>
  );
});

function Body({ file, split, notes = [], onLine, at }: Props) {
  const rows = useMemo(() => file.hunks.map((hunk) => pieces(hunk, split)), [file, split]);
  const [widgets, elsewhere] = useMemo(() => placed(file, notes), [file, notes]);
  const start = at && rowAt(file, at);
  if (file.hunks.length === 0) return <p className={css.folded}>{emptyBecause(file)}</p>;
  return (
    <>
      {elsewhere.length > 0 && (
        <div className={css.elsewhere}>
          <p className="muted">On lines that are not shown here:</p>
          {elsewhere}
        </div>
      )}
      {rows.map((parts, hunk) =>
        parts.map((part, index) => (
          <Piece
            key={part.content}
            hunk={part}
            file={file}
            split={split}
            heading={index === 0 && file.kind !== "added" && file.kind !== "removed" ? headingOf(part) : undefined}
            first={hunk === 0 && index === 0}
            widgets={widgets}
            onLine={onLine}
            wanted={start !== undefined && part.changes.includes(start)}
          />
        )),
      )}
    </>
  );
}

function headingOf({ newStart, content }: Hunk): string {
  const within = /^@@ .* @@ (.+)$/.exec(content)?.[1];
  return `From line ${newStart}${within ? `, in ${within}` : ""}`;
}

function emptyBecause(file: DiffFile): string {
  if (file.binary) return "It is not text.";
  if (file.mode) return "Only its mode changed.";
  return file.kind === "renamed" ? "Only its name changed." : "It is empty.";
}

/** What stands under which row, and what belongs to no row that is shown. */
function placed(file: DiffFile, notes: Note[]): [Record<string, ReactNode>, ReactNode[]] {
  const widgets: Record<string, ReactNode[]> = {};
  const elsewhere: ReactNode[] = [];
  for (const { at, node } of notes) {
    const row = rowAt(file, at);
    if (row && lineOn(row, at.side) !== undefined) widgets[rowKey(row)] = [...(widgets[rowKey(row)] ?? []), node];
    else elsewhere.push(node);
  }
  const wrapped = Object.entries(widgets).map(([key, nodes]) => [
    key,
    <div key={key} className={css.under}>
      {nodes}
    </div>,
  ]);
  return [Object.fromEntries(wrapped), elsewhere];
}
