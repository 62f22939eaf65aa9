// What waits for the person also comes as a notification of the browser, where it was asked for.
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Output } from "../api/call";
import { useRead } from "../api/query";
import { keep, kept, watchKept } from "../ui/kept";

type Item = Output<"attention.list">[number];
export type Wish = "off" | "on" | "denied" | "impossible";

const KEY = "meshwork.notifications";

/** Whether notifications come; and if not, whether they could. */
export function wish(): Wish {
  if (!window.isSecureContext || !("Notification" in window)) return "impossible";
  if (Notification.permission === "denied") return "denied";
  return Notification.permission === "granted" && kept(KEY) === "on" ? "on" : "off";
}

export const useWish = (): Wish => useSyncExternalStore(watchKept, wish);

/** Asks the browser where it must; only after a press, browsers want that. */
export async function setNotifications(on: boolean): Promise<void> {
  if (on) await Notification.requestPermission();
  keep(KEY, on ? "on" : "off");
}

export const keyOf = (item: Item): string =>
  [
    item.kind,
    "run" in item ? item.run : item.patch,
    "question" in item ? item.question.id : "standing" in item ? item.standing : "",
    item.since,
  ].join(" ");

/** What is new since the last look. */
export function fresh(seen: ReadonlySet<string>, items: Item[]): Item[] {
  return items.filter((item) => !seen.has(keyOf(item)));
}

/** Runs in the frame; a tab that is looked at says nothing, for it shows the thing itself. */
export function useNotifications(): void {
  const on = useWish() === "on";
  const { data: items } = useRead("attention.list", {});
  const seen = useRef<Set<string>>(undefined);
  const navigate = useNavigate();
  useEffect(() => {
    if (!items) return;
    const before = seen.current;
    seen.current = new Set(items.map(keyOf));
    if (!on || !before || document.visibilityState === "visible") return;
    for (const item of fresh(before, items)) {
      const body = [item.task?.task, item.title].filter(Boolean).join(" ");
      // The same tag in every tab: the system shows it once.
      const note = new Notification(item.heading, { body, tag: keyOf(item) });
      note.onclick = () => {
        window.focus();
        if ("patch" in item) void navigate({ to: "/patches/$patch", params: { patch: item.patch }, search: { project: item.project } });
        else void navigate({ to: "/runs/$run", params: { run: item.run } });
      };
    }
  }, [items, on, navigate]);
}
