// The main job again, without a mouse.
import { it } from "vitest";
import { enter, go, press } from "./keys";
import { facts, onStage, RUN_MS, there, title } from "./stage";

const { task = "T001", file = "", second = "", word = "", printed = "", remark = "" } = facts;

it("a task is run, watched, reviewed, done again and merged by keyboard", () =>
  onStage("keyboard", async ({ page }) => {
    await go(page, "t");
    await there(page.getByRole("button", { name: task }));
    await enter(page, "button", new RegExp(`^${task}`), "j");
    const panel = page.getByRole("complementary", { name: `Task ${task}` });
    await there(panel.getByRole("button", { name: "Run" }));
    await enter(page, "button", "Run");
    await there(panel.getByRole("region", { name: "Runs" }).getByRole("link"));
    await enter(page, "link", /codex/, "j");

    const log = page.getByRole("log", { name: "Log" });
    await there(log.getByText("Written."), RUN_MS);
    await enter(page, "button", "Tools");
    await there(log.getByText(printed));
    await there(page.getByRole("region", { name: "Plan" }).getByText("make the file"));
    await there(page.getByRole("list", { name: "Phases" }).getByText("Done"), RUN_MS);
    await press(page, "Shift+Tab", "tab", "Log");
    await press(page, "ArrowRight", "tab", "Changes");
    await there(page.getByText(word, { exact: true }));
    await enter(page, "link", /^Patch /, "Shift+Tab");

    await there(title(page, new RegExp(task)));
    await press(page, "Tab", "tab", "Overview");
    await press(page, "ArrowRight", "tab", /^Changes/);
    await there(page.getByRole("region", { name: file, exact: true }));
    await press(page, "n", "button", file);
    await enter(page, "button", "Comment on line 1, added");
    await there(page.getByRole("textbox", { name: "Comment on line 1" }));
    await page.keyboard.type(remark);
    await page.keyboard.press("Control+Enter");
    await enter(page, "button", /^Finish review/, "Shift+Tab");
    await there(page.getByRole("dialog", { name: "Your review" }));
    await enter(page, "button", "Request changes");
    await there(page.getByText("You requested changes."));

    await press(page, "Tab", "tab", /^Changes/);
    await press(page, "ArrowLeft", "tab", "Overview");
    await there(page.getByRole("button", { name: `Run ${task} again` }));
    await enter(page, "button", `Run ${task} again`);
    await there(page.getByRole("dialog", { name: `Run ${task} again?` }));
    await enter(page, "button", "Run it");
    await there(page.getByRole("button", { name: "Show revision 2" }), RUN_MS);
    await enter(page, "button", "Show revision 2");
    await press(page, "Shift+Tab", "tab", "Overview");
    await press(page, "ArrowRight", "tab", /^Changes/);
    await there(page.getByRole("region", { name: second, exact: true }).getByText("told"));

    await enter(page, "button", "Review", "Shift+Tab");
    await there(page.getByRole("dialog", { name: "Your review" }));
    await enter(page, "button", "Accept");
    await there(page.getByText("You accepted the patch."));
    await enter(page, "button", "Merge …");
    await there(page.getByRole("dialog", { name: "Merge into main?" }));
    await enter(page, "button", "Merge");
    await there(page.getByText(/^Merged into main as/), RUN_MS);
    await go(page, "t");
    await there(page.getByRole("region", { name: "Done: 1" }).getByRole("button", { name: task }));

    // From the graph it is opened too.
    await enter(page, "button", "Graph");
    await there(page.getByRole("button", { name: new RegExp(`^${task} Merged `) }));
    await enter(page, "button", new RegExp(`^${task} Merged `));
    await there(page.getByRole("complementary", { name: `Task ${task}` }));
  }));
