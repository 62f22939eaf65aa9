// What this machine lends to others now, and to whom, when and how much of it: its owner's policy.
import type { Output } from "../../api/call";
import { useMay } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { ActForm, Area, Check, Field, Opens, useDraft } from "../../ui/Form";
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
  const [now, field] = useDraft(() => edit(policy));
  const wanted = changes(policy, now);
  const done = () => {
    notify({ tone: "good", title: "What this machine lends is changed." });
    changed();
  };
  const same = Object.keys(wanted).length === 0;
  return (
    <ActForm action="device.lend" input={wanted} deed="Change it" disabled={same} done={done} onClose={onClose}>
      <div className={css.checks}>
        <Check label="Others may run here" {...field("guests")} />
        <Check label="Agents" {...field("agent")} />
        <Check label="Checks" {...field("ci")} />
        <Check label="While I am at it" {...field("while_present")} />
        <Check label="On battery" {...field("on_battery")} />
        <Check label="With its lid closed" {...field("lid_closed")} />
      </div>
      <Field label="Runs at once at most" type="number" min={1} placeholder="all that it has room for" {...field("slots")} />
      <Field label="I count as away after minutes" type="number" min={1} {...field("away")} />
      <Field
        label="Seconds until guests are gone"
        type="number"
        min={1}
        hint="They are frozen at once; in this time their work is saved and their memory is given back."
        {...field("grace")}
      />
      <Field
        label="Days that a guest’s checkpoint is kept"
        type="number"
        min={1}
        hint="Of one that nobody brings away."
        {...field("saved_days")}
      />
      <Field label="GiB of such checkpoints at most" type="number" min={1} hint="The oldest go first." {...field("saved_gib")} />
      <Area
        label="Hours"
        rows={2}
        placeholder="mon-fri 19:00-07:00"
        hint="One span a line, in this machine's own time. Always where there is none."
        {...field("hours")}
      />
      <Field
        label="Tags"
        placeholder="gpu:true"
        hint="What it says of itself. The org promises region and compliance, not the device."
        {...field("tags")}
      />
    </ActForm>
  );
}
