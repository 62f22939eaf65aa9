// `up` is killed and comes back while a page is open: the page says that it is old, goes on by itself, and has missed nothing.
import { it } from "vitest";
import { act, facts, onStage, RUN_MS, tell, there } from "./stage";

const project = facts.project ?? "";

it("a page outlives the program behind it and misses nothing", () =>
  onStage(
    "live",
    async ({ page }) => {
      const { runs } = await act<{ runs: { run: string }[] }>("task.run", { project, tasks: ["T001"], agent: "steps" });
      const run = runs[0]?.run ?? "";
      await page.goto(`${facts.url}/runs/${run}`);
      const log = page.getByRole("log", { name: "Log" });
      await there(log.getByText("step 3.", { exact: true }), RUN_MS);
      await tell("kill");
      await there(page.getByRole("alert").filter({ hasText: "The connection is lost. What you see is as of" }));
      await there(page.getByRole("status").filter({ hasText: "Not live" }));
      await tell("begin");
      await there(page.getByRole("status").filter({ hasText: /^Live$/ }), RUN_MS);
      await page.getByText("The connection is lost.").waitFor({ state: "detached" });
      await there(page.getByRole("list", { name: "Phases" }).getByText("Done"), RUN_MS);

      // The same page, never loaded again, has every line, and each once.
      await page.getByRole("button", { name: "Output", exact: true }).click();
      await there(log.getByText(`step ${facts.steps}.`, { exact: true }), RUN_MS);
      await page.getByRole("searchbox", { name: "Search the log" }).fill("step ");
      await there(page.getByRole("status").filter({ hasText: `1 of ${facts.steps}` }));

      // What happens elsewhere shows too.
      await page.getByRole("link", { name: "Agents" }).click();
      await there(page.getByRole("cell", { name: "steps", exact: true }));
      await act("agent.add", { name: "another", engine: "command", command: "true" });
      await there(page.getByRole("cell", { name: "another", exact: true }));
      await page.getByRole("link", { name: "Home" }).click();
      await there(page.getByRole("region", { name: "Waits for you" }).getByText("T001"));
    },
    { allowed: /Failed to load resource|ERR_|401/ },
  ));
