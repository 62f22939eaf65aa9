// A verdict and a merge count for the latest revision, so they are given only for one that was looked at.
import { useQueryClient } from "@tanstack/react-query";
import { problemOf } from "../../api/call";
import { read } from "../../api/query";
import { notify } from "../../ui/Toasts";
import { latest, type Revision, type Shown } from "./facts";

/** Asks the program anew; says so, and answers no, when a newer revision than the one seen is there. */
export function useUnchanged(patch: Shown, seen: Revision): () => Promise<boolean> {
  const client = useQueryClient();
  return async () => {
    try {
      const now = await client.fetchQuery({ ...read("patch.show", { patch: patch.id, project: patch.project }), staleTime: 0 });
      if (latest(now)?.id === seen.id) return true;
      notify({
        tone: "bad",
        title: "A newer revision has just arrived.",
        text: "Nothing was sent. Look at it first; what you wrote is kept.",
      });
    } catch (error) {
      const { what, why, next } = problemOf(error);
      notify({ tone: "bad", title: what, text: [why, next].filter(Boolean).join(" ") });
    }
    return false;
  };
}
