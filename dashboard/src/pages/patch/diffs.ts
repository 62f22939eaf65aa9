// The diff of each revision. What a revision changes never changes itself, so it is read once; and it is not read anew when another
// revision arrives, under the eyes of whoever reads it.
import { queryOptions, useQueries, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError, call } from "../../api/call";
import { type DiffFile, parse } from "../../ui/diff/parse";
import { latest, makerOf, type Revision, type Shown } from "./facts";
import { carry, usePending } from "./pending";

/** Runs among which a revision's own is looked for. */
export const RUNS_MAX = 1_000;

export interface RevisionDiff {
  files: DiffFile[];
  cut?: string;
}

export function diffOf({ id, project }: Pick<Shown, "id" | "project">, revision: Revision) {
  return queryOptions<RevisionDiff>({
    queryKey: ["revision diff", revision.id],
    queryFn: async ({ signal }) => parse(await text({ id, project }, revision, signal)),
    gcTime: 10 * 60_000,
  });
}

/** The program gives the diff of the latest revision, and that of each run: an older revision's is its run's. */
async function text({ id, project }: Pick<Shown, "id" | "project">, revision: Revision, signal: AbortSignal): Promise<string> {
  const { diff } = await call("patch.diff", { patch: id, project }, signal);
  const shown = await call("patch.show", { patch: id, project }, signal);
  if (latest(shown)?.id === revision.id) return diff;
  const runs = await call("run.list", { project, all: true, limit: RUNS_MAX }, signal);
  const run = makerOf(revision, runs);
  const made = run && (await call("run.diff", { run: run.id }, signal));
  if (made?.whole && made.diff !== null) return made.diff;
  throw new ApiError({
    kind: "not_found",
    what: "This older revision cannot be shown here.",
    why: "No run on this machine made it, and only the latest revision of such a patch is kept at hand.",
    next: `In a clone of the project: git diff ${revision.base} ${revision.head}`,
  });
}

/** A revision's diff, or what changed since an earlier one. */
export function useDiff(patch: Shown, revision: Revision, since: Revision | undefined) {
  const wanted = since ? [revision, since] : [revision];
  return useQueries({
    queries: wanted.map((one) => diffOf(patch, one)),
    combine: ([now, before]) => ({
      error: now?.error ?? before?.error ?? null,
      retry: () => void Promise.all([now?.refetch(), before?.refetch()]),
      now: now?.data,
      before: before?.data,
    }),
  });
}

/** Why two revisions cannot be compared; none when they can. */
export function whyNot(older: Revision, newer: Revision): string | undefined {
  if (older.base === newer.base) return undefined;
  return "They begin from different commits: the work was done anew on a later state of the branch. Look at each by itself.";
}

/** Once a newer revision is looked at, what was written on the one before finds its lines there. */
export function useCarried(patch: Shown, revision: Revision): void {
  const pending = usePending(patch.id);
  const behind = pending.revision !== "" && pending.revision !== revision.id;
  const { data } = useQuery({ ...diffOf(patch, revision), enabled: behind });
  useEffect(() => {
    if (behind && data) carry(patch.id, revision.id, data.files);
  }, [patch.id, revision.id, behind, data]);
}
