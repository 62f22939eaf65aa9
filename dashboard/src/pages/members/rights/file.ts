// A file of policies while it is edited. Pure.
import type { Output } from "../../../api/call";

type File = Output<"policy.show">["files"][number];

export const nameOf = (path: string): string => path.split("/").at(-1) ?? path;

/** What the program takes as a name. */
export const goodName = (name: string): boolean => /^[A-Za-z0-9_-]+\.cedar$/.test(name);

/** The org's files as they would be: what is right in a file can be wrong beside the others. */
export const withFile = (files: readonly File[], path: string, text: string): File[] => [
  ...files.filter((file) => file.path !== path),
  { path, text },
];

/** The same without a file. The program looks at what is given beside what the org has, so it is given with no rule in it. */
export const withoutFile = (files: readonly File[], path: string): File[] => withFile(files, path, "// It is removed.\n");

/** Where a line, from 1, begins and ends in a text. */
export function lineIn(text: string, line: number): [number, number] {
  const lines = text.split("\n");
  const at = Math.min(Math.max(line, 1), lines.length) - 1;
  const begin = lines.slice(0, at).reduce((sum, one) => sum + one.length + 1, 0);
  return [begin, begin + (lines[at] ?? "").length];
}
