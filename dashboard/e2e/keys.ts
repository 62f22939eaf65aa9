// The keyboard as a person uses it who has nothing else: where the focus is, and how it gets somewhere.
import type { Page } from "playwright-core";

/** So many steps to a thing that is in sight are too many for anybody. */
const STEPS_MAX = 60;

/** What a screen reader says of the thing with the focus: `button "Run"`. */
export async function focused(page: Page): Promise<string> {
  const told = await page
    .locator("*:focus")
    .first()
    .ariaSnapshot({ timeout: 2_000 })
    .catch(() => "");
  return (told.split("\n")[0] ?? "").replace(/^- /, "");
}

/** Presses a key until the focus is on this. */
export async function press(page: Page, key: string, role: string, name: string | RegExp): Promise<void> {
  const seen: string[] = [];
  for (let step = 0; step < STEPS_MAX; step += 1) {
    await page.keyboard.press(key);
    const now = await focused(page);
    seen.push(now);
    if (is(now, role, name)) return;
  }
  throw new Error(`${key} does not come to ${role} ${name}, but to:\n${seen.join("\n")}`);
}

function is(told: string, role: string, name: string | RegExp): boolean {
  if (/^\w+/.exec(told)?.[0] !== role) return false;
  const called = /"((?:[^"\\]|\\.)*)"/.exec(told)?.[1]?.replaceAll('\\"', '"') ?? /^\S+: (.*)$/.exec(told)?.[1] ?? "";
  return typeof name === "string" ? called === name : name.test(called);
}

/** With Tab to a thing, and Enter on it. */
export async function enter(page: Page, role: string, name: string | RegExp, key = "Tab"): Promise<void> {
  await press(page, key, role, name);
  await page.keyboard.press("Enter");
}

/** `g` and a letter. */
export async function go(page: Page, letter: string): Promise<void> {
  await page.keyboard.press("g");
  await page.keyboard.press(letter);
}
