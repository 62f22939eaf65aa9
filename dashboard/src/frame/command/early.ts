// What is typed between opening the bar and its field being there: its script may still be on its way. It is kept for the field, and
// no letter of it reaches the page's own keys.
let held: string | undefined;

/** From now on keys are kept. */
export function hold(): void {
  if (held !== undefined) return;
  held = "";
  window.addEventListener("keydown", keep, true);
}

/** The field is there, or nobody wants it any more: what was typed meanwhile. */
export function handOver(): string {
  const text = held ?? "";
  held = undefined;
  window.removeEventListener("keydown", keep, true);
  return text;
}

function keep(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // The bar was open already: its field takes what comes.
  const target = event.target instanceof HTMLElement ? event.target : undefined;
  if (target?.closest("[data-command-bar]")) {
    handOver();
    return;
  }
  if (event.key.length === 1) held += event.key;
  else if (event.key === "Backspace") held = held?.slice(0, -1);
  else if (event.key !== "Enter") return;
  event.preventDefault();
  event.stopPropagation();
}
