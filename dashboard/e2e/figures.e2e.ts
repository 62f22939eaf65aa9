// The dashboard's figures: how soon pages are of use, how soon an event is on the page, how 100,000 log lines scroll. Played by
// `benches/src/bin/dashboard.rs`; what it found goes into the file `told`.
import { writeFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import { it } from "vitest";
import { places } from "./pages";
import { act, facts, onStage, there, title, until } from "./stage";

const { run = "", patch = "", task = "", told = "", project = "" } = facts;
const TIMES = 3;
const EVENTS = 40;
const FRAME_MS = 1_000 / 60;
const DEVICES = 500;

const quantile = (all: number[], share: number): number => all.toSorted((a, b) => a - b)[Math.round((all.length - 1) * share)] ?? 0;

it("measures", () =>
  onStage("figures", async ({ page }) => {
    const figures: Record<string, unknown> = {};
    figures.pages_ms = await usable(page);
    figures.event_ms = await events(page);
    figures.scroll = await scroll(page);
    figures.tasks_2000_ms = await timed(page, `/tasks?project=${project}`, () => seen(page.getByRole("button", { name: /^T0001/ })));
    figures.filter_2000_ms = await filter(page);
    figures.devices_500_ms = await devices(page);
    writeFileSync(told, JSON.stringify(figures));
  }));

/** Looks every 50 ms: `waitFor` looks every 500 ms after the first, and what it finds is as much too late. */
const seen = (thing: Locator): Promise<void> => until("a figure", () => thing.first().isVisible());
const gone = (thing: Locator): Promise<void> => until("a figure", async () => (await thing.count()) === 0);
const loaded = (page: Page): Promise<void> => gone(page.getByRole("status", { name: "Loading" }));

/** From the beginning of the way there until the page shows what it has; a new document each time. */
async function timed(page: Page, path: string, shown: () => Promise<void>): Promise<number> {
  await page.goto("about:blank");
  const began = performance.now();
  await page.goto(facts.url + path, { waitUntil: "commit" });
  await shown();
  return Math.round(performance.now() - began);
}

async function usable(page: Page): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const worth = places({ run, failed: run, patch, task }).filter(({ first, name }) => !first && name !== "gone" && name !== "nothing");
  for (const { name, path, heading } of worth) {
    const times: number[] = [];
    for (let time = 0; time < TIMES; time += 1) {
      times.push(
        await timed(page, path, async () => {
          await seen(title(page, heading));
          await loaded(page);
        }),
      );
    }
    found[name] = quantile(times, 0.5);
  }
  return found;
}

/** An agent is added; from the answer, after which the event is on disk, until the open page shows it. Seen by the page itself. */
async function events(page: Page): Promise<{ p50: number; p99: number }> {
  await page.goto(`${facts.url}/agents`);
  await there(title(page, /^Agents/));
  await there(page.getByRole("status").filter({ hasText: "Live" }));
  const took: number[] = [];
  for (let at = 0; at < EVENTS; at += 1) {
    const name = `seen-${at}`;
    const seen = page.evaluate(
      (name) =>
        new Promise<number>((resolve) => {
          const look = () => document.querySelector("main")?.textContent?.includes(name) && resolve(Date.now());
          new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
          look();
        }),
      name,
    );
    await act("agent.add", { name, engine: "command", command: "true" });
    const done = Date.now();
    took.push((await seen) - done);
    // So that each begins from rest, not within the pause of the round before.
    await page.waitForTimeout(250);
  }
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

/** Scrolls through the whole log with the wheel, and writes down how long each frame took. */
async function scroll(page: Page): Promise<object> {
  await page.goto(`${facts.url}/runs/${run}`);
  const log = page.getByRole("log", { name: "Log" });
  const counted = page.getByText(/^1000\d\d lines$/);
  await there(counted, 60_000);
  const lines = Number.parseInt((await counted.textContent()) ?? "", 10);
  const frames = await log.evaluate(
    (box) =>
      new Promise<number[]>((resolve) => {
        const took: number[] = [];
        const steps = 300;
        let last = performance.now();
        let step = 0;
        const next = (now: number) => {
          took.push(now - last);
          last = now;
          // First a stretch in steps as a wheel makes them, then through all of it in great leaps.
          box.scrollTop = step < steps / 2 ? step * 120 : (box.scrollHeight * (step - steps / 2)) / (steps / 2);
          step += 1;
          if (step < steps) requestAnimationFrame(next);
          else resolve(took.slice(1));
        };
        requestAnimationFrame(next);
      }),
  );
  const late = frames.filter((took) => took > 2 * FRAME_MS).length;
  return {
    lines,
    p50_ms: quantile(frames, 0.5),
    p95_ms: quantile(frames, 0.95),
    max_ms: quantile(frames, 1),
    late_share: late / frames.length,
  };
}

async function filter(page: Page): Promise<number> {
  const field = page.getByRole("searchbox", { name: "Filter tasks" });
  await field.click();
  const began = performance.now();
  await field.pressSequentially("1999");
  await gone(page.getByRole("button", { name: /^T0001/ }));
  return Math.round(performance.now() - began);
}

type Drawn = typeof globalThis & { drawn?: { first: number; all: number } };

/** In the page: when its first rows stood there, and when all of them, from the beginning of the way there. */
function watchRows(all: number) {
  let first: number | undefined;
  const look = () => {
    const rows = document.querySelectorAll("main tr[data-row]").length;
    if (rows > 0) first ??= Math.round(performance.now());
    if (rows < all) requestAnimationFrame(look);
    else (globalThis as Drawn).drawn = { first: first ?? 0, all: Math.round(performance.now()) };
  };
  requestAnimationFrame(look);
}

/** The machine has one device: its answer is given back `DEVICES` times, so that at least the page is measured. */
async function devices(page: Page): Promise<{ first: number; all: number }> {
  await page.route("**/api/v1/device/list", async (route) => {
    const answer = await route.fetch();
    const [one] = (await answer.json()) as { name?: string }[];
    const many = Array.from({ length: DEVICES }, (_, at) => ({ ...one, here: at === 0, did: `did:key:z6Mk${at}`, name: `machine-${at}` }));
    await route.fulfill({ response: answer, json: many });
  });
  // The page itself looks: a search through so many rows from outside takes as long as drawing them.
  await page.addInitScript(watchRows, DEVICES);
  await page.goto("about:blank");
  await page.goto(`${facts.url}/mesh`, { waitUntil: "commit" });
  const took = await page.waitForFunction(() => (globalThis as Drawn).drawn, undefined, { timeout: 60_000 });
  await page.unroute("**/api/v1/device/list");
  return (await took.jsonValue()) as { first: number; all: number };
}
