// Tasks with a run that has not ended: one that waits for others may be queued already.
import { useMemo } from "react";
import { useRead } from "../../api/query";
import { ended } from "../../ui/words";
import { nameOf } from "./board";

export function useGoing(project: string): ReadonlySet<string> {
  const { data } = useRead("run.list", { project });
  return useMemo(() => new Set(data?.flatMap((run) => (run.task && !ended(run.state) ? [nameOf(run.task)] : []))), [data]);
}
