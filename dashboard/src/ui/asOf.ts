// What is known only up to some moment, because the device that tells of it is not reached. Pure.
import type { Output, Schemas } from "../api/call";
import { ended } from "./words";

export type Copy = Output<"journal.copies">[number];

/** A fact of another device that is not reached: as of when it is known; none: it never was known whole. */
export interface Known {
  device: string;
  at: number | null;
  /** What a stop order halts that cuts it off. */
  halted?: string | null | undefined;
  /** Until when a run there is waited for. */
  until?: number | null | undefined;
}

type Whose = Schemas["Whose"] | null | undefined;

/** What a journal of another device told; of a removed one nothing more will come, as its name says. */
export const toldBy = (whose: Whose): Known | undefined =>
  whose && !whose.reachable && !whose.removed ? { device: whose.device, at: whose.as_of ?? null, halted: whose.halted } : undefined;

export type OfRun = Pick<Schemas["Run"], "state" | "told"> & { whose?: Whose; away?: Whose };

/** A run that another device's journal tells of, or that goes on at a device which is not reached. */
export function knownOf(run: OfRun, copies: readonly Copy[]): Known | undefined {
  const known = toldOf(run, copies);
  return known && { ...known, until: run.away?.until };
}

function toldOf(run: OfRun, copies: readonly Copy[]): Known | undefined {
  const told = run.told;
  if (run.whose || !told || ended(run.state)) return toldBy(run.whose);
  const copy = copies.find(({ device }) => device === told.device);
  return copy && !copy.reachable ? { device: told.device, at: told.heard_at, halted: copy.halted } : undefined;
}

/** The journals that are not followed now, whose word may be old: the oldest first. */
export const away = (copies: readonly Copy[]): Copy[] =>
  copies.filter(({ here, reachable }) => !here && !reachable).sort((a, b) => (a.as_of ?? 0) - (b.as_of ?? 0));
