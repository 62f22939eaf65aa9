// What this machine lends to others now, and to whom, when and how much of it: its owner's policy.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useMay } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { ActForm, Area, Check, Field, Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Loaded, ProblemView } from "../../ui/State";
import { Ago } from "../../ui/Time";
import { notify } from "../../ui/Toasts";
import { plural } from "../../ui/words";
import { brokenWords, changes, edit, lentWord, policyWords } from "./lending";
import css from "./Mesh.module.css";
import type { useLending } from "./useLending";

type Lent = Output<"device.lending">;

export function Lending({ lending }: { lending: ReturnType<typeof useLending> }) {
  const may = useMay("device.lend");
  const lent = lending.data;
  const change = may && lent && !lent.broken && (
    <Opens name="Change what is lent" title="What this machine lends">
      {(close) => <Policy lent={lent} changed={() => void lending.refetch()} onClose={close} />}
    </Opens>
  );
  return (
    <Section title="Lent to others" note={change}>
      <Loaded query={lending} rows={2}>
        {(lent) => (
          <div className={css.room}>
            <span>
              <Badge word={lentWord(lent)} /> since <Ago at={lent.since} />
              {lent.guests > 0 && `; ${plural(lent.guests, "guest")} here`}
            </span>
            {lent.broken ? (
              <ProblemView problem={brokenWords(lent, lent.broken)} retry={() => void lending.refetch()} />
            ) : (
              <p className="muted">
                {lent.why} {policyWords(lent.policy)}
              </p>
            )}
          </div>
        )}
      </Loaded>
    </Section>
  );
}

function Policy({ lent: { policy }, changed, onClose }: { lent: Lent; changed: () => void; onClose: () => void }) {
  const [now, setNow] = useState(() => edit(policy));
  const set = (part: Partial<typeof now>) => setNow((before) => ({ ...before, ...part }));
  const wanted = changes(policy, now);
  const done = () => {
    notify({ tone: "good", title: "What this machine lends is changed." });
    changed();
  };
  const same = Object.keys(wanted).length === 0;
  return (
    <ActForm action="device.lend" input={wanted} deed="Change it" disabled={same} done={done} onClose={onClose}>
      <div className={css.checks}>
        <Check label="Others may run here" value={now.guests} onChange={(guests) => set({ guests })} />
        <Check label="Agents" value={now.agent} onChange={(agent) => set({ agent })} />
        <Check label="Checks" value={now.ci} onChange={(ci) => set({ ci })} />
        <Check label="While I am at it" value={now.while_present} onChange={(while_present) => set({ while_present })} />
        <Check label="On battery" value={now.on_battery} onChange={(on_battery) => set({ on_battery })} />
        <Check label="With its lid closed" value={now.lid_closed} onChange={(lid_closed) => set({ lid_closed })} />
      </div>
      <Field
        label="Runs at once at most"
        type="number"
        min={1}
        value={now.slots}
        placeholder="all that it has room for"
        onChange={(slots) => set({ slots })}
      />
      <Field label="I count as away after minutes" type="number" min={1} value={now.away} onChange={(away) => set({ away })} />
      <Field
        label="Seconds until guests are gone"
        type="number"
        min={1}
        value={now.grace}
        hint="They are frozen at once; in this time their work is saved and their memory is given back."
        onChange={(grace) => set({ grace })}
      />
      <Field
        label="Days that a guest’s checkpoint is kept"
        type="number"
        min={1}
        value={now.saved_days}
        hint="Of one that nobody brings away."
        onChange={(saved_days) => set({ saved_days })}
      />
      <Field
        label="GiB of such checkpoints at most"
        type="number"
        min={1}
        value={now.saved_gib}
        hint="The oldest go first."
        onChange={(saved_gib) => set({ saved_gib })}
      />
      <Area
        label="Hours"
        rows={2}
        value={now.hours}
        placeholder="mon-fri 19:00-07:00"
        hint="One span a line, in this machine's own time. Always where there is none."
        onChange={(hours) => set({ hours })}
      />
      <Field
        label="Tags"
        value={now.tags}
        placeholder="gpu:true"
        hint="What it says of itself. The org promises region and compliance, not the device."
        onChange={(tags) => set({ tags })}
      />
    </ActForm>
  );
}
