// The main job once more, with nothing but the command bar: every step is a sentence, a yes, or a thing that the bar found.
import type { Page } from "playwright-core";
import { it } from "vitest";
import { facts, onStage, RUN_MS, there, title, until } from "./stage";

const { task = "T001", file = "", printed = "", remark = "" } = facts;

/** Opens the bar where it is shut, says a sentence, and gives its answer. */
async function say(page: Page, sentence: string) {
  const bar = page.getByRole("dialog", { name: "Command bar" });
  if ((await bar.count()) === 0) await page.keyboard.press("Control+k");
  await there(bar);
  const field = bar.getByRole("combobox", { name: "Find or do anything" });
  await field.pressSequentially(sentence);
  await field.press("Enter");
  return bar.getByRole("article", { name: `You said: ${sentence}` }).last();
}

/** Says a sentence that changes something, and yes to it. */
async function have(page: Page, sentence: string) {
  const answer = await say(page, sentence);
  await there(answer.getByRole("button", { name: "Yes, do it" }));
  await page.keyboard.type("yes");
  await page.keyboard.press("Enter");
  await there(answer.getByText("Done", { exact: true }), RUN_MS);
  return answer;
}

/** Goes to what a sentence found. */
async function goTo(page: Page, sentence: string, name: RegExp): Promise<void> {
  const link = (await say(page, sentence)).getByRole("link", { name }).first();
  await there(link);
  const to = new URL((await link.getAttribute("href")) ?? "", page.url()).pathname;
  await link.press("Enter");
  await until(`the page of ${to}`, async () => new URL(page.url()).pathname === to);
}

it("a task is run, watched, reviewed, done again and merged by the command bar alone", () =>
  onStage("bar", async ({ page }) => {
    await have(page, `run ${task} with codex`);
    await goTo(page, "what is running?", new RegExp(task));
    const log = page.getByRole("log", { name: "Log" });
    await there(log.getByText("Written."), RUN_MS);
    await there(log.getByText(printed));
    await there(page.getByRole("region", { name: "Plan" }).getByText("make the file"));
    await there(page.getByRole("list", { name: "Phases" }).getByText("Done"), RUN_MS);

    await goTo(page, "show open patches", new RegExp(task));
    await there(title(page, new RegExp(task)));
    const patch = new URL(page.url()).pathname.split("/").at(-1)?.slice(0, 8);
    await have(page, `request changes on patch ${patch}: ${file}:1: ${remark}`);
    await page.keyboard.press("Escape");
    await there(page.getByRole("region", { name: "What happened" }).getByText(remark));

    await have(page, `run ${task} with codex`);
    await page.keyboard.press("Escape");
    await there(page.getByRole("button", { name: "Show revision 2" }), RUN_MS);
    await have(page, `accept patch ${patch}: Good.`);
    await have(page, `merge patch ${patch}`);
    await page.keyboard.press("Escape");
    await there(page.getByRole("region", { name: "Merge gate" }).getByText(/^Merged/), RUN_MS);
    await goTo(page, `show ${task}`, new RegExp(task));
    await there(page.getByText("Merged", { exact: true }));
  }));
