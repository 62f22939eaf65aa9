// Lighthouse on Home, as somebody who signed in sees it, with its desktop preset. Played by `benches/src/bin/lighthouse.rs`.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Page } from "playwright-core";
import { expect, it } from "vitest";
import { facts, signIn } from "./stage";

interface Result {
  lhr: {
    finalDisplayedUrl: string;
    runtimeError?: { code: string };
    categories: Record<string, { score: number | null }>;
    audits: Record<string, { displayValue?: string; numericValue?: number; score: number | null; title: string }>;
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it("measures", async () => {
  const from = join(facts.lighthouse ?? "", "node_modules/lighthouse/core/index.js");
  const { default: lighthouse, desktopConfig } = await import(pathToFileURL(from).href);
  const port = await freePort();
  const profile = await mkdtemp(join(tmpdir(), "meshwork-lighthouse-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: facts.chromium,
    args: [`--remote-debugging-port=${port}`, "--disable-dev-shm-usage"],
  });
  const page = context.pages()[0] as Page;
  const measure = async (): Promise<Result["lhr"]> => {
    const options = { port, disableStorageReset: true, onlyCategories: ["performance", "accessibility"], output: "json" };
    return (await lighthouse(`${facts.url}/`, options, desktopConfig)).lhr;
  };
  try {
    // Without the session it must not pass: else a run on the sign-in page would count.
    const stranger = await measure();
    expect(stranger.runtimeError?.code).toBe("ERRORED_DOCUMENT_REQUEST");
    await signIn(page);
    await page.goto("about:blank");
    const lhr = await measure();
    expect(lhr.runtimeError).toBeUndefined();
    expect(new URL(lhr.finalDisplayedUrl).pathname).toBe("/");
    await writeFile(join(facts.pictures, "lighthouse.json"), JSON.stringify(lhr));
    const score = (name: string) => Math.round((lhr.categories[name]?.score ?? 0) * 100);
    const value = (name: string) => Math.round(lhr.audits[name]?.numericValue ?? 0);
    const figures = {
      performance: score("performance"),
      accessibility: score("accessibility"),
      first_contentful_paint_ms: value("first-contentful-paint"),
      largest_contentful_paint_ms: value("largest-contentful-paint"),
      total_blocking_time_ms: value("total-blocking-time"),
      speed_index_ms: value("speed-index"),
    };
    await writeFile(facts.told ?? "", JSON.stringify(figures));
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
});
