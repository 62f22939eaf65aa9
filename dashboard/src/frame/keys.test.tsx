import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { Table } from "../ui/Table";
import { enter, walk } from "./keys";

afterEach(cleanup);

const opened = vi.fn((event: Event) => event.preventDefault());

function show() {
  render(
    <main>
      <Table
        label="Things"
        rows={["one", "two"]}
        keyOf={(name) => name}
        columns={[
          { title: "Name", cell: (name) => (name === "one" ? <a href="/one">{name}</a> : name) },
          { title: "Change", cell: (name) => <button type="button">Remove {name}</button> },
        ]}
      />
    </main>,
  );
  screen.getByRole("link").addEventListener("click", opened);
}

const press = (): void => {
  const row = document.activeElement as HTMLElement;
  row.addEventListener("keydown", (event) => enter(event), { once: true });
  row.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
};

test("the rows of a table are walked, Enter opens what one names, or goes to what can be done there", () => {
  show();
  walk(1);
  expect(document.activeElement?.textContent).toContain("one");
  press();
  expect(opened).toHaveBeenCalledOnce();
  walk(1);
  expect(document.activeElement?.textContent).toContain("two");
  press();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Remove two" }));
  walk(-1);
  expect(document.activeElement?.textContent).toContain("one");
});
