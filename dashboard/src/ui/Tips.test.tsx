import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import { IconButton } from "./Button";
import { Tips } from "./Tips";

afterEach(cleanup);

const user = userEvent.setup();
const show = () =>
  render(
    <>
      <IconButton label="Next match" keys="Enter">
        ↓
      </IconButton>
      <button type="button">Other</button>
      <Tips />
    </>,
  );

test("the keyboard's focus shows it with its keys, and Escape takes it away", async () => {
  show();
  await user.tab();
  expect((await screen.findByRole("tooltip")).textContent).toBe("Next matchEnter");
  expect(screen.getByRole("button", { name: "Next match" }).getAttribute("aria-keyshortcuts")).toBe("Enter");
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("tooltip")).toBeNull();
});

test("the first Escape is for the tip alone", async () => {
  show();
  const heard: string[] = [];
  const hear = (event: KeyboardEvent) => heard.push(event.key);
  document.addEventListener("keydown", hear);
  await user.tab();
  await screen.findByRole("tooltip");
  await user.keyboard("{Escape}");
  expect(heard).not.toContain("Escape");
  await user.keyboard("{Escape}");
  expect(heard).toContain("Escape");
  document.removeEventListener("keydown", hear);
});

test("what is gone keeps no Escape for its tip", async () => {
  const { rerender } = show();
  await user.tab();
  await screen.findByRole("tooltip");
  rerender(
    <>
      {null}
      {null}
      <Tips />
    </>,
  );
  const heard: string[] = [];
  const hear = (event: KeyboardEvent) => heard.push(event.key);
  document.addEventListener("keydown", hear);
  await user.keyboard("{Escape}");
  expect(heard).toContain("Escape");
  document.removeEventListener("keydown", hear);
});

test("the pointer shows it after a moment, and it goes with the pointer", async () => {
  show();
  await user.hover(screen.getByRole("button", { name: "Next match" }));
  expect(screen.queryByRole("tooltip")).toBeNull();
  expect((await screen.findByRole("tooltip")).textContent).toContain("Next match");
  await user.hover(screen.getByRole("button", { name: "Other" }));
  await waitFor(() => expect(screen.queryByRole("tooltip")).toBeNull());
});

test("what is pressed says no more what it would do", async () => {
  show();
  await user.hover(screen.getByRole("button", { name: "Next match" }));
  await screen.findByRole("tooltip");
  await user.click(screen.getByRole("button", { name: "Next match" }));
  await waitFor(() => expect(screen.queryByRole("tooltip")).toBeNull());
});
