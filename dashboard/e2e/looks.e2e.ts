// Every page, in both themes, wide and narrow: pictures are kept, axe finds nothing serious, and nothing that people or agents wrote
// is ever more than text.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { serious, withAxe } from "./axe";
import { open, places } from "./pages";
import { act, facts, NARROW, onStage, WIDE } from "./stage";

const { project = "", run = "", failed = "", patch = "", task = "", evil = "" } = facts;
const widths = { wide: WIDE, narrow: NARROW };

/** Elements that only markup from text can have made. */
const foreign = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [
      ...document.querySelectorAll(
        "[onerror], [onload], [onclick], [onmouseover], iframe, object, embed, base, a[href^='javascript:' i], body script, img",
      ),
    ].map((one) => one.outerHTML),
  );

/** The innermost things that make the page scroll sideways. */
const overflowing = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > clientWidth + 1);
    const inner = wide.filter((one) => !wide.some((other) => one !== other && one.contains(other)));
    return [`by ${scrollWidth - clientWidth} px`, ...inner.slice(0, 3).map((one) => one.outerHTML.slice(0, 160))];
  });

it("every page looks right, reads right and runs nothing that was written into it", () =>
  onStage(
    "looks",
    async ({ page, context }) => {
      mkdirSync(facts.pictures, { recursive: true });
      await act("patch.comment", { project, patch, body: `A remark ${evil}` });
      await withAxe(context);
      const bad: string[] = [];
      for (const place of places({ run, failed, patch, task })) {
        for (const [width, size] of Object.entries(widths)) {
          await page.setViewportSize(size);
          await open(page, place);
          for (const theme of ["light", "dark"] as const) {
            await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
            await page.screenshot({ path: join(facts.pictures, `${place.name}-${width}-${theme}.png`) });
            const name = `${place.name}, ${width}, ${theme}`;
            bad.push(...(await serious(page)).map((what) => `${name}: ${what}`));
            bad.push(...(await foreign(page)).map((what) => `${name}: made from text: ${what}`));
          }
          for (const what of await overflowing(page)) bad.push(`${place.name}, ${width}: wider than the window: ${what}`);
        }
      }
      expect(bad).toEqual([]);
    },
    { allowed: /status of 404/ },
  ));
