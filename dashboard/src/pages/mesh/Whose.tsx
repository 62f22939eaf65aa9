// Whose the machine is now, in one control: taken back by its owner for a while or until they lend it again, and lent again.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay } from "../../api/query";
import { Button } from "../../ui/Button";
import { ActForm, Choice, Opens } from "../../ui/Form";
import { plural } from "../../ui/words";
import { HOURS, type HoursKey, minutesOf } from "./lending";

type Lent = Output<"device.lending">;

interface Props {
  lent: Lent;
  changed: () => void;
}

export function Whose({ lent, changed }: Props) {
  const may = useMay("device.reclaim");
  const release = useAct("device.release", { done: changed });
  if (!may) return null;
  if (lent.click?.said === "reclaimed") {
    return (
      <Button tone="primary" busy={release.isPending} onClick={() => release.mutate({})}>
        Lend this machine again
      </Button>
    );
  }
  // While the policy cannot be read, its owner's word counts all the same.
  if (lent.broken) return <Asked lent={lent} changed={changed} />;
  if (lent.click?.said === "lent") {
    return (
      <Button busy={release.isPending} onClick={() => release.mutate({})}>
        Lend it only as the policy says
      </Button>
    );
  }
  // It is its owner's alone by its policy: that it takes guests all the same is said for a time.
  if (lent.reclaimed && lent.reclaimed.code !== "never") {
    return (
      <Opens name="Lend it all the same" title="Lend this machine all the same?">
        {(close) => <LendForWhile lent={lent} changed={changed} onClose={close} />}
      </Opens>
    );
  }
  if (lent.reclaimed) return null;
  return <Asked lent={lent} changed={changed} />;
}

function Asked({ lent, changed }: Props) {
  return (
    <Opens name="Take this machine back" title="Take this machine back?">
      {(close) => <TakeBack lent={lent} changed={changed} onClose={close} />}
    </Opens>
  );
}

interface FormProps extends Props {
  onClose: () => void;
}

function TakeBack({ lent: { guests, policy }, changed, onClose }: FormProps) {
  const [hours, setHours] = useState<HoursKey>("open");
  const input = { minutes: minutesOf(hours) };
  return (
    <ActForm action="device.reclaim" input={input} deed="Take it back" tone="danger" done={changed} onClose={onClose}>
      <p className="muted">
        {guests === 0
          ? "No guest runs here now, and none is taken. "
          : `${plural(guests, "guest")} will be frozen within a second, saved, and sent away in ${policy.grace_s} s. None is taken after. `}
        Your own runs go on.
      </p>
      <Choice
        label="For how long"
        options={[{ key: "open", title: "Until I lend it again" }, ...HOURS]}
        value={hours}
        onChange={setHours}
      />
    </ActForm>
  );
}

function LendForWhile({ lent: { why }, changed, onClose }: FormProps) {
  const [hours, setHours] = useState<HoursKey>("2");
  return (
    <ActForm action="device.release" input={{ minutes: minutesOf(hours) }} deed="Lend it" done={changed} onClose={onClose}>
      <p className="muted">{why} For this time guests are taken anyway.</p>
      <Choice label="For how long" options={HOURS} value={hours} onChange={setHours} />
    </ActForm>
  );
}
