// The project whose tasks were looked at last, kept in this browser.
import { keep, kept } from "../../ui/kept";

const KEY = "meshwork.tasks.project";

/** That one, where it is there still; else the first. */
export function lastOf(names: readonly string[] | undefined): string | undefined {
  const last = kept(KEY);
  return names?.find((name) => name === last) ?? names?.[0];
}

export const keepLast = (name: string): void => keep(KEY, name);
