import { afterEach, expect, test, vi } from "vitest";
import { handOver, hold } from "./early";

const seen = vi.fn();
window.addEventListener("keydown", seen);

const press = (key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));

afterEach(() => {
  handOver();
  seen.mockClear();
  document.body.innerHTML = "";
});

test("what is typed before the field is there comes into it, and to nobody else", () => {
  hold();
  for (const key of ["g", "o", "x", "Backspace", "Enter", "?"]) press(key);
  expect(seen).not.toHaveBeenCalled();
  expect(handOver()).toBe("go?");
  press("j");
  expect(seen).toHaveBeenCalledOnce();
  expect(handOver()).toBe("");
});

test("keys with Control, and Escape, stay the page's own", () => {
  hold();
  press("k", document.body, { ctrlKey: true });
  press("Escape");
  expect(seen).toHaveBeenCalledTimes(2);
  expect(handOver()).toBe("");
});

test("where the bar is open already, its field takes the keys", () => {
  document.body.innerHTML = "<div data-command-bar><input></div>";
  hold();
  press("a", document.querySelector("input") ?? document.body);
  expect(seen).toHaveBeenCalledOnce();
  expect(handOver()).toBe("");
});
