// @vitest-environment node
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { generated } from "../scripts/api.js";

it("the generated files are those of openapi.json; if not: npm run api", async () => {
  for (const [path, text] of Object.entries(await generated())) {
    expect(await readFile(new URL(`../${path}`, import.meta.url), "utf8"), path).toBe(text);
  }
});
