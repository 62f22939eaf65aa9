import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Compressed copies beside each file, which the program serves as they are. */
function compressed(): Plugin {
  const brotli = promisify(brotliCompress);
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir = "dist" }) {
      for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
        if (!/\.(js|css|html|svg)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const bytes = await readFile(path);
        await writeFile(`${path}.br`, await brotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
        await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }));
      }
    },
  };
}

// `npm run dev` talks to a running `meshwork up`: MESHWORK_URL, and MESHWORK_TOKEN as in <data>/cli.token.
const target = process.env.MESHWORK_URL ?? "http://127.0.0.1:7420";
const authorization = `Bearer ${process.env.MESHWORK_TOKEN ?? ""}`;
const proxy = { target, changeOrigin: true, headers: { authorization, origin: target } };

export default defineConfig({
  plugins: [react(), compressed()],
  build: { target: "es2023", manifest: true, modulePreload: { polyfill: false }, assetsInlineLimit: 0, chunkSizeWarningLimit: 800 },
  worker: { format: "es" },
  server: { proxy: { "/api": proxy, "/events": proxy, "/health": proxy, "/openapi.json": proxy } },
  test: { environment: "happy-dom", include: ["{src,tests}/**/*.test.{ts,tsx}"], restoreMocks: true },
});
