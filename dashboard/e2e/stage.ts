// Where a scenario is played: a browser that signed in, and what must hold in all of them. Things are found by role and visible text
// only, as a person or a screen reader finds them.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";

/** What the test that started us says: where everything is, and what it made there. */
export interface Facts {
  url: string;
  sign_in: string;
  token: string;
  /** Where the test listens for `tell`. */
  control: string;
  chromium: string;
  /** Where pictures are kept. */
  pictures: string;
  [made: string]: string;
}

export const facts: Facts = JSON.parse(process.env.MESHWORK_E2E ?? "{}");

/** How long one thing may take to be there. */
const THING_MS = 20_000;
/** How long a run of a real engine may take. */
export const RUN_MS = 90_000;
export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 360, height: 740 };

/** Asks the test to do something to the machine: `kill`, `begin`. */
export async function tell(deed: string): Promise<void> {
  const answer = await fetch(`${facts.control}/${deed}`, { method: "POST" });
  if (!answer.ok) throw new Error(`${deed}: ${answer.status} ${await answer.text()}`);
  Object.assign(facts, await answer.json());
}

/** Calls an action as the command line does. */
export async function act<T>(name: string, input: object, token = facts.token): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(`${facts.url}/api/v1/${name.replace(".", "/")}`, { method: "POST", headers, body: JSON.stringify(input) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${name}: ${JSON.stringify(body)}`);
  return body as T;
}

export interface Stage {
  page: Page;
  context: BrowserContext;
  browser: Browser;
  /** What the browser complained about: errors of scripts, what the content policy stopped, requests to others. */
  complaints: string[];
}

interface Wishes extends BrowserContextOptions {
  /** Complaints that belong to the scenario. */
  allowed?: RegExp;
  /** Begins without having signed in. */
  stranger?: boolean;
}

/** Plays a scenario; when it fails, a picture and what a screen reader would read are kept. */
export async function onStage(name: string, play: (stage: Stage) => Promise<void>, wishes: Wishes = {}): Promise<void> {
  const { allowed, stranger, ...options } = wishes;
  const browser = await chromium.launch({ executablePath: facts.chromium, args: ["--disable-dev-shm-usage"] });
  try {
    const context = await browser.newContext({ viewport: WIDE, reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(THING_MS);
    const complaints: string[] = [];
    listen(page, complaints);
    if (!stranger) await signIn(page);
    try {
      await play({ page, context, browser, complaints });
    } catch (error) {
      await keep(page, name);
      throw error;
    }
    const bad = complaints.filter((one) => !allowed?.test(one));
    if (bad.length > 0) throw new Error(`the browser complained:\n${bad.join("\n")}`);
  } finally {
    await browser.close();
  }
}

/** Writes down what a page complains about. */
export function listen(page: Page, complaints: string[]): void {
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (said) => {
    if (said.type() === "error") complaints.push(`console: ${said.text()} ${said.location().url}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(facts.url) && /^(https?|wss?):/.test(request.url())) complaints.push(`request: ${request.url()}`);
  });
}

/** Takes a new one-time link, as `meshwork open` prints it. */
export async function signIn(page: Page): Promise<void> {
  const answer = await fetch(`${facts.url}/api/v1/sign-in/link`, { method: "POST", headers: { authorization: `Bearer ${facts.token}` } });
  const { url } = (await answer.json()) as { url: string };
  await page.goto(url);
  await page.getByRole("heading", { level: 1, name: /^Home/ }).waitFor();
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
}

async function keep(page: Page, name: string): Promise<void> {
  mkdirSync(facts.pictures, { recursive: true });
  await page.screenshot({ path: join(facts.pictures, `FAILED-${name}.png`) }).catch(() => {});
  const read = await page
    .locator("body")
    .ariaSnapshot()
    .catch(() => "");
  writeFileSync(join(facts.pictures, `FAILED-${name}.txt`), `${page.url()}\n${read}\n`);
}

/** Waits until something is so. */
export async function until(what: string, look: () => Promise<boolean>, limit_ms = THING_MS): Promise<void> {
  const end = Date.now() + limit_ms;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${limit_ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const there = (thing: Locator, timeout = THING_MS): Promise<void> => thing.first().waitFor({ timeout });

/** The heading of the page that is shown. */
export const title = (page: Page, name: string | RegExp): Locator => page.getByRole("heading", { level: 1, name });
