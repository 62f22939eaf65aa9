// What a person does while agents work: answers them, tells them something, pauses, stops.
import { expect, it } from "vitest";
import { act, facts, onStage, RUN_MS, type Stage, there, until } from "./stage";

interface Run {
  id: string;
  state: string;
}

const project = facts.project ?? "";

async function begin({ page }: Stage, task: string, agent: string): Promise<Run> {
  const { runs } = await act<{ runs: { run: string }[] }>("task.run", { project, tasks: [task], agent });
  const id = runs[0]?.run ?? "";
  await page.goto(`${facts.url}/runs/${id}`);
  return { id, state: "" };
}

const shown = (id: string): Promise<Run & { checkpoint?: string }> => act("run.show", { run: id });
const ended = (id: string, state: string): Promise<void> =>
  until(`${id} is ${state}`, async () => (await shown(id)).state === state, RUN_MS);

it("a question is answered on the run's page, and another on the home page", () =>
  onStage("questions", async (stage) => {
    const { page } = stage;
    const first = await begin(stage, "T001", "ask");
    const asked = page.getByRole("group", { name: "The agent asks" });
    await there(asked.getByText("write answer.txt"), RUN_MS);
    await asked.getByRole("button", { name: "No" }).click();
    await asked.waitFor({ state: "detached" });
    await ended(first.id, "done");
    await there(page.getByRole("list", { name: "Phases" }).getByText("Done"));

    const { id } = await begin(stage, "T002", "ask");
    await page.getByRole("link", { name: "Home" }).click();
    const waits = page.getByRole("region", { name: "Waits for you" });
    await there(waits.getByText("write answer.txt"), RUN_MS);
    await waits.getByRole("button", { name: "Yes" }).click();
    await waits.getByText("write answer.txt").waitFor({ state: "detached" });
    await ended(id, "done");
    const answers = (await act<{ event: { type: string; option?: string } }[]>("journal.list", { limit: 1000 }))
      .map((one) => one.event)
      .filter((event) => event.type === "question_answered")
      .map((event) => event.option);
    expect(answers.toSorted()).toEqual(["no", "yes"]);
  }));

it("a run is paused, goes on, is told something and stopped", () =>
  onStage("steer", async (stage) => {
    const { page } = stage;
    const { id } = await begin(stage, "T003", "beat");
    const log = page.getByRole("log", { name: "Log" });
    await there(log.getByText("working now."), RUN_MS);
    await page.getByRole("button", { name: "Pause" }).click();
    await there(page.getByRole("button", { name: "Resume" }));
    await there(page.getByText("Paused").first());
    await page.getByRole("button", { name: "Resume" }).click();
    await there(page.getByRole("button", { name: "Pause" }));
    const words = page.getByRole("textbox", { name: "Message to the agent" });
    await words.fill("Mind the <gap>.");
    await page.getByRole("button", { name: "Send" }).click();
    await until("the field is empty", async () => (await words.inputValue()) === "");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("dialog", { name: "Stop this run?" }).getByRole("button", { name: "Stop it" }).click();
    await there(page.getByRole("list", { name: "Phases" }).getByText("Stopped"), RUN_MS);
    await page.getByRole("button", { name: "Run again" }).click();
    const again = page.getByRole("dialog", { name: "Run T003 again?" });
    expect(await again.getByRole("combobox", { name: "Agent" }).inputValue()).toBe("beat");
    await again.getByRole("button", { name: "Cancel" }).click();
    expect((await shown(id)).checkpoint).toBeTruthy();
  }));
