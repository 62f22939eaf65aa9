// Who is let in by a browser, and what other pages can make it do.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { act, facts, onStage, there, title, until } from "./stage";

it("a link lets one browser in, once, and signing out ends it", () =>
  onStage(
    "sign-in",
    async ({ page, browser }) => {
      await page.goto(facts.url);
      await there(title(page, "Sign in to Meshwork"));
      await page.goto(facts.sign_in);
      await there(title(page, /^Home/));
      const cookie = (await page.context().cookies()).find((one) => one.name === "meshwork");
      expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });

      const other = await (await browser.newContext()).newPage();
      await other.goto(facts.sign_in);
      await there(other.getByText("This link was used before, or is too old."));

      await page.getByRole("button", { name: /^You:/ }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await there(title(page, "Sign in to Meshwork"));
      await page.context().addCookies(cookie ? [cookie] : []);
      await page.goto(facts.url);
      await there(title(page, "Sign in to Meshwork"));
    },
    { stranger: true, allowed: /status of 401/ },
  ));

it("another page can neither show ours nor act through it", () =>
  onStage("other-page", async ({ page, context }) => {
    const count = async () => (await act<unknown[]>("token.list", {})).length;
    const before = await count();
    const target = `${facts.url}/api/v1/token/create`;
    const body = JSON.stringify({ role: "owner", label: "stolen" });
    const html = `<!doctype html><title>Other</title><iframe src="${facts.url}/"></iframe>
        <form method="post" enctype="text/plain" action="${target}"><input name='${body.slice(0, -1)},"x":"' value='"}'></form>`;
    const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(html));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    try {
      const other = await context.newPage();
      await other.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const told = await other.evaluate(
        async ({ target, body }) => {
          const tries = [
            fetch(target, { method: "POST", body, credentials: "include", headers: { "content-type": "application/json" } }),
            fetch(target, { method: "POST", body, credentials: "include", mode: "no-cors", headers: { "content-type": "text/plain" } }),
            fetch(target.replace("token/create", "token/list"), { credentials: "include" }),
          ];
          return Promise.all(
            tries.map((one) =>
              one.then(
                (answer) => answer.status,
                () => "refused",
              ),
            ),
          );
        },
        { target, body },
      );
      // An answer without CORS headers is opaque (0) or an error: the page reads nothing.
      expect(told).toEqual(["refused", 0, "refused"]);
      await until("the frame was tried", async () => other.frames().length === 2);
      const frame = other.frames()[1];
      await until("the frame stays empty", async () => !frame?.url().startsWith("http"));
      await other.evaluate(() => document.querySelector("form")?.submit());
      await other.waitForURL(target);
      await there(other.getByText("Another page made the browser send this request."));
      expect(await count()).toBe(before);
    } finally {
      server.close();
    }
    // Nor did it hurt our own.
    await page.reload();
    await there(title(page, /^Home/));
  }));

it("a viewer sees everything and no control that is not theirs", async () => {
  const { secret, token } = await act<{ secret?: string; token?: string }>("token.create", { role: "viewer", label: "looks on" });
  const headers = { authorization: `Bearer ${secret ?? token}` };
  await onStage(
    "viewer",
    async ({ page }) => {
      const { run = "", patch = "", task = "" } = facts;
      const pages = ["/", "/tasks", `/tasks?task=${encodeURIComponent(task)}`, "/runs", `/runs/${run}`, "/patches", `/patches/${patch}`];
      const others = [
        `/patches/${patch}?tab=changes`,
        "/projects",
        "/mesh",
        "/agents",
        "/members",
        "/members?tab=rights",
        "/members?tab=stops",
        "/journal",
        "/settings",
      ];
      const deeds =
        /^(Run|Run again|Run feature|Stop|Pause|Resume|Send|Review|Finish review|Merge …|Close …|Comment on line|Answer|Add|New|Make|Remove|Revoke|Set|Test|Share|Pull|Sync|Save|Back up|Rebuild|Evict|Take|Lend|Change|Install|Halt|Lift|Edit|Check and set)/;
      const controls = async (paths: string[]): Promise<string[]> => {
        const shown: string[] = [];
        for (const path of paths) {
          await page.goto(facts.url + path);
          await there(page.getByRole("heading", { level: 1 }));
          await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
          for (const name of await page.getByRole("main").getByRole("button", { name: deeds }).allInnerTexts())
            shown.push(`${path}: ${name}`);
        }
        return shown;
      };
      // What an owner is shown there, or the names above would prove nothing.
      const own = await controls(pages);
      expect(own.length).toBeGreaterThan(5);
      await page.setExtraHTTPHeaders(headers);
      expect(await controls([...pages, ...others])).toEqual([]);
      expect(await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Credentials" }).count()).toBe(0);
      await page.getByRole("button", { name: /^You:/ }).click();
      await there(page.getByText(/viewer of crew/));
      // The page hides; the program refuses.
      await expect(act("task.run", { project: facts.project, tasks: ["T001"] }, secret ?? token)).rejects.toThrow(/forbidden/);
    },
    { allowed: /status of 403/ },
  );
});
