// What axe finds on the page as it is now: nothing serious, nothing critical.
import { createRequire } from "node:module";
import type { BrowserContext, Page } from "playwright-core";

const PATH = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

interface Found {
  id: string;
  impact: string | null;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** Our content policy lets no script in; this is laid into every page before it begins. */
export async function withAxe(context: BrowserContext): Promise<void> {
  await context.addInitScript({ path: PATH });
}

/** What is serious or critical, in words; empty when all is well. */
export async function serious(page: Page): Promise<string[]> {
  const found: Found[] = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(options: object): Promise<{ violations: Found[] }> } };
    return (await axe.run({ resultTypes: ["violations"] })).violations;
  });
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) =>
      nodes.slice(0, 3).map((node) => `${id} (${help}): ${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`),
    );
}
