// What every page shows while it has no data, or cannot get it: loading, empty, a problem. One look for all.
import type { UseQueryResult } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { type Problem, problemOf } from "../api/call";
import { Button } from "./Button";
import { Coded } from "./Coded";
import css from "./ui.module.css";

export function Loading({ rows = 4 }: { rows?: number }) {
  return (
    <div className={css.skeleton} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bars without identity
        <i key={at} />
      ))}
    </div>
  );
}

/** Nothing is there; says what would be, and how it comes. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={css.state}>
      <strong>{title}</strong>
      {children && <span>{children}</span>}
    </div>
  );
}

/** What happened, why, and what to do next. */
export function ProblemView({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div className={`${css.state} ${css.problem}`} role="alert">
      <strong>{problem.what}</strong>
      {problem.why && (
        <span>
          <Coded text={problem.why} />
        </span>
      )}
      {problem.next && (
        <span>
          <Coded text={problem.next} />
        </span>
      )}
      {retry && (
        <Button onClick={retry}>
          <RotateCw size={14} aria-hidden /> Try again
        </Button>
      )}
    </div>
  );
}

/** Shows a read: its data where there is some (also while it is read anew), else why not. */
export function Loaded<T>({ query, children, rows }: { query: UseQueryResult<T>; children: (data: T) => ReactNode; rows?: number }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <ProblemView problem={problemOf(query.error)} retry={() => void query.refetch()} />;
  return <Loading rows={rows} />;
}
