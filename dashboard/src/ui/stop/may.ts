// Who may halt what, and lift that again: who may it in the org may it everywhere; others are asked about one thing at a time, as owners
// about their devices.
import { useQueries } from "@tanstack/react-query";
import { read, useMay, useRead, useSession } from "../../api/query";
import { inForce, nameOf, type Scope, type Stop } from "./stop";

/** Whether the person may halt something. */
export function useMayOrder(): (scope: Scope) => boolean {
  const own = useOwnDevices();
  return useMayThing("stop.order", own.map(nameOf), nameOf);
}

/** Whether the person may lift an order that is in force. */
export function useMayLift(): (stop: Stop) => boolean {
  const { data: stops } = useRead("stop.list", {});
  const own = useOwnDevices();
  const isOwn = ({ order: { scope } }: Stop) => scope.what === "device" && own.some(({ device }) => device === scope.device);
  const orders = (stops ?? []).filter((stop) => inForce(stop) && isOwn(stop));
  return useMayThing("stop.lift", orders.map(idOf), idOf);
}

const idOf = ({ order }: Stop): string => order.id;

/** The devices of whoever looks. */
export function useOwnDevices(): Extract<Scope, { what: "device" }>[] {
  const { data: session } = useSession();
  const { data: org } = useRead("org.show", {});
  const own = org?.devices?.filter(({ owner }) => owner === session?.name) ?? [];
  return own.map(({ name, did }) => ({ what: "device", name, device: did }));
}

function useMayThing<T>(action: "stop.order" | "stop.lift", asked: string[], key: (thing: T) => string): (thing: T) => boolean {
  const all = useMay(action);
  const allowed = useQueries({
    queries: all ? [] : asked.map((what) => read("policy.explain", { who: "me", action, what })),
    combine: (answers) => new Set(asked.filter((_, at) => answers[at]?.data?.allowed)),
  });
  return (thing) => all || allowed.has(key(thing));
}
