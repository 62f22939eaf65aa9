// Where the org stands: how many owners must sign its changes, its repository and node; and leaving it.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay } from "../../api/query";
import { Asks } from "../../ui/Dialog";
import { ActForm, Choice, Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import ui from "../../ui/ui.module.css";
import css from "./Members.module.css";

type Org = Output<"org.show">;

export function Standing({ org }: { org: Org }) {
  const may = useMay("org.threshold");
  const owners = org.members.filter(({ roles }) => roles.includes("owner")).length;
  return (
    <Section title="Where it stands" note={<Leave name={org.name} />}>
      <dl className={`${ui.card} ${css.facts}`}>
        <dt>Owners who must sign a change</dt>
        <dd>
          {org.threshold} of {owners}{" "}
          {may && owners > 1 && (
            <Opens name="Change how many" title="Owners who must sign a change">
              {(close) => <Threshold now={org.threshold} owners={owners} onClose={close} />}
            </Opens>
          )}
        </dd>
        <dt>Org repository</dt>
        <dd className="mono">{org.rid}</dd>
        <dt>Radicle node</dt>
        <dd className="mono">{org.radicle ?? "does not listen"}</dd>
        <dt>RAD_HOME for the stock rad</dt>
        <dd className="mono">{org.rad_home}</dd>
      </dl>
    </Section>
  );
}

function Threshold({ now, owners, onClose }: { now: number; owners: number; onClose: () => void }) {
  const [wanted, setWanted] = useState(String(now));
  const options = Array.from({ length: owners }, (_, at) => ({ key: String(at + 1), title: `${at + 1} of ${owners}` }));
  const same = Number(wanted) === now;
  return (
    <ActForm action="org.threshold" input={{ owners: Number(wanted) }} deed="Set it" disabled={same} onClose={onClose}>
      <Choice
        label="How many"
        options={options}
        value={wanted}
        hint="A change of the org is in force once so many owners signed it; until then it waits here."
        onChange={setWanted}
      />
    </ActForm>
  );
}

function Leave({ name }: { name: string }) {
  const may = useMay("org.leave");
  const leave = useAct("org.leave");
  if (!may) return null;
  return (
    <Asks
      name="Leave the org"
      busy={leave.isPending}
      title={`Leave ${name}?`}
      text="This device leaves it, and with your last device you do. What runs here ends. Its folder is kept aside on this machine; who comes back needs a new invitation."
      deed={`Leave ${name}`}
      onYes={() => leave.mutate({})}
    />
  );
}
