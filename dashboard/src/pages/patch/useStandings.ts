// Where the patches of some projects are, each in a word.
import { useQueries } from "@tanstack/react-query";
import { read } from "../../api/query";
import { standingWords, type Word } from "../../ui/words";
import type { Patch } from "./facts";

export function useStandings(projects: readonly string[]): ReadonlyMap<string, Word> {
  return useQueries({ queries: [...new Set(projects)].map((project) => read("patch.list", { project })), combine });
}

const combine = (lists: { data?: Patch[] }[]) =>
  new Map(lists.flatMap(({ data = [] }) => data.map((patch): [string, Word] => [patch.id, standingWords[patch.standing]])));
