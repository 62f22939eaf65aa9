// A check of this device's journal and of the copies of others: carried out when a person asks for it, and kept until the next.
import { useQuery } from "@tanstack/react-query";
import type { Output } from "../../api/call";
import { read } from "../../api/query";
import { plural, type Word } from "../../ui/words";

type Verified = Output<"journal.verify">;

export const useVerified = () => useQuery({ ...read("journal.verify", {}), enabled: false, retry: false });

/** What it found, in words. */
export function foundBy(found: Verified): { tone: "good" | "bad"; title: string; text: string } {
  const { sound, events, unknown, signatures, incarnations, bad, blobs, bad_blobs, more_bad_blobs, copies } = found;
  if (bad) return { tone: "bad", title: `Event ${bad.seq} is not sound.`, text: bad.why };
  if (!sound) {
    const text = bad_blobs.slice(0, 3).map((one) => `Event ${one.seq} names ${one.hash}. ${one.why}`);
    return { tone: "bad", title: `${plural(bad_blobs.length + more_bad_blobs, "blob")} missing or altered.`, text: text.join(" ") };
  }
  const right = `${events} events, ${signatures} signatures, ${plural(incarnations, "incarnation")}, ${plural(blobs, "blob")}: every link, hash and signature is right.`;
  const newer = unknown > 0 ? ` ${unknown} of the events were written by a newer Meshwork, and are not understood here.` : "";
  const wrong = copies.filter((copy) => !copy.sound).length;
  if (wrong > 0) {
    const title = `This device's journal is sound; ${wrong} of ${plural(copies.length, "copy", "copies")} of others ${wrong === 1 ? "is" : "are"} not.`;
    return { tone: "bad", title, text: `${right}${newer}` };
  }
  const others =
    copies.length > 0
      ? ` So ${copies.length === 1 ? "is the copy of the other device's" : `are the copies of ${copies.length} others`}.`
      : "";
  return { tone: "good", title: `The journal is sound.${others}`, text: `${right}${newer}` };
}

/** What came of making all that is shown anew. */
export function rebuiltWords({ events, unknown, differences }: Output<"journal.rebuild">): { title: string; text: string } {
  const newer = unknown > 0 ? ` ${unknown} of the events were written by a newer Meshwork, and changed nothing.` : "";
  const found = differences === 0 ? "Nothing was otherwise before." : `${plural(differences, "thing")} did not stand as the journal says.`;
  return { title: `Made anew from ${plural(events, "event")}.`, text: `${found}${newer}` };
}

/** What it found of one device's journal; none while nobody asked. */
export function foundOf(device: string, found: Verified | undefined): { word: Word; text: string } | undefined {
  if (!found) return undefined;
  const one = found.device === device ? { ...found, kept_out: null } : found.copies.find((copy) => copy.device === device);
  if (!one) return undefined;
  if (one.sound)
    return { word: { text: "Sound", tone: "good" }, text: `${plural(one.events, "event")}, ${plural(one.signatures, "signature")}` };
  const text = one.bad ? `Event ${one.bad.seq}: ${one.bad.why}` : (one.kept_out ?? foundBy(found).title);
  return { word: { text: "Not sound", tone: "bad" }, text };
}
