// Where a run is and why there, or why not, as far as the program says. Pure.
import type { Schemas } from "../../api/call";

type Run = Pick<Schemas["Run"], "device" | "on" | "refused">;

/** What decided about the device that has it. */
export function whyThere({ device, on, refused }: Run): string {
  if (on && on === device) return "it was named, and took it";
  return refused?.length ? "it suited best of those that did not refuse it" : "it suited best when it was placed";
}

/** Its last checkpoint; and of one that lies where it ran, what of it has arrived at the device that tells this. */
export function savedWords({ checkpoint, held }: Pick<Schemas["Run"], "checkpoint" | "held">): string | undefined {
  if (!checkpoint || checkpoint === held) return checkpoint ?? undefined;
  return `${checkpoint}, where it ran; ${held ? `${held} of before has arrived` : "it has not arrived"} at the device that asked for it`;
}

/** What the devices said that did not take it, in their words. */
export function refusal(reason: Schemas["Run"]["reason"]): string | undefined {
  switch (reason?.code) {
    case "waits_for_room":
    case "waits_for_device":
    case "refused":
      return reason.message;
    default:
      return undefined;
  }
}
