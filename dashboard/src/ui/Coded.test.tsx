import { cleanup, render } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { Coded } from "./Coded";

afterEach(cleanup);

const coded = (text: string) => {
  const { container } = render(<Coded text={text} />);
  expect(container.textContent).toBe(text.replaceAll("`", ""));
  return [...container.querySelectorAll("code")].map((one) => one.textContent);
};

test("names and a program's last words look like code, line by line as it wrote them", () => {
  expect(coded("See `meshwork doctor`.")).toEqual(["meshwork doctor"]);
  expect(coded("It ended. Its last words: `a`\nboom. What it had done is kept in `x`.".replace("`a`", "a"))).toEqual(["a\nboom.", "x"]);
  expect(coded("It ended. Its last words: boom.")).toEqual(["boom."]);
  expect(coded("Plain.")).toEqual([]);
});
