// A table that stays readable on a narrow screen: each row becomes a card that its first column names, or, with `scrolls`, the table
// scrolls by itself. Of a long one all rows are in the page, and those near the window are laid out: its columns are equally wide.
import { type CSSProperties, memo, type ReactNode, useDeferredValue, useEffect, useMemo, useRef } from "react";
import css from "./Table.module.css";

export interface Column<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** Stands at the right: numbers, buttons. */
  end?: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  /** Its columns are compared with each other: they stay side by side on a narrow screen. */
  scrolls?: boolean;
}

/** More rows than these are a long table. */
export const SHORT_ROWS = 100;
/** So many rows of a long one are there at once; the others follow while the page is of use already. */
const FIRST_ROWS = 40;
/** So many rows say how high those will be that were never near the window. */
const MEASURED_ROWS = 5;

export function Table<T>({ label, columns, rows, keyOf, scrolls }: Props<T>) {
  const long = rows.length > SHORT_ROWS || undefined;
  const all = useMemo(() => ({ columns, rows, keyOf }), [columns, rows, keyOf]);
  const later = useDeferredValue(all, long ? { ...all, rows: rows.slice(0, FIRST_ROWS) } : all);
  const [first] = rows;
  const body = useRowHeight(long && first && keyOf(first));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
    <section className={css.around} aria-label={label} data-scrolls={scrolls} data-long={long} tabIndex={0}>
      <table className={css.table} style={long && ({ "--columns": String(columns.length) } as CSSProperties)}>
        <thead>
          <tr>
            {columns.map(({ title, end }) => (
              <th key={title} scope="col" data-end={end}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Rows {...(long ? later : all)} />
        </tbody>
      </table>
    </section>
  );
}

const Rows = memo(function Rows<T>({ columns, rows, keyOf }: Pick<Props<T>, "columns" | "rows" | "keyOf">) {
  return rows.map((row) => (
    <tr key={keyOf(row)} data-row tabIndex={-1}>
      {columns.map(({ title, cell, end }) => (
        <td key={title} data-end={end} data-title={title}>
          <div className={css.cell}>{cell(row)}</div>
        </td>
      ))}
    </tr>
  ));
}) as <T>(props: Pick<Props<T>, "columns" | "rows" | "keyOf">) => ReactNode;

/** Tells the style how high the first rows are: what is guessed of the others then hardly moves the scroll bar. `first`: that row's key. */
function useRowHeight(first: string | undefined) {
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    const all = body.current;
    const row = all?.firstElementChild;
    if (!row || first === undefined) return;
    const watch = new ResizeObserver(() => {
      const heights = [...all.children].slice(0, MEASURED_ROWS).map((one) => one.clientHeight);
      const sum = heights.reduce((one, other) => one + other, 0);
      if (sum > 0) all.style.setProperty("--row", `${Math.round(sum / heights.length)}px`);
    });
    watch.observe(row);
    return () => watch.disconnect();
  }, [first]);
  return body;
}
