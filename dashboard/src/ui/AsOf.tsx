// The mark of what is known only up to some moment; and, above a page, of which devices that is so.
import { Link } from "@tanstack/react-router";
import { useRead } from "../api/query";
import css from "./AsOf.module.css";
import { away, type Copy, type Known, knownOf, type OfRun } from "./asOf";
import { useNow } from "./Time";
import { useWho } from "./Who";
import { asOf, moment, shortDid } from "./words";

/** How often it is looked whether the others are followed still: no event tells of it. */
const LOOK_EVERY_MS = 10_000;
/** So many devices are named in a line. */
const NAMED_MAX = 3;

export const useCopies = (): readonly Copy[] => useRead("journal.copies", {}, { refetchInterval: LOOK_EVERY_MS }).data ?? [];

interface Props {
  known: Known | undefined;
  /** In a row there is room for the moment alone; the device, and until when it is waited for, stand in its tip. */
  short?: boolean;
}

export function AsOf({ known, short }: Props) {
  const who = useWho();
  const now = useNow();
  if (!known) return null;
  const { name } = who(known.device);
  const order = known.halted ? ` A stop order halts ${known.halted}.` : "";
  const told = known.at === null ? "What it did since is not known" : `It told this at ${moment(known.at)}`;
  const waits = known.until == null ? "" : `. The run is waited for until ${moment(known.until)}`;
  return (
    <span className={css.mark} title={`${name} is not reached.${order} ${told}${waits}.`}>
      {known.at === null ? "perhaps old" : `as of ${asOf(known.at, now)}`}
      {short ? <span className="hidden">{`, ${name} not reached${waits}`}</span> : `, ${name} not reached`}
    </span>
  );
}

/** The mark of a run, wherever it is shown. */
export function RunAsOf({ run, short }: { run: OfRun; short?: boolean }) {
  return <AsOf known={knownOf(run, useCopies())} short={short} />;
}

/** Above what tells of other devices: which of them are not reached, and as of when they are known. */
export function Away() {
  const list = away(useCopies());
  const now = useNow();
  if (list.length === 0) return null;
  const words = list.slice(0, NAMED_MAX).map(({ device, name, as_of }) => {
    const which = name ?? shortDid(device);
    return as_of ? `${which} as of ${asOf(as_of, now)}` : `${which}, of which not all was ever known here`;
  });
  const more = list.length - words.length;
  return (
    <p className={css.away} role="status">
      Not reached: {words.join("; ")}
      {more > 0 && `; and ${more} more`}.{" "}
      <Link to="/journal" search={{ tab: "copies" }} className="link">
        What is known of each device
      </Link>
    </p>
  );
}
