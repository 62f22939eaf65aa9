// What a person does when something goes wrong, and to see who may what: halting, lifting, asking which rule decides, changing one.
import { expect, it } from "vitest";
import { enter, go } from "./keys";
import { act, facts, onStage, RUN_MS, there, title } from "./stage";

const { project = "", task = "T001", agent = "" } = facts;
const WHY = "It burns the <b>budget</b>.";

it("an agent is halted with a reason, every page says so, and its run goes on once that is lifted", () =>
  onStage("halted", async ({ page }) => {
    await page.goto(`${facts.url}/agents`);
    await page.getByRole("button", { name: `Halt the agent ${agent}` }).click();
    const dialog = page.getByRole("dialog", { name: `Halt the agent ${agent}?` });
    await there(dialog.getByText(`Every run of ${agent} is frozen, on every device.`));
    expect(await dialog.getByRole("button", { name: "Halt", exact: true }).isDisabled()).toBe(true);
    await dialog.getByRole("textbox", { name: "Why" }).fill(WHY);
    await dialog.getByRole("button", { name: "Halt", exact: true }).click();
    const banner = page.getByRole("region", { name: "Stop orders in force" });
    await there(banner.getByText(`Halted: the agent ${agent}.`));
    await there(page.getByRole("table").getByText("Halted", { exact: true }));

    const { runs } = await act<{ runs: { run: string }[] }>("task.run", { project, tasks: [task], agent });
    for (const path of ["/", "/tasks", "/mesh", `/runs/${runs[0]?.run}`]) {
      await page.goto(facts.url + path);
      await there(banner.getByText(WHY));
    }
    await there(page.getByRole("main").getByText("Halted", { exact: true }));
    await there(page.getByRole("region", { name: "Why" }).getByText(WHY));
    await banner.getByRole("button", { name: `Lift the stop order for the agent ${agent}` }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Lift it" }).click();
    await banner.waitFor({ state: "detached" });
    await there(page.getByRole("list", { name: "Phases" }).getByText("Done"), RUN_MS);

    await page.goto(`${facts.url}/members?tab=stops`);
    await there(page.getByRole("row", { name: `the agent ${agent}` }).getByText("Lifted"));
  }));

it("the whole org is halted and goes on, by keyboard", () =>
  onStage("halted-keyboard", async ({ page }) => {
    await go(page, "e");
    await there(title(page, "Members"));
    await there(page.getByRole("button", { name: "Halt the whole org" }));
    await enter(page, "button", "Halt the whole org");
    await there(page.getByRole("dialog", { name: "Halt the whole org?" }));
    await page.keyboard.type("A leak.");
    await enter(page, "button", "Halt");
    const banner = page.getByRole("region", { name: "Stop orders in force" });
    await there(banner.getByText("Halted: the whole org."));
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await enter(page, "button", "Lift the stop order for the whole org", "Shift+Tab");
    await there(page.getByRole("dialog"));
    await enter(page, "button", "Lift it");
    await banner.waitFor({ state: "detached" });
  }));

it("it is asked which rule decides; a rule with a mistake is not set, and a good one counts at once", () =>
  onStage("rights", async ({ page }) => {
    await page.goto(`${facts.url}/members`);
    await page.getByRole("tab", { name: "Rights" }).click();
    const developer = page.getByRole("row", { name: /^developer role/ });
    await there(developer.getByText("may not"));
    await page.getByRole("combobox", { name: "Who" }).selectOption("role:developer");
    await page.getByRole("combobox", { name: "Does what" }).selectOption("patch.merge");
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    const answer = page.getByRole("status", { name: "Answer" });
    await there(answer.getByText("No rule allows it."));

    await page.getByRole("button", { name: "Add a file" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a file of policies" });
    await dialog.getByRole("textbox", { name: "Name" }).fill("team.cedar");
    const rules = dialog.getByRole("textbox", { name: "Rules" });
    await rules.fill('// Ours\n\npermit (principal, action == Action::"task.fly", resource);\n');
    await dialog.getByRole("button", { name: "Check and set" }).click();
    await there(dialog.getByRole("alert").getByRole("button", { name: "line 3" }));
    await rules.fill(
      '@id("all-merge")\n@says("Developers merge.")\npermit (principal in Role::"developer", action == Action::"patch.merge", resource);\n',
    );
    await dialog.getByRole("button", { name: "Check and set" }).click();
    await dialog.waitFor({ state: "detached" });
    // The answer that is shown follows.
    await there(answer.getByText("The rule “all-merge” in policy/team.cedar (“Developers merge.”) allows it."));
    const shown = await act<{ files: { path: string }[] }>("policy.show", {});
    expect(shown.files.map(({ path }) => path)).toContain("policy/team.cedar");

    await page.getByText("policy/team.cedar", { exact: true }).click();
    await there(page.getByRole("region", { name: "policy/team.cedar" }).getByText("all-merge"));
    await page.getByRole("button", { name: "Remove team.cedar" }).click();
    await page.getByRole("dialog", { name: "Remove team.cedar?" }).getByRole("button", { name: "Remove team.cedar" }).click();
    await there(answer.getByText("No rule allows it."));
  }));

it("what models cost and which may be used is set in Settings; all that is shown is made anew from the journal", () =>
  onStage("prices", async ({ page }) => {
    await page.goto(`${facts.url}/settings`);
    await page.getByRole("button", { name: "Set a price" }).click();
    const price = page.getByRole("dialog", { name: "Price of a model" });
    await price.getByRole("textbox", { name: "Model" }).fill("tiny*");
    await price.getByRole("textbox", { name: "A million tokens read" }).fill("0.10");
    await price.getByRole("textbox", { name: "A million tokens written" }).fill("0.40");
    await price.getByRole("button", { name: "Set it" }).click();
    await there(page.getByRole("row", { name: /tiny\*/ }).getByText("0.40"));
    await page.getByRole("button", { name: "Change the rules" }).click();
    const rules = page.getByRole("dialog", { name: "Rules for models" });
    await rules.getByRole("textbox", { name: "Models that may be used" }).fill("tiny* small");
    await rules.getByRole("button", { name: "Set them" }).click();
    await there(page.getByText("Only these models may be used: tiny*, small."));

    await page.goto(`${facts.url}/journal`);
    await page.getByRole("button", { name: "Rebuild" }).click();
    await page.getByRole("dialog", { name: "Make what is shown anew?" }).getByRole("button", { name: "Rebuild" }).click();
    await there(page.getByText(/^Made anew from \d+ events\./));
    await page.goto(`${facts.url}/settings`);
    await there(page.getByText("Only these models may be used: tiny*, small."));
  }));
