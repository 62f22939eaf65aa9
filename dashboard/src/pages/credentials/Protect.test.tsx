import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import { Protect } from "./Protect";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("a passphrase is written twice before it locks the vault, and is not sent where a key file opens it", async () => {
  const sent: unknown[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push(JSON.parse(String(init.body)));
    return Response.json(url.endsWith("session/show") ? { permissions: ["manage_credentials"] } : { message: "Done." });
  });
  const user = userEvent.setup();
  render(
    <QueryClientProvider client={makeClient()}>
      <Protect />
    </QueryClientProvider>,
  );
  await user.click(await screen.findByRole("button", { name: "What unlocks them" }));
  const by = screen.getByRole("combobox", { name: "By" });
  await user.selectOptions(by, "A passphrase");
  const set = screen.getByRole("button", { name: "Set it" });
  await user.type(screen.getByLabelText("Passphrase"), "correct horse");
  await user.type(screen.getByLabelText("Once more"), "correct hors");
  expect(set).toHaveProperty("disabled", true);
  await user.type(screen.getByLabelText("Once more"), "e");
  expect(set).toHaveProperty("disabled", false);
  await user.selectOptions(by, "A key file");
  await user.click(set);
  await waitFor(() => expect(sent).toEqual([{ by: "key-file", passphrase: null }]));
});
