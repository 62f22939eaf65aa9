// A member's name, and the device that stands in for their others: told, and changed.
import { Pencil } from "lucide-react";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useMay } from "../../api/query";
import { ActForm, Choice, Field, Opens } from "../../ui/Form";

type Org = Output<"org.show">;
type Member = Org["members"][number];

export function Rename({ name }: { name: string }) {
  const may = useMay("member.rename");
  if (!may) return null;
  return (
    <Opens bare icon={<Pencil size={14} aria-hidden />} name={`Rename ${name}`} title={`Rename ${name}`}>
      {(close) => <NewName name={name} onClose={close} />}
    </Opens>
  );
}

function NewName({ name: member, onClose }: { name: string; onClose: () => void }) {
  const [name, setName] = useState(member);
  const input = { member, name: name.trim() };
  return (
    <ActForm action="member.rename" input={input} deed="Rename" disabled={!input.name || input.name === member} onClose={onClose}>
      <Field label="Name" value={name} onChange={setName} />
    </ActForm>
  );
}

/** Only who has several devices can have one that stands in. */
export function Standby({ member, devices }: { member: Member; devices: Org["devices"] }) {
  const may = useMay("member.standby");
  const own = devices.filter(({ owner }) => owner === member.name);
  const now = own.find(({ did }) => did === member.standby)?.name ?? "";
  return (
    <>
      {now || <span className="muted">none</span>}{" "}
      {may && (own.length > 1 || now) && (
        <Opens
          bare
          icon={<Pencil size={14} aria-hidden />}
          name={`Change the standby device of ${member.name}`}
          title={`Standby device of ${member.name}`}
        >
          {(close) => <StandsIn member={member.name} own={own.map(({ name }) => name)} now={now} onClose={close} />}
        </Opens>
      )}
    </>
  );
}

function StandsIn({ member, own, now, onClose }: { member: string; own: string[]; now: string; onClose: () => void }) {
  const [device, setDevice] = useState(now);
  const input = { member, device: device || null };
  return (
    <ActForm action="member.standby" input={input} deed="Set it" disabled={device === now} onClose={onClose}>
      <Choice
        label="Stands in for the others"
        options={[{ key: "", title: "None" }, ...own.map((name) => ({ key: name, title: name }))]}
        value={device}
        hint="Runs elsewhere reach their model through it while the device that asked for them is away."
        onChange={setDevice}
      />
    </ActForm>
  );
}
