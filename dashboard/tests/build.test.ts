// @vitest-environment node
// What the built page weighs and holds. It is built anew, so that it is never an old one that is judged.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";

const FIRST_LOAD_BYTES_MAX = 250_000;

interface Chunk {
  file: string;
  imports?: string[];
  dynamicImports?: string[];
}

let dist: string;
let manifest: Record<string, Chunk>;

beforeAll(async () => {
  dist = await mkdtemp(join(tmpdir(), "meshwork-dashboard-"));
  const root = fileURLToPath(new URL("..", import.meta.url));
  const command = ["node_modules/vite/bin/vite.js", "build", "--outDir", dist, "--emptyOutDir", "--logLevel", "error"];
  await promisify(execFile)(process.execPath, command, { cwd: root, env: { ...process.env, NODE_ENV: "production" } });
  manifest = JSON.parse(await readFile(join(dist, ".vite/manifest.json"), "utf8"));
}, 120_000);
afterAll(() => rm(dist, { recursive: true, force: true }));

function withImports(key: string, found = new Set<string>()): Set<string> {
  if (!found.has(key)) {
    found.add(key);
    for (const next of manifest[key]?.imports ?? []) withImports(next, found);
  }
  return found;
}

it("the script of the first load is at most 250 kB compressed, with any page", async () => {
  const pages = (manifest["index.html"]?.dynamicImports ?? []).filter((key) => key.startsWith("src/pages/"));
  expect(pages.length).toBeGreaterThan(3);
  for (const page of pages) {
    const keys = new Set([...withImports("index.html"), ...withImports(page)]);
    let bytes = 0;
    for (const key of keys) bytes += gzipSync(await readFile(join(dist, manifest[key]?.file ?? ""))).length;
    expect(bytes, page).toBeLessThan(FIRST_LOAD_BYTES_MAX);
  }
});

it("nothing in the page stands in the way of the content policy, or asks another host", async () => {
  const html = await readFile(join(dist, "index.html"), "utf8");
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\ssrc="\/)|(?:src|href)="https?:/);
  for (const file of await readdir(join(dist, "assets"))) {
    if (!file.endsWith(".css")) continue;
    expect(await readFile(join(dist, "assets", file), "utf8"), file).not.toMatch(/url\(["']?https?:|@import/);
  }
});
