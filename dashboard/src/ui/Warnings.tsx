// What is wrong with this device that a person has to hear of unasked, as its clock or its tailnet. What to do stands on the page Mesh.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Problem } from "../api/call";
import { useTailnet } from "../api/tailnet";
import { Coded } from "./Coded";
import css from "./Warnings.module.css";

/** How often it is looked: no event tells of it. */
const LOOK_EVERY_MS = 30_000;
/** So begins what the program warns of where it is the tailnet. */
const OF_TAILNET = "tailnet: ";

export function Warnings() {
  const { data: told = [] } = useQuery({
    queryKey: ["health"],
    queryFn: look,
    refetchInterval: LOOK_EVERY_MS,
    refetchOnMount: "always",
  });
  const { data: tailnet } = useTailnet();
  // The tailnet is asked by itself, which says more: it is not told twice.
  const warnings = tailnet ? told.filter((warning) => !warning.startsWith(OF_TAILNET)) : told;
  if (warnings.length === 0 && !tailnet?.wrong) return null;
  return (
    <section className={css.warnings} aria-label="Warnings of this device" aria-live="polite">
      {tailnet?.wrong && <Wrong problem={tailnet.wrong} />}
      {warnings.map((warning) => (
        <p key={warning}>{warning}</p>
      ))}
      <Link to="/mesh" search={true} hash="machine" className="link">
        What to do
      </Link>
    </section>
  );
}

/** What is not in order with the tailnet, and what that means. */
function Wrong({ problem: { what, why, next } }: { problem: Problem }) {
  return (
    <>
      <p>
        <strong>{what}</strong> What runs goes on; nobody new gets in.
      </p>
      {[why, next].map(
        (text) =>
          text && (
            <p key={text} className="muted">
              <Coded text={text} />
            </p>
          ),
      )}
    </>
  );
}

/** It is no action of the table: who is not signed in hears a word that is no JSON. */
async function look({ signal }: { signal: AbortSignal }): Promise<string[]> {
  const answer = await fetch("/health", { signal });
  const { warnings }: { warnings?: string[] } = await answer.json();
  return warnings ?? [];
}
