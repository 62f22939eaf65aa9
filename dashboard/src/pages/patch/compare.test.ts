// @vitest-environment node
// Against git itself: what leads from one revision to another, found from both diffs, makes the one's files into the other's.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DiffFile, parse } from "../../ui/diff/parse";
import { compare } from "./compare";

type Files = Record<string, string[]>;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "compare-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function git(...args: string[]): string {
  const config = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "core.hooksPath=/dev/null"];
  return execFileSync("git", [...config, ...args], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 26 });
}

function commit(files: Files): string {
  git("rm", "-rqf", "--ignore-unmatch", ".");
  for (const [path, lines] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), lines.map((line) => `${line}\n`).join(""));
  }
  git("add", "-A");
  git("commit", "-qm", "x", "--allow-empty");
  return git("rev-parse", "HEAD").trim();
}

/** Three states as git has them; answers with the diffs of both later ones to the first. */
function diffs(base: Files, older: Files, newer: Files): [DiffFile[], DiffFile[]] {
  git("init", "-q");
  const [b, o, n] = [commit(base), commit(older), commit(newer)];
  return [parse(git("diff", "-M", b, o)).files, parse(git("diff", "-M", b, n)).files];
}

/** Does to lines what a file's hunks say, and finds what stands there as they say. */
function applied(lines: string[], file: DiffFile): string[] {
  const out: string[] = [];
  let line = 1;
  const take = () => out.push(lines[line++ - 1] as string);
  for (const change of file.hunks.flatMap((hunk) => hunk.changes)) {
    if (change.type === "insert") {
      while (out.length + 1 < change.lineNumber) take();
      out.push(change.content);
      continue;
    }
    const at = change.type === "normal" ? change.oldLineNumber : change.lineNumber;
    while (line < at) take();
    expect(lines[line - 1]).toBe(change.content);
    if (change.type === "delete") line += 1;
    else take();
  }
  while (line <= lines.length) take();
  return out;
}

/** Numbers that look random and are the same each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * sides);
  };
}

function edited(lines: string[], roll: (sides: number) => number, name: string): string[] {
  const out = [...lines];
  for (let edit = roll(6); edit >= 0; edit -= 1) {
    const added = Array.from({ length: roll(4) }, (_, n) => (roll(3) ? `${name} ${edit} ${n}` : "}"));
    out.splice(roll(out.length + 1), roll(4), ...added);
  }
  return out;
}

test("what is shown between two revisions makes the one into the other", { timeout: 30_000 }, () => {
  const [base, older, newer]: [Files, Files, Files] = [{}, {}, {}];
  for (let seed = 1; seed <= 60; seed += 1) {
    const roll = dice(seed);
    const path = `file ${seed}`;
    const lines = Array.from({ length: 5 + roll(60) }, (_, n) => (n % 7 ? `line ${n}` : "}"));
    base[path] = lines;
    older[path] = edited(lines, roll, "older");
    newer[path] = edited(roll(2) ? older[path] : lines, roll, "newer");
  }
  const [a, b] = diffs(base, older, newer);
  const found = compare(a, b);
  expect(found.length).toBeGreaterThan(50);
  for (const [path, lines] of Object.entries(older)) {
    const file = found.find((one) => one.path === path);
    expect(file ? applied(lines, file) : lines, path).toEqual(newer[path]);
  }
});

test("files that only one revision has, touches, renames or removes", { timeout: 30_000 }, () => {
  const lines = (name: string) => Array.from({ length: 20 }, (_, n) => `${name} ${n}`);
  const changed = (name: string, to: string) => lines(name).with(10, to);
  const base = { same: lines("same"), back: lines("back"), gone: lines("gone"), moved: lines("moved") };
  const older = { same: changed("same", "both"), back: changed("back", "older"), gone: lines("gone"), moved: lines("moved"), early: ["1"] };
  const newer = { same: changed("same", "both"), back: lines("back"), "to/there": lines("moved"), late: ["1", "2"] };
  const [a, b] = diffs(base, older, newer);
  const found = compare(a, b).map(({ path, from, kind, added, removed }) => `${kind} ${from} ${path} +${added} -${removed}`);
  expect(found.sort()).toEqual([
    "added late late +2 -0",
    "changed back back +1 -1",
    "removed early early +0 -1",
    "removed gone gone +0 -20",
    "renamed moved to/there +0 -0",
  ]);
});

test("the same work is no difference, also of a file that is not text", { timeout: 30_000 }, () => {
  const [a, b] = diffs({ x: ["1"] }, { x: ["2"], bin: ["\0a"] }, { x: ["2"], bin: ["\0b"] });
  expect(compare(a, a)).toEqual([]);
  expect(compare(a, b).map((file) => [file.path, file.binary])).toEqual([["bin", true]]);
});

test("long files are compared in time", { timeout: 30_000 }, () => {
  const base = Array.from({ length: 20_000 }, (_, n) => `line ${n}`);
  const [a, b] = diffs({}, { x: base }, { x: base.filter((_, n) => n % 500) });
  const began = performance.now();
  const [file] = compare(a, b);
  expect([file?.added, file?.removed]).toEqual([0, 40]);
  expect(performance.now() - began).toBeLessThan(2_000);
});
