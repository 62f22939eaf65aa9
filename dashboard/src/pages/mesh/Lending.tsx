// What this machine lends to others now, and its owner's two buttons: take it back, lend it again.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Coded } from "../../ui/Coded";
import { Ask } from "../../ui/Dialog";
import { Section } from "../../ui/Page";
import { Loaded } from "../../ui/State";
import { Ago } from "../../ui/Time";
import { plural, type Word } from "../../ui/words";
import css from "./Mesh.module.css";

type Lent = Output<"device.lending">;

function lentWord({ broken, reclaimed }: Lent): Word {
  if (broken) return { text: "Not lent", tone: "bad" };
  return reclaimed ? { text: "Yours alone", tone: "warn" } : { text: "Lent", tone: "good" };
}

export function Lending() {
  // Battery, lid and hours change by themselves: nobody tells of it.
  const lending = useRead("device.lending", {}, { refetchOnMount: "always" });
  return (
    <Section title="Lent to others">
      <Loaded query={lending} rows={2}>
        {(lent) => (
          <div className={css.room}>
            <span>
              <Badge word={lentWord(lent)} /> since <Ago at={lent.since} />
              {lent.guests > 0 && `; ${plural(lent.guests, "guest")} here`}
            </span>
            {lent.broken ? (
              <p>
                {lent.broken.what} {lent.broken.why} <Coded text={lent.broken.next ?? ""} />
              </p>
            ) : (
              lent.why && <p className="muted">{lent.why}</p>
            )}
            <Whose lent={lent} changed={() => void lending.refetch()} />
          </div>
        )}
      </Loaded>
    </Section>
  );
}

function Whose({ lent, changed }: { lent: Lent; changed: () => void }) {
  const may = useMay("device.reclaim");
  const reclaim = useAct("device.reclaim", { done: changed });
  const release = useAct("device.release", { done: changed });
  const [asks, setAsks] = useState(false);
  if (!may) return null;
  if (lent.click?.said === "reclaimed") {
    return (
      <span>
        <Button busy={release.isPending} onClick={() => release.mutate({})}>
          Lend again
        </Button>
      </span>
    );
  }
  return (
    <span>
      <Button busy={reclaim.isPending} onClick={() => (lent.guests > 0 ? setAsks(true) : reclaim.mutate({}))}>
        Take it back
      </Button>
      <Ask
        title="Take this machine back?"
        text={`${plural(lent.guests, "guest")} will be frozen within a second, saved, and sent away. None are taken until you lend it again.`}
        deed="Take it back"
        open={asks}
        onClose={() => setAsks(false)}
        onYes={() => reclaim.mutate({})}
      />
    </span>
  );
}
