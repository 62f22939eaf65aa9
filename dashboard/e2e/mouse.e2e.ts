// The main job, entirely by mouse; the keyboard only writes words into fields.
import { expect, it } from "vitest";
import { facts, onStage, RUN_MS, there, title } from "./stage";

const { task = "T001", file = "", second = "", word = "", printed = "" } = facts;

it("a task is run, watched, reviewed, done again and merged by mouse", () =>
  onStage("mouse", async ({ page }) => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Tasks" }).click();
    await page
      .getByRole("region", { name: /^Ready/ })
      .getByRole("button", { name: task })
      .click();
    const panel = page.getByRole("complementary", { name: `Task ${task}` });
    await panel.getByRole("button", { name: "Run" }).click();
    await panel.getByRole("region", { name: "Runs" }).getByRole("link").click();

    // What the agent does: words, plan, tool calls, output, files.
    const log = page.getByRole("log", { name: "Log" });
    await there(log.getByText("Written."), RUN_MS);
    await there(log.getByText(printed));
    await there(page.getByRole("region", { name: "Plan" }).getByText("make the file"));
    await page.getByRole("button", { name: "Tools", exact: true }).click();
    await there(log.getByText(printed));
    await there(page.getByRole("list", { name: "Phases" }).getByText("Done"), RUN_MS);
    await page.getByRole("tab", { name: "Changes" }).click();
    await there(page.getByText(word, { exact: true }));

    // The patch, with a comment on its first line.
    await page.getByRole("link", { name: /^Patch / }).click();
    await there(title(page, new RegExp(task)));
    await page.getByRole("tab", { name: /^Changes/ }).click();
    await page.getByRole("region", { name: file, exact: true }).getByRole("button", { name: "Comment on line 1, added" }).click();
    await page.getByRole("textbox", { name: "Comment on line 1" }).fill(facts.remark ?? "");
    await page.getByRole("button", { name: "Add to review" }).click();
    await page.getByRole("button", { name: /^Finish review/ }).click();
    await page.getByRole("dialog", { name: "Your review" }).getByRole("button", { name: "Request changes" }).click();
    await there(page.getByText("You requested changes."));

    // A second revision.
    await page.getByRole("tab", { name: "Overview" }).click();
    const gate = page.getByRole("region", { name: "Merge gate" });
    await gate.getByRole("button", { name: `Run ${task} again` }).click();
    const again = page.getByRole("dialog", { name: `Run ${task} again?` });
    await again.getByRole("combobox", { name: "Priority" }).selectOption("low");
    await again.getByRole("button", { name: "Run it" }).click();
    await there(gate.getByText("makes a new revision"));
    await page.getByRole("button", { name: "Show revision 2" }).click({ timeout: RUN_MS });
    await page.getByRole("tab", { name: /^Changes/ }).click();
    await there(page.getByRole("region", { name: second, exact: true }).getByText("told"));

    await page.getByRole("button", { name: "Review", exact: true }).click();
    await page.getByRole("dialog", { name: "Your review" }).getByRole("button", { name: "Accept" }).click();
    await there(page.getByText("You accepted the patch."));
    await page.getByRole("button", { name: "Merge …" }).click();
    await page.getByRole("dialog", { name: "Merge into main?" }).getByRole("button", { name: "Merge", exact: true }).click();
    await there(page.getByText(/^Merged into main as/), RUN_MS);
    await page.getByRole("tab", { name: "Overview" }).click();
    await there(page.getByRole("region", { name: "What happened" }).getByText("Merged", { exact: true }));
    await there(gate.getByText(/^git pull /));
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Tasks" }).click();
    await there(page.getByRole("region", { name: "Done: 1" }).getByRole("button", { name: task }));
    expect(await page.getByRole("region", { name: "Ready: 0" }).count()).toBeLessThanOrEqual(1);
  }));
