// What checks printed: its end stands in the log of the run that did them.
import { useQuery } from "@tanstack/react-query";
import { call } from "../../api/call";

/** A longer log is looked through no further. */
const PAGES_MAX = 200;

/** The end of each check's output, by the check's name. */
async function outputs(run: string, signal: AbortSignal): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  let after = 0;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { lines, ended } = await call("run.logs", { run, after }, signal);
    for (const { event } of lines) if (event.type === "check_ended") found[event.result.name] = event.result.tail ?? "";
    after = lines.at(-1)?.seq ?? after;
    if (ended || lines.length === 0) break;
  }
  return found;
}

/** Read only once it is wanted. */
export function useOutputs(run: string | undefined, wanted: boolean) {
  return useQuery({
    queryKey: ["check outputs", run],
    queryFn: ({ signal }) => outputs(run ?? "", signal),
    enabled: wanted && run !== undefined,
  });
}

export interface PlaceInFile {
  text: string;
  path: string;
  line: number;
}

/** Text cut where it names `file:line` of one of these files; a folder before it may be another machine's. */
export function places(text: string, files: readonly string[]): (string | PlaceInFile)[] {
  const parts: (string | PlaceInFile)[] = [];
  let from = 0;
  for (const found of text.matchAll(/([\w./@+-]+):(\d+)(?::\d+)?/g)) {
    const named = (found[1] ?? "").replace(/^\.\//, "");
    const path = files.find((file) => named === file || named.endsWith(`/${file}`));
    if (!path) continue;
    if (found.index > from) parts.push(text.slice(from, found.index));
    parts.push({ text: found[0], path, line: Number(found[2]) });
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}
