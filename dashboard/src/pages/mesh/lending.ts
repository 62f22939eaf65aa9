// What a machine lends: in words, and as it is changed in a form. Pure.
import type { Input, Output, Problem } from "../../api/call";
import { plural, span, tagsChanged, tagsText, type Word } from "../../ui/words";

type Lent = Output<"device.lending">;
type Policy = Lent["policy"];
type Room = Output<"device.capacity">[number];

export type HoursKey = "open" | "1" | "2" | "4" | "8";

/** Spans to choose from. */
export const HOURS: { key: HoursKey; title: string }[] = [
  { key: "1", title: "For 1 hour" },
  { key: "2", title: "For 2 hours" },
  { key: "4", title: "For 4 hours" },
  { key: "8", title: "For 8 hours" },
];

/** None: without an end. */
export const minutesOf = (key: HoursKey): number | undefined => (key === "open" ? undefined : Number(key) * 60);

export function lentWord({ broken, reclaimed }: Pick<Lent, "broken" | "reclaimed">): Word {
  if (broken) return { text: "Not lent", tone: "bad" };
  return reclaimed ? { text: "Yours alone", tone: "warn" } : { text: "Lent", tone: "good" };
}

/** While the policy cannot be read: what that means for others, what is wrong with its file, and how it is mended. */
export function brokenWords({ guests, reclaimed }: Pick<Lent, "guests" | "reclaimed">, broken: Problem): Problem {
  const here = guests === 0 ? "" : ` Guests that are here ${stayOrLeave(reclaimed?.code)}.`;
  return {
    ...broken,
    what: `What this machine lends cannot be read. It counts as taken back: nothing new of others is taken.${here}`,
    why: [broken.what, broken.why].filter(Boolean).join(" "),
  };
}

/** What the policy before it, or a click, says of guests that are here while the policy cannot be read. */
function stayOrLeave(code: NonNullable<Room["reclaimed"]>["code"] | undefined): string {
  if (code === "asked") return "are sent away, as you said";
  return code === undefined || code === "unread" ? "stay for now, unless you take it back" : `are sent away: ${why[code]}`;
}

const why: Record<NonNullable<Room["reclaimed"]>["code"], string> = {
  asked: "its owner wants it now",
  never: "its owner lends it to nobody",
  unread: "what its owner lends cannot be read, until they mend its lend.toml",
  present: "its owner is at it",
  battery: "it runs on battery",
  lid: "its lid is closed",
  hours: "its owner lends it at other hours",
};

/** Whether others may borrow a device now, and why not. */
export function borrows({ reclaimed, capacity }: Pick<Room, "reclaimed" | "capacity">): { word: Word; text: string } {
  if (reclaimed?.code === "unread") return { word: { text: "Nobody new", tone: "bad" }, text: why.unread };
  if (reclaimed) return { word: { text: "Its owner’s alone", tone: "warn" }, text: why[reclaimed.code] };
  const takes = capacity?.classes ?? [];
  if (takes.length === 0) return { word: { text: "Takes nothing", tone: "none" }, text: "" };
  return { word: { text: "Any member", tone: "good" }, text: takes.map((one) => classes[one] ?? one).join(", ") };
}

export const classes: Record<string, string> = { agent: "agents", ci: "checks" };

/** What the sensors of a device saw, as far as it has any. */
export function sensed({ idle_s, on_battery, battery_percent, lid_closed }: Room["condition"]): string[] {
  const facts = [
    idle_s != null && (idle_s < 60 ? "somebody is at it" : `nobody typed for ${span(idle_s * 1_000)}`),
    on_battery != null && `${on_battery ? "on battery" : "on mains"}${battery_percent == null ? "" : `, ${battery_percent} %`}`,
    lid_closed === true && "lid closed",
  ];
  return facts.filter((fact) => fact !== false);
}

/** The policy in a line. */
export function policyWords(policy: Policy): string {
  if (!policy.guests) return "It is lent to nobody.";
  const facts = [
    `${policy.classes.map((one) => classes[one] ?? one).join(" and ")} of other members`,
    policy.slots != null && `${plural(policy.slots, "run")} at once at most`,
    policy.while_present ? "also while you are at it" : `once nobody typed for ${span(policy.away_after_s * 1_000)}`,
    policy.on_battery && "also on battery",
    policy.lid_closed && "also with its lid closed",
    policy.hours?.length && policy.hours.join(", "),
  ];
  return `It takes ${facts.filter(Boolean).join("; ")}.`;
}

/** A policy while it is edited: texts as they stand in the fields. */
export interface Edited {
  guests: boolean;
  agent: boolean;
  ci: boolean;
  slots: string;
  while_present: boolean;
  away: string;
  on_battery: boolean;
  lid_closed: boolean;
  hours: string;
  grace: string;
  saved_days: string;
  saved_gib: string;
  tags: string;
}

export const edit = (policy: Policy): Edited => ({
  guests: policy.guests,
  agent: policy.classes.includes("agent"),
  ci: policy.classes.includes("ci"),
  slots: policy.slots == null ? "" : String(policy.slots),
  while_present: policy.while_present,
  away: String(Math.round(policy.away_after_s / 60)),
  on_battery: policy.on_battery,
  lid_closed: policy.lid_closed,
  hours: (policy.hours ?? []).join("\n"),
  grace: String(policy.grace_s),
  saved_days: String(policy.saved_days),
  saved_gib: String(policy.saved_gib),
  tags: tagsText(policy.tags),
});

/** What is to be otherwise: only what was changed, so that what is not shown stays. */
export function changes(policy: Policy, now: Edited): Input<"device.lend"> {
  const was = edit(policy);
  const input: Input<"device.lend"> = {};
  for (const name of ["guests", "while_present", "on_battery", "lid_closed"] as const) if (now[name] !== was[name]) input[name] = now[name];
  if (now.agent !== was.agent || now.ci !== was.ci) {
    const others = policy.classes.filter((one) => one !== "agent" && one !== "ci");
    input.classes = [...(now.agent ? (["agent"] as const) : []), ...(now.ci ? (["ci"] as const) : []), ...others];
  }
  if (now.slots !== was.slots) input.slots = Number(now.slots) || 0;
  if (now.away !== was.away) input.away_after_s = Number(now.away) * 60;
  if (now.grace !== was.grace) input.grace_s = Number(now.grace);
  for (const name of ["saved_days", "saved_gib"] as const) if (now[name] !== was[name]) input[name] = Number(now[name]);
  if (now.hours !== was.hours) {
    input.hours = now.hours
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  }
  if (now.tags !== was.tags) input.tags = tagsChanged(policy.tags, now.tags);
  return input;
}
