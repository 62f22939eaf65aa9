// Stop orders in words, and what each is about. Pure.
import type { Input, Schemas } from "../../api/call";

export type Stop = Schemas["Stop"];
export type Scope = Schemas["Scope"];

export const inForce = (stop: Stop): boolean => !stop.lifted_by;

export const whatOf = (scope: Scope): string => (scope.what === "org" ? "the whole org" : `the ${scope.what} ${scope.name}`);

/** As the program's policy is asked about it. */
export const nameOf = (scope: Scope): string => (scope.what === "org" ? "" : `${scope.what}:${scope.name}`);

/** The order in force that halts exactly this. Members and devices are known by their keys: a name can change. */
export function halting(stops: readonly Stop[], scope: Scope): Stop | undefined {
  return stops.find((stop) => inForce(stop) && same(stop.order.scope, scope));
}

function same(one: Scope, other: Scope): boolean {
  if (one.what === "member" && other.what === "member") return one.keys.some((key) => other.keys.includes(key));
  if (one.what === "device" && other.what === "device") return one.device === other.device;
  if (one.what === "agent" && other.what === "agent") return one.name === other.name;
  return one.what === "org" && other.what === "org";
}

/** What an order will do. */
export function effectOf(scope: Scope): string {
  const rest = "Their work is saved, new ones wait, and all go on when the order is lifted.";
  switch (scope.what) {
    case "agent":
      return `Every run of ${scope.name} is frozen, on every device. ${rest}`;
    case "member":
      return `Every run that ${scope.name} asked for is frozen, on every device. ${rest} Until then ${scope.name} can change nothing in the org.`;
    case "device":
      return `Every run on ${scope.name} is frozen, and every run that it asked others for. ${rest} Until then other devices refuse it, and nothing can be changed from it.`;
    case "org":
      return `Every run of the org is frozen, on every device. ${rest} People can still read, write and review.`;
  }
}

export function orderOf(scope: Scope, why: string): Input<"stop.order"> {
  return {
    agent: null,
    member: null,
    device: null,
    org: scope.what === "org",
    ...(scope.what !== "org" && { [scope.what]: scope.name }),
    why,
  };
}
