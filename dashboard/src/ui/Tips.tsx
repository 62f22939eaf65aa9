// Tips: what a control that shows only an icon does, and the keys for it. One layer for the whole page, for whatever is marked `data-tip`:
// on hover after a moment, at once with the keyboard's focus, gone with Escape. Screen readers have the control's own name.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import css from "./Tips.module.css";
import ui from "./ui.module.css";

const SHOW_MS = 400;
/** The pointer may go over to the tip. */
const HIDE_MS = 120;
const GAP_PX = 6;

const TIPPED = "[data-tip], .react-flow__controls button[title]";

interface Shown {
  of: HTMLElement;
  text: string;
  keys: string[];
}

export function Tips() {
  const [shown, setShown] = useState<Shown>();
  const tip = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let now: HTMLElement | undefined;
    /** The focus that a press gives is not the keyboard's. */
    let pressing = false;
    const later = (deed: () => void, ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(deed, ms);
    };
    const show = (of: HTMLElement) => {
      clearTimeout(timer);
      const text = textOf(of);
      if (!text || !of.isConnected) return;
      now = of;
      setShown({ of, text, keys: of.dataset.keys?.split(" ") ?? [] });
    };
    const hide = () => {
      clearTimeout(timer);
      now = undefined;
      setShown(undefined);
    };
    const over = ({ target, pointerType }: PointerEvent) => {
      if (pointerType === "touch") return;
      if (tip.current?.contains(target as Node)) return clearTimeout(timer);
      const of = tipped(target);
      if (of === now) clearTimeout(timer);
      else if (of) later(() => show(of), now ? 0 : SHOW_MS);
      else if (now) later(hide, HIDE_MS);
      else clearTimeout(timer);
    };
    const down = () => {
      pressing = true;
      hide();
    };
    const focus = ({ target }: FocusEvent) => {
      const of = pressing ? undefined : tipped(target);
      if (of?.matches(":focus-visible")) show(of);
      else if (now) hide();
    };
    const press = (event: KeyboardEvent) => {
      pressing = false;
      if (event.key !== "Escape" || !now) return;
      const seen = now.isConnected;
      hide();
      if (!seen) return;
      // This Escape was for the tip; the next one closes what is below.
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.addEventListener("pointerover", over);
    document.addEventListener("pointerdown", down);
    document.addEventListener("focusin", focus);
    document.addEventListener("focusout", hide);
    window.addEventListener("keydown", press, true);
    window.addEventListener("scroll", hide, true);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("pointerover", over);
      document.removeEventListener("pointerdown", down);
      document.removeEventListener("focusin", focus);
      document.removeEventListener("focusout", hide);
      window.removeEventListener("keydown", press, true);
      window.removeEventListener("scroll", hide, true);
    };
  }, []);

  // What it belongs to may go, as a row that is removed does.
  useEffect(() => {
    if (!shown) return;
    const timer = setInterval(() => !shown.of.isConnected && setShown(undefined), 500);
    return () => clearInterval(timer);
  }, [shown]);

  useLayoutEffect(() => {
    if (shown && tip.current) place(tip.current, shown.of);
  }, [shown]);

  if (!shown) return null;
  return (
    <div ref={tip} className={css.tip} role="tooltip">
      {shown.text}
      {shown.keys.map((key) => (
        <kbd key={key} className={ui.kbd}>
          {key}
        </kbd>
      ))}
    </div>
  );
}

function tipped(target: EventTarget | null): HTMLElement | undefined {
  return (target instanceof Element && target.closest<HTMLElement>(TIPPED)) || undefined;
}

/** A hint of a library's own, which only a pointer would see, becomes one of these. */
function textOf(of: HTMLElement): string | undefined {
  if (of.dataset.tip === undefined && of.title) {
    of.dataset.tip = of.title;
    of.removeAttribute("title");
  }
  return of.dataset.tip;
}

/** Below it, or above where there is no room; beside it where it asks for that. Never out of the window. */
function place(tip: HTMLElement, of: HTMLElement): void {
  const { left, right, top, bottom, width, height } = of.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const beside = of.dataset.tipSide === "right" && right + GAP_PX + own.width < window.innerWidth;
  const fits = bottom + GAP_PX + own.height < window.innerHeight;
  const x = beside ? right + GAP_PX : left + width / 2 - own.width / 2;
  const y = beside ? top + height / 2 - own.height / 2 : fits ? bottom + GAP_PX : top - GAP_PX - own.height;
  tip.style.left = `${Math.max(GAP_PX, Math.min(x, window.innerWidth - own.width - GAP_PX))}px`;
  tip.style.top = `${Math.max(GAP_PX, y)}px`;
}
