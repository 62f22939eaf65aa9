// The patches of one task that several devices made: at most one is accepted, and a person picks it by merging it.
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../api/call";
import { AsOf } from "./AsOf";
import { toldBy } from "./asOf";
import { Badge } from "./Badge";
import { Section } from "./Page";
import ui from "./ui.module.css";
import { useWho } from "./Who";
import { shortOid, standingWords } from "./words";

type Rival = Schemas["Rival"];

export function Rivals({ rivals, here }: { rivals: Rival[]; here?: string }) {
  const who = useWho();
  if (rivals.length === 0) return null;
  const open = rivals.filter((rival) => rival.state === "open").length;
  return (
    <Section title="Rivals" note={rivals.length}>
      {open > 1 && <p className="muted">This task was done more than once. At most one patch is accepted: merging it closes the others.</p>}
      <div className={ui.rows}>
        {rivals.map((rival) => (
          <Link
            key={rival.patch}
            to="/patches/$patch"
            params={{ patch: rival.patch }}
            className={ui.row}
            aria-current={rival.patch === here || undefined}
            data-row
          >
            <Badge word={standingWords[rival.standing]} />
            <span className="clip">
              {shortOid(rival.patch)} of {who(rival.device).name}
            </span>
            <span className="muted clip">{said(rival, who)}</span>
            <span className={ui.spring} />
            <AsOf known={toldBy(rival.whose)} short />
          </Link>
        ))}
      </div>
    </Section>
  );
}

function said(rival: Rival, who: ReturnType<typeof useWho>): string {
  if (rival.merged_by) return `picked by ${who(rival.merged_by).name}`;
  if (rival.taken_over) return "its task was taken over";
  return rival.member ? `for ${who(rival.member).name}` : "";
}
