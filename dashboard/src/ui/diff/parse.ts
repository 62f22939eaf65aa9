// A unified diff as files of changes. Pure. The hunks are read by gitdiff-parser; the heads of files here, because names may be
// quoted or have spaces.
import gitdiff, { type Change, type Hunk } from "gitdiff-parser";

export type { Change, Hunk };

export interface DiffFile {
  /** Where it is after the change; where it was, if it is removed. */
  path: string;
  /** Where it was; the same unless it was renamed. */
  from: string;
  kind: "added" | "removed" | "renamed" | "changed";
  binary: boolean;
  hunks: Hunk[];
  added: number;
  removed: number;
  /** The content's id in git, before and after. */
  blobs?: [before: string, after: string];
  /** Its mode in git where that changed, as `100644 → 100755`. */
  mode?: string;
}

export interface ParsedDiff {
  files: DiffFile[];
  /** What the program says where it cut a long diff. */
  cut?: string;
}

/** A cut diff ends with such a line; no line of a file begins like this. */
const CUT = /\n\[(cut here: [^\n]*)\]\n$/;

export function parse(diff: string): ParsedDiff {
  const cut = CUT.exec(diff)?.[1];
  const text = diff.replace(CUT, "\n");
  const files = text
    .split(/^(?=diff --git )/m)
    .filter((part) => part.startsWith("diff --git "))
    .map(file);
  return { files, cut };
}

function file(text: string): DiffFile {
  const body = text.search(/^@@ /m);
  const head = (body < 0 ? text : text.slice(0, body)).split("\n");
  const after = (start: string) => head.find((line) => line.startsWith(start))?.slice(start.length);
  const [first, second] = names(head[0] ?? "");
  const from = after("rename from ") ?? named(after("--- "));
  const to = after("rename to ") ?? named(after("+++ "));
  const path = unquoted(to ?? from ?? second);
  const hunks = body < 0 ? [] : (gitdiff.parse(`diff --git a/x b/x\n--- a/x\n+++ b/x\n${text.slice(body)}`)[0]?.hunks ?? []);
  const changes = hunks.flatMap((hunk) => hunk.changes);
  const blobs = after("index ")?.split(" ")[0]?.split("..");
  const modes = [after("old mode "), after("new mode ")];
  return {
    path,
    from: unquoted(from ?? to ?? first),
    kind: kindOf(after),
    binary: head.some((line) => line.startsWith("Binary files ") || line === "GIT binary patch"),
    hunks,
    added: changes.filter((change) => change.type === "insert").length,
    removed: changes.filter((change) => change.type === "delete").length,
    blobs: blobs?.length === 2 ? [blobs[0] ?? "", blobs[1] ?? ""] : undefined,
    mode: modes[0] && modes[1] ? modes.join(" → ") : undefined,
  };
}

function kindOf(after: (start: string) => string | undefined): DiffFile["kind"] {
  if (after("new file mode ") !== undefined) return "added";
  if (after("deleted file mode ") !== undefined) return "removed";
  return after("rename from ") === undefined ? "changed" : "renamed";
}

/** Both names of `diff --git a/x b/x`: used where nothing else names the file; then they are the same. */
function names(line: string): [string, string] {
  const rest = line.slice("diff --git ".length);
  const half = (rest.length - 1) / 2;
  return [unprefixed(rest.slice(0, half)), unprefixed(rest.slice(half + 1))];
}

function named(text: string | undefined): string | undefined {
  return text === undefined || text === "/dev/null" ? undefined : unprefixed(text.replace(/\t$/, ""));
}

const unprefixed = (name: string): string => name.replace(/^("?)[ab]\//, "$1");

const escapes: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Git quotes unusual names like C does, byte by byte. */
function unquoted(name: string): string {
  if (!name.startsWith('"')) return name;
  const bytes: number[] = [];
  for (const [part, octal, letter] of name.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|[^\\]+/g)) {
    if (octal) bytes.push(Number.parseInt(octal, 8));
    else if (letter) bytes.push(escapes[letter] ?? letter.charCodeAt(0));
    else bytes.push(...new TextEncoder().encode(part));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
