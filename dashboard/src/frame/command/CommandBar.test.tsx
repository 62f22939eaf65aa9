import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { makeClient } from "../../api/query";
import CommandBar from "./CommandBar";

vi.mock("../sources", () => ({ useFindable: () => [] }));

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (onClose: () => void) =>
  render(
    <QueryClientProvider client={makeClient()}>
      <CommandBar onClose={onClose} />
    </QueryClientProvider>,
  );

test("what was written and not sent is there again after Escape, and other words take its place", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ completions: [] }));
  const user = userEvent.setup();
  const closed = vi.fn();
  const first = show(closed);
  await user.type(await screen.findByRole("combobox"), "why is T0");
  await user.keyboard("{Escape}");
  expect(closed).toHaveBeenCalled();
  first.unmount();

  show(closed);
  const field = (await screen.findByRole("combobox")) as HTMLInputElement;
  expect(field.value).toBe("why is T0");
  await vi.waitFor(() => expect(document.activeElement).toBe(field));
  expect(field.selectionEnd).toBe(field.value.length);
  await user.keyboard("show runs");
  expect(field.value).toBe("show runs");
});
