// What is wrong with this device that a person has to hear of unasked, as its clock or its tailnet. What to do stands on the page Mesh.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import css from "./Home.module.css";

/** How often it is looked: no event tells of it. */
const LOOK_EVERY_MS = 30_000;

export function Warnings() {
  const { data: warnings = [] } = useQuery({
    queryKey: ["health"],
    queryFn: look,
    refetchInterval: LOOK_EVERY_MS,
    refetchOnMount: "always",
  });
  if (warnings.length === 0) return null;
  return (
    <section className={css.warnings} aria-label="Warnings of this device">
      {warnings.map((warning) => (
        <p key={warning}>{warning}</p>
      ))}
      <Link to="/mesh" hash="machine" className="link">
        What to do
      </Link>
    </section>
  );
}

/** It is no action of the table: who is not signed in hears a word that is no JSON. */
async function look({ signal }: { signal: AbortSignal }): Promise<string[]> {
  const answer = await fetch("/health", { signal });
  const { warnings }: { warnings?: string[] } = await answer.json();
  return warnings ?? [];
}
