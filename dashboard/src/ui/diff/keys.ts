// The keyboard within a diff: `n` and `p` go from file to file; once a line has the focus, arrows (or `j` and `k`) go from line to
// line and from side to side. Enter on a line is the button's own.
import { type RefObject, useEffect } from "react";

export function useDiffKeys(root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const view = root.current;
      const target = event.target instanceof HTMLElement ? event.target : null;
      if (!view || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (target?.closest("input:not([type=radio]), textarea, select, [contenteditable], [role=dialog], [role=menu]")) return;
      if (event.key === "n" || event.key === "p") toFile(view, event.key === "n" ? 1 : -1);
      else if (!target?.dataset.line || !moveLine(view, target, event.key)) return;
      event.preventDefault();
    };
    // Before the frame's own keys, which walk the rows of lists.
    window.addEventListener("keydown", press, true);
    return () => window.removeEventListener("keydown", press, true);
  }, [root]);
}

/** To the next or previous file, from the one with the focus, else from the one on top of the window. */
function toFile(view: HTMLElement, step: 1 | -1): void {
  const files = [...view.querySelectorAll<HTMLElement>("[data-file]")];
  const focused = files.findIndex((file) => file.contains(document.activeElement));
  const top = view.getBoundingClientRect().top;
  const edge = Math.max(top, view.closest("main")?.getBoundingClientRect().top ?? 0) + 60;
  const above = files.filter((file) => file.getBoundingClientRect().top <= edge).length - 1;
  const at = focused >= 0 ? focused : above;
  goToFile(files[Math.min(Math.max(at + step, 0), files.length - 1)]);
}

/** Shows a file and gives it the focus. */
export function goToFile(file: HTMLElement | null | undefined): void {
  file?.scrollIntoView({ block: "start" });
  file?.querySelector<HTMLElement>("button")?.focus({ preventScroll: true });
}

function moveLine(view: HTMLElement, from: HTMLElement, key: string): boolean {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[key];
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  if (!step && !sideways) return false;
  const row = from.closest("tr");
  const side = from.dataset.line?.split(":")[0];
  let next: HTMLElement | null | undefined;
  if (sideways) {
    next = row?.querySelector<HTMLElement>(`[data-line^="${key === "ArrowLeft" ? "old" : "new"}:"]`);
  } else {
    const rows = [...view.querySelectorAll<HTMLElement>("tr:has([data-line])")];
    const to = rows[rows.indexOf(row as HTMLElement) + (step ?? 0)];
    next = to?.querySelector<HTMLElement>(`[data-line^="${side}:"]`) ?? to?.querySelector<HTMLElement>("[data-line]");
  }
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
  return true;
}
