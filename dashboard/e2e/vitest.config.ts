// The scenarios that a browser plays against a real `meshwork up`; `crates/meshwork/tests/browser` starts both.
import { defineConfig } from "vitest/config";

/** A scenario waits for runs of real engines. */
const SCENARIO_MS = 240_000;

export default defineConfig({
  test: { environment: "node", include: ["e2e/**/*.e2e.ts"], testTimeout: SCENARIO_MS, hookTimeout: SCENARIO_MS, fileParallelism: false },
});
