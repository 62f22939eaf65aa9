// On every page while a stop order is in force: what is halted, who ordered it and why, since when; and lifting it.
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { problemOf } from "../api/call";
import { useRead } from "../api/query";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { Lift } from "../ui/stop/Lift";
import { useMayLift } from "../ui/stop/may";
import { inForce, type Stop, whatOf } from "../ui/stop/stop";
import { Ago } from "../ui/Time";
import { useWho } from "../ui/Who";
import css from "./Frame.module.css";

/** More would leave no room for the page. */
const SHOWN_MAX = 2;

export function Stops() {
  const stops = useRead("stop.list", {});
  const may = useMayLift();
  const [lifts, setLifts] = useState<Stop>();
  const who = useWho();
  const list = stops.data?.filter(inForce) ?? [];
  const newest = list[0]?.order;
  const said = newest && `Halted: ${whatOf(newest.scope)}. ${newest.why}`;
  useEffect(() => {
    if (said) announce(said);
  }, [said]);
  if (stops.error && !stops.data) {
    const { what } = problemOf(stops.error);
    return (
      <p className={css.note} role="alert">
        <span>Whether a stop order is in force is not known. {what}</span>
      </p>
    );
  }
  if (list.length === 0) return null;
  return (
    <section aria-label="Stop orders in force">
      {list.slice(0, SHOWN_MAX).map((stop) => (
        <p key={stop.order.id} className={css.note}>
          <span>
            <b>Halted: {whatOf(stop.order.scope)}.</b> {who(stop.by).name} ordered it <Ago at={stop.order.at} />: {stop.order.why}
          </span>
          {may(stop) && (
            <Button aria-label={`Lift the stop order for ${whatOf(stop.order.scope)}`} onClick={() => setLifts(stop)}>
              Lift
            </Button>
          )}
        </p>
      ))}
      {list.length > SHOWN_MAX && (
        <p className={css.note}>
          <Link to="/members" search={{ tab: "stops" }} className="link">
            All {list.length} stop orders in force
          </Link>
        </p>
      )}
      {lifts && <Lift stop={lifts} onClose={() => setLifts(undefined)} />}
    </section>
  );
}
