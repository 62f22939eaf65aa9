import { cleanup, render, screen } from "@testing-library/react";
import { Profiler } from "react";
import { afterEach, expect, test } from "vitest";
import { SHORT_ROWS, Table } from "./Table";

afterEach(cleanup);

const show = (count: number) =>
  render(
    <Table
      label="Machines"
      columns={[
        { title: "Name", cell: (name: string) => name },
        { title: "State", cell: () => "reached" },
      ]}
      rows={Array.from({ length: count }, (_, at) => `machine-${at}`)}
      keyOf={(name) => name}
    />,
  );

test("of a long table each row is found still, and its columns have a width of their own", () => {
  show(SHORT_ROWS + 1);
  expect(screen.getByRole("row", { name: new RegExp(`^machine-${SHORT_ROWS}`) })).toBeTruthy();
  expect(screen.getByRole("region", { name: "Machines" }).dataset.long).toBe("true");
  expect(screen.getByRole("table").style.getPropertyValue("--columns")).toBe("2");
});

test("of a long one the first rows are there before the others are drawn", () => {
  const rows = Array.from({ length: 3 * SHORT_ROWS }, (_, at) => `machine-${at}`);
  const drawn: number[] = [];
  render(
    <Profiler id="table" onRender={() => void drawn.push(document.querySelectorAll("[data-row]").length)}>
      <Table label="Machines" columns={[{ title: "Name", cell: (name) => name }]} rows={rows} keyOf={(name) => name} />
    </Profiler>,
  );
  expect(drawn[0]).toBeGreaterThan(0);
  expect(drawn[0]).toBeLessThan(SHORT_ROWS);
  expect(drawn.at(-1)).toBe(rows.length);
});

test("in a short one the widths follow from what stands there", () => {
  show(SHORT_ROWS);
  expect(screen.getByRole("region", { name: "Machines" }).dataset.long).toBeUndefined();
});
