// The program behind a part of a page under test: it answers as the test says, and what it is told to do is kept.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, vi } from "vitest";
import { makeClient } from "../src/api/query";

/** What the program was told to do in this test. */
export const sent: [path: string, body: unknown][] = [];

/** Before each test of a file: an action, by its path below /api/v1, is answered so; any other is done. */
export function program(answers: () => Record<string, unknown>): void {
  beforeEach(() => {
    sent.length = 0;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      if (init.method === "POST") sent.push([url, JSON.parse(String(init.body))]);
      const action = url.replace("/api/v1/", "").replace(/\?.*/, "");
      return Response.json(answers()[action] ?? { message: "Done." });
    });
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
  });
}

export const shown = (part: ReactNode) => render(<QueryClientProvider client={makeClient()}>{part}</QueryClientProvider>);
