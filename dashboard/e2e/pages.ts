// Every page, with the name of its heading once it is there; a scenario fills in what it made.
import type { Page } from "playwright-core";
import { facts, there, title } from "./stage";

export interface Place {
  name: string;
  path: string;
  heading: RegExp;
  /** What is done there before it is looked at. */
  first?: (page: Page) => Promise<void>;
}

export interface Made {
  run: string;
  failed: string;
  patch: string;
  /** `feature/T001` */
  task: string;
}

export function places({ run, failed, patch, task }: Made): Place[] {
  const plain: [string, string, RegExp][] = [
    ["home", "/", /^Home/],
    ["tasks", "/tasks", /^Tasks/],
    ["task", `/tasks?task=${encodeURIComponent(task)}`, /^Tasks/],
    ["graph", `/tasks?view=graph&feature=${encodeURIComponent(task.split("/")[0] ?? "")}`, /^Tasks/],
    ["patches", "/patches", /^Patches/],
    ["patch", `/patches/${patch}`, /./],
    ["patch-changes", `/patches/${patch}?tab=changes`, /./],
    ["runs", "/runs", /^Runs/],
    ["run", `/runs/${run}`, /./],
    ["run-changes", `/runs/${run}?tab=changes`, /./],
    ["run-where", `/runs/${run}?tab=where`, /./],
    ["run-about", `/runs/${run}?tab=about`, /./],
    ["run-failed", `/runs/${failed}`, /./],
    ["projects", "/projects", /^Projects/],
    ["mesh", "/mesh", /^Mesh/],
    ["agents", "/agents", /^Agents/],
    ["members", "/members", /^Members/],
    ["rights", "/members?tab=rights", /^Members/],
    ["stops", "/members?tab=stops", /^Members/],
    ["journal", "/journal", /^Journal/],
    ["journal-copies", "/journal?tab=copies", /^Journal/],
    ["credentials", "/credentials", /^Credentials/],
    ["settings", "/settings", /^Settings/],
    ["nothing", "/no/such/page", /^Nothing here/],
    ["gone", "/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV", /./],
  ];
  const press = (name: RegExp | string, dialog: RegExp | string) => async (page: Page) => {
    await page.getByRole("button", { name }).first().click();
    await there(page.getByRole("dialog", { name: dialog }));
  };
  return [
    ...plain.map(([name, path, heading]) => ({ name, path, heading })),
    { name: "review", path: `/patches/${patch}`, heading: /./, first: press(/review/i, "Your review") },
    { name: "merge", path: `/patches/${patch}`, heading: /./, first: press("Merge …", "Merge into main?") },
    { name: "again", path: `/runs/${failed}`, heading: /./, first: press("Run again", /again\?$/) },
    { name: "gate", path: "/projects", heading: /^Projects/, first: press("Gate", /^Gate of/) },
    { name: "price", path: "/settings", heading: /^Settings/, first: press("Set a price", "Price of a model") },
    { name: "bar", path: "/", heading: /^Home/, first: press(/Find or do anything/, "Command bar") },
    {
      name: "help",
      path: "/",
      heading: /^Home/,
      first: async (page) => {
        await page.keyboard.press("?");
        await there(page.getByRole("dialog", { name: "Keyboard shortcuts" }));
      },
    },
  ];
}

/** Goes to a page and waits until it shows what it has. */
export async function open(page: Page, { path, heading, first }: Place): Promise<void> {
  await page.goto(facts.url + path);
  await there(title(page, heading));
  await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
  await first?.(page);
}
