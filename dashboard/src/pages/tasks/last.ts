// The project whose tasks were looked at last, kept in this browser.
import { keep, kept } from "../../ui/kept";

const KEY = "meshwork.tasks.project";

/** A project, as far as it counts here: without a head it is not on this device yet. */
export type Listed = { project: { name: string }; head?: string | null };

/** That one, where it is there still; else the first, of those that are on this device if any is. */
export function lastOf(projects: readonly Listed[] | undefined): string | undefined {
  const last = kept(KEY);
  const here = projects?.filter((one) => one.head);
  const found = here?.find((one) => one.project.name === last) ?? here?.[0] ?? projects?.[0];
  return found?.project.name;
}

export const keepLast = (name: string): void => keep(KEY, name);
