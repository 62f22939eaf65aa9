// A verdict and a merge are given for the revision that was looked at; the program refuses them when a newer one has come. Then the
// page shows that one, and keeps what was written.
import { useQueryClient } from "@tanstack/react-query";
import type { Problem } from "../../api/call";

/** What to do after a refusal: whatever came meanwhile is read. */
export function useLookAgain(): (problem: Problem) => void {
  const client = useQueryClient();
  return ({ kind }) => {
    if (kind === "conflict") void client.invalidateQueries({ queryKey: ["patch.show"] });
  };
}
