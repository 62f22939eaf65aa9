// A table that stays readable on a narrow screen: each row becomes a card that its first column names, or, with `scrolls`, the table
// scrolls by itself. Of a long one all rows are in the page, and those near the window are laid out: its columns are equally wide.
import type { CSSProperties, ReactNode } from "react";
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

export function Table<T>({ label, columns, rows, keyOf, scrolls }: Props<T>) {
  const long = rows.length > SHORT_ROWS || undefined;
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
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} data-row tabIndex={-1}>
              {columns.map(({ title, cell, end }) => (
                <td key={title} data-end={end} data-title={title}>
                  <div className={css.cell}>{cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
