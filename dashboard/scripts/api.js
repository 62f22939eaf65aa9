// Writes what the page knows of the API, from `openapi.json`: the types, and which right each action needs.
// `npm run api` first has the program write that document, then runs this; `api.test.ts` fails when any of it is stale.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const root = new URL("..", import.meta.url);

export async function generated() {
  const text = await readFile(new URL("openapi.json", root), "utf8");
  const note = "// Made from openapi.json by `npm run api`; not to be edited.\n";
  return {
    "src/api/schema.d.ts": note + astToString(await openapiTS(text)),
    "src/api/actions.ts": note + actions(JSON.parse(text)),
  };
}

function actions(document) {
  const lines = Object.entries(document.paths).flatMap(([path, item]) => {
    const operation = item.post ?? item.get;
    const name = path
      .match(/^\/api\/v1\/([\w-]+)\/([\w-]+)$/)
      ?.slice(1)
      .join(".");
    if (!name || !operation?.["x-permission"]) return [];
    const { summary, "x-permission": permission, "x-changes": changes } = operation;
    return [`  ${JSON.stringify(name)}: ${JSON.stringify({ summary, permission, changes })},\n`];
  });
  return `export const actions = {\n${lines.join("")}} as const;\n`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [path, text] of Object.entries(await generated())) await writeFile(new URL(path, root), text);
}
