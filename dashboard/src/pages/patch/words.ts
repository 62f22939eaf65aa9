// What reviews say, in words and tones.
import type { Schemas } from "../../api/call";
import type { Word } from "../../ui/words";

const said: Record<Schemas["Verdict"], Word> = {
  accept: { text: "Accepted", tone: "good" },
  reject: { text: "Changes requested", tone: "warn" },
  comment: { text: "Commented", tone: "none" },
};

export const verdictWord = (verdict: Schemas["Verdict"] | null): Word => said[verdict ?? "comment"];
