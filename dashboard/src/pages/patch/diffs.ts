// The diff of each revision, and from one to another. What a revision changes never changes itself, so it is read once; and it is not read anew when another
// revision arrives, under the eyes of whoever reads it.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { call } from "../../api/call";
import { type DiffFile, parse } from "../../ui/diff/parse";
import type { Revision, Shown } from "./facts";
import { carry, usePending } from "./pending";

/** Runs among which a revision's own is looked for. */
export const RUNS_MAX = 1_000;

export interface RevisionDiff {
  files: DiffFile[];
  cut?: string;
  /** What is to be known about a comparison. */
  note?: string;
}

export function diffOf({ id, project }: Pick<Shown, "id" | "project">, revision: Revision, since?: Revision) {
  return queryOptions<RevisionDiff>({
    queryKey: ["revision diff", revision.id, since?.id],
    queryFn: async ({ signal }) => {
      const { diff, note } = await call("patch.diff", { patch: id, project, revision: revision.id, since: since?.id }, signal);
      return { ...parse(diff), note: note ?? undefined };
    },
    gcTime: 10 * 60_000,
  });
}

/** A revision's diff, or what changed since an earlier one. */
export const useDiff = (patch: Shown, revision: Revision, since: Revision | undefined) => useQuery(diffOf(patch, revision, since));

/** Once a newer revision is looked at, what was written on the one before finds its lines there. */
export function useCarried(patch: Shown, revision: Revision): void {
  const pending = usePending(patch.id);
  const behind = pending.revision !== "" && pending.revision !== revision.id;
  const { data } = useQuery({ ...diffOf(patch, revision), enabled: behind });
  useEffect(() => {
    if (behind && data) carry(patch.id, revision.id, data.files);
  }, [patch.id, revision.id, behind, data]);
}
