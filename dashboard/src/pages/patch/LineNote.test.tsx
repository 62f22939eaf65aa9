import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import { Draft } from "./LineNote";
import { begin, pendingOf, usePending } from "./pending";

/** Like a file in the diff: a line, and under it what is written there. */
function File() {
  const { comments } = usePending("p");
  return (
    <section data-file="x">
      <button type="button" data-line="new:4">
        4
      </button>
      {comments.map((one) => (
        <Draft key={one.id} patch="p" comment={one} begun />
      ))}
    </section>
  );
}

const user = userEvent.setup();
const start = () => {
  begin("p", "r1", { path: "x", side: "new", line: 4 }, "echo");
  render(<File />);
};
const field = () => screen.getByRole("textbox", { name: "Comment on line 4" });

afterEach(() => {
  cleanup();
  localStorage.clear();
});

test("typing is kept at once; adding it goes back to the line", async () => {
  start();
  expect(document.activeElement).toBe(field());
  await user.keyboard("Why?");
  expect(localStorage.getItem("meshwork.review.p")).toContain("Why?");
  await user.click(screen.getByRole("button", { name: "Add to review" }));
  expect(screen.getByText("not sent yet")).toBeTruthy();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "4" }));
  await user.click(screen.getByRole("button", { name: "Edit" }));
  expect(field()).toHaveProperty("value", "Why?");
  await user.keyboard(" Really?{Control>}{Enter}{/Control}");
  expect(screen.getByText("Why? Really?")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Delete" }));
  expect(pendingOf("p").comments).toEqual([]);
});

test("Escape throws nothing away, but an empty comment goes", async () => {
  start();
  await user.keyboard("Kept{Escape}");
  expect(screen.getByText("Kept")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Delete" }));
  cleanup();
  start();
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("textbox")).toBeNull();
  expect(pendingOf("p").comments).toEqual([]);
});
