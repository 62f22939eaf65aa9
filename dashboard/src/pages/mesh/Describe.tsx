// What the org says of a device: its name, where it is reached, and what is promised about it; changed in a form.
import { Pencil } from "lucide-react";
import { useMay } from "../../api/query";
import { ActForm, Field, Opens, useDraft } from "../../ui/Form";
import { type Described, describe, described, type Listed } from "./devices";

export function Describe({ device }: { device: Listed }) {
  const may = useMay("device.change");
  if (!may) return null;
  return (
    <Opens bare icon={<Pencil size={14} aria-hidden />} name={`Change ${device.name}`} title={`What the org says of ${device.name}`}>
      {(close) => <Edit device={device} onClose={close} />}
    </Opens>
  );
}

const lists: [keyof Described, string, string][] = [
  ["addresses", "Where its mesh port is reached", "host:port, several between blanks."],
  ["radicle", "Where its Radicle node is reached", ""],
  ["gossip", "Where its gossip is reached", ""],
];

function Edit({ device, onClose }: { device: Listed; onClose: () => void }) {
  const [now, field] = useDraft(() => describe(device));
  const wanted = described(device, now);
  const odd = now.name.trim() === "" || Object.keys(wanted).length === 0;
  return (
    <ActForm action="device.change" input={{ device: device.name, ...wanted }} deed="Change it" disabled={odd} onClose={onClose}>
      <Field label="Name" {...field("name")} />
      {lists.map(([name, label, hint]) => (
        <Field key={name} label={label} hint={hint} {...field(name)} />
      ))}
      <Field
        label="What the org promises about it"
        placeholder="region:eu compliance:restricted"
        hint="Runs that ask for a promise believe the org, not the device."
        {...field("tags")}
      />
    </ActForm>
  );
}
