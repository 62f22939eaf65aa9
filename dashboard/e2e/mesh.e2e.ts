// The machine and the others: whose it is, where a task may run, and what is known of a device that is away.
import { expect, it } from "vitest";
import { focused } from "./keys";
import { act, facts, onStage, there, title } from "./stage";

const { run = "", away = "" } = facts;

it("the machine is taken back for an hour and lent again, and what it lends is changed", () =>
  onStage("lending", async ({ page }) => {
    // Whatever this machine runs on.
    await act("device.lend", { on_battery: true, lid_closed: true, while_present: true });
    await page.goto(`${facts.url}/mesh`);
    const lent = page.getByRole("region", { name: "Lent to others" });
    await there(lent.getByText("Lent", { exact: true }));
    await page.getByRole("button", { name: "Take this machine back" }).click();
    const back = page.getByRole("dialog", { name: "Take this machine back?" });
    await back.getByRole("combobox", { name: "For how long" }).selectOption("1");
    await back.getByRole("button", { name: "Take it back" }).click();
    await there(lent.getByText("Yours alone"));
    const { click } = await act<{ click?: { until?: number } }>("device.lending", {});
    expect(click?.until).toBeGreaterThan(Date.now());
    await page.getByRole("button", { name: "Lend this machine again" }).click();
    await there(lent.getByText("Lent", { exact: true }));

    await lent.getByRole("button", { name: "Change what is lent" }).click();
    const policy = page.getByRole("dialog", { name: "What this machine lends" });
    expect(await policy.getByRole("button", { name: "Change it" }).isDisabled()).toBe(true);
    await policy.getByRole("checkbox", { name: "Checks" }).uncheck();
    await policy.getByRole("textbox", { name: "Tags" }).fill("gpu");
    await policy.getByRole("button", { name: "Change it" }).click();
    await there(lent.getByText("It takes agents of other members;"));
    const now = await act<{ policy: { classes: string[]; tags?: object } }>("device.lending", {});
    expect([now.policy.classes, now.policy.tags]).toEqual([["agent"], { gpu: "true" }]);
  }));

it("what the org says of a device is changed where it stands, and its rows are walked by keyboard", () =>
  onStage("described", async ({ page }) => {
    await page.goto(`${facts.url}/mesh`);
    const row = page.getByRole("table").getByRole("row", { name: new RegExp(away) });
    await there(row);
    await page.keyboard.press("j");
    expect(await focused(page)).toMatch(/^'?row /);
    await row.getByRole("button", { name: `Change ${away}` }).click();
    const said = page.getByRole("dialog", { name: `What the org says of ${away}` });
    expect(await said.getByRole("button", { name: "Change it" }).isDisabled()).toBe(true);
    await said.getByRole("textbox", { name: "What the org promises about it" }).fill("region:eu");
    await said.getByRole("button", { name: "Change it" }).click();
    await there(row.getByText("region:eu"));
    const { devices } = await act<{ devices: { name: string; tags?: object }[] }>("org.show", {});
    expect(devices.find(({ name }) => name === away)?.tags).toEqual({ region: "eu" });
  }));

it("a device that is away is known as of a moment, wherever something of it is told", () =>
  onStage("away", async ({ page }) => {
    for (const path of ["/", "/tasks", "/runs", "/patches"]) {
      await page.goto(facts.url + path);
      await there(page.getByText(new RegExp(`Not reached: ${away} as of .*\\d\\d:\\d\\d`)));
    }
    await page.getByRole("link", { name: "What is known of each device" }).click();
    await there(title(page, "Journal"));
    const row = page.getByRole("row", { name: new RegExp(away) });
    await there(row.getByText("Verified", { exact: true }));
    await there(row.getByText("not reached"));
    await page.getByRole("button", { name: "Verify" }).click();
    await there(row.getByText("Sound", { exact: true }));
    const { hash } = await act<{ hash: string }>("journal.hash", {});
    await there(page.getByText(hash));

    await row.getByRole("link", { name: away }).click();
    await there(page.getByRole("combobox", { name: "Whose journal" }));
    await there(page.getByText("Device started", { exact: true }));
    await there(page.getByText(new RegExp(`as of .*${away} not reached`)));
    await page.getByRole("searchbox", { name: "Search the journal" }).fill("no event is like this");
    await there(page.getByText("No event is like that"));
    await page.getByRole("searchbox", { name: "Search the journal" }).fill("DEVICE_STARTED");
    await there(page.getByText("Device started", { exact: true }));
  }));

it("where a task runs, and why not elsewhere, is told at the task, on the map, at its run, and in the bar", () =>
  onStage("where", async ({ page }) => {
    await page.goto(`${facts.url}/tasks?task=${encodeURIComponent("001-work/T002")}`);
    const where = page.getByRole("complementary", { name: "Task T002" }).getByRole("region", { name: "Where, and why" });
    await there(where.getByText("First choice"));
    await there(where.getByRole("listitem").filter({ hasText: away }).getByText("Cannot now"));
    await where.getByRole("link", { name: "On the map" }).click();
    await there(title(page, "Mesh"));
    await there(page.getByRole("region", { name: "Where T002 may run" }).getByText("First choice"));
    await there(page.getByRole("region", { name: "Who reaches whom" }).getByText("First choice"));

    await page.goto(`${facts.url}/runs/${run}`);
    await page.getByRole("tab", { name: "Where" }).click();
    await there(page.getByRole("listitem").getByText("Had it"));

    await page.keyboard.press("Control+k");
    const bar = page.getByRole("dialog", { name: "Command bar" });
    const field = bar.getByRole("combobox", { name: "Find or do anything" });
    const said = `why is T002 not on ${away}?`;
    await field.pressSequentially(said);
    await field.press("Enter");
    await there(bar.getByRole("article", { name: `You said: ${said}` }).getByText(new RegExp(`${away}: `)));
  }));
