// The keyboard, everywhere: `g` and a letter goes to a page, `j` and `k` walk the rows of a list, `?` shows all of it. Rows are links
// or buttons marked `data-row`; Enter is then the browser's own. Those of a table are marked too: Enter opens what such a row names.
import { useRouter } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { places } from "./nav";

/** How long `g` waits for its letter. */
const CHORD_MS = 1_200;

export interface FrameKeys {
  openCommands(): void;
  openHelp(): void;
}

/** Whether keys are text for somebody else now. */
function typing(target: EventTarget | null): boolean {
  const element = target instanceof HTMLElement ? target : null;
  return !!element?.closest("input, textarea, select, [contenteditable], [role=dialog], [role=menu]");
}

export function useKeys({ openCommands, openHelp }: FrameKeys): void {
  const router = useRouter();
  const goneAt = useRef(0);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        openCommands();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
      if (Date.now() - goneAt.current < CHORD_MS) {
        goneAt.current = 0;
        const place = places.find((p) => p.key === event.key);
        if (place) {
          event.preventDefault();
          void router.navigate({ to: place.to });
          return;
        }
      }
      if (event.key === "g") goneAt.current = Date.now();
      else if (event.key === "?") openHelp();
      else if (event.key === "/") focusSearch(event);
      else if (event.key === "j") walk(1, event);
      else if (event.key === "k") walk(-1, event);
      else if (event.key === "Enter") enter(event);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [router, openCommands, openHelp]);
}

/** Moves the focus to the next or previous row; the first or last one where none has it. */
export function walk(step: 1 | -1, event?: Event): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? rows.at(step > 0 ? 0 : -1) : rows[at + step];
  if (!next) return;
  event?.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

/** In a row of a table that has the focus: opens what it names, or goes to the first thing that can be done there. */
export function enter(event: KeyboardEvent): void {
  const row = event.target;
  if (!(row instanceof HTMLTableRowElement)) return;
  const first = row.querySelector<HTMLElement>("a[href], button:not(:disabled), select, input");
  if (!first) return;
  event.preventDefault();
  if (first instanceof HTMLAnchorElement) first.click();
  else first.focus();
}

function focusSearch(event: Event): void {
  const field = document.querySelector<HTMLInputElement>("main input[type=search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
}
