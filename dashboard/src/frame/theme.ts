// Light, dark, or as the system says; kept in this browser.
import { useSyncExternalStore } from "react";
import { keep, kept, watchKept } from "../ui/kept";

export type Theme = "system" | "light" | "dark";

const KEY = "meshwork.theme";

function chosen(): Theme {
  const text = kept(KEY);
  return text === "light" || text === "dark" ? text : "system";
}

export function applyTheme(theme: Theme = chosen()): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function setTheme(theme: Theme): void {
  applyTheme(theme);
  keep(KEY, theme);
}

export function useTheme(): Theme {
  return useSyncExternalStore(watchKept, chosen);
}
