// The devices that alone move a project's default branch: chosen, and taken away again.
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Asks } from "../../ui/Dialog";
import { ActForm, Check, Opens } from "../../ui/Form";

type Gate = NonNullable<Output<"project.show">["gate"]>;

/** One device, or two of these. */
const GATES_MAX = 3;

/** Who moves the branch, in a line. */
export function gateWords({ devices, needed, in_force }: Gate): string {
  const names = devices.map(({ device }) => device).join(", ");
  const who = devices.length === 1 ? `Only ${names} moves its branch` : `Its branch moves once ${needed} of ${names} signed`;
  return in_force ? `${who}.` : `${who}; that is not in force yet.`;
}

export function GateDeeds({ project, gated }: { project: string; gated: boolean }) {
  const may = useMay("project.gate");
  const open = useAct("project.gate");
  if (!may) return null;
  return (
    <>
      <Opens name={gated ? "Change the gate" : "Gate"} title={`Gate of ${project}`}>
        {(close) => <Choose project={project} onClose={close} />}
      </Opens>
      {gated && (
        <>
          {" "}
          <Asks
            name="Open the gate"
            busy={open.isPending}
            title={`Open the gate of ${project}?`}
            text="The project’s people move its branch again, without a device that signs."
            deed="Open it"
            onYes={() => open.mutate({ project, open: true })}
          />
        </>
      )}
    </>
  );
}

function Choose({ project, onClose }: { project: string; onClose: () => void }) {
  const { data: org } = useRead("org.show", {});
  const [devices, setDevices] = useState<string[]>([]);
  const right = devices.length === 1 || devices.length === GATES_MAX;
  return (
    <ActForm action="project.gate" input={{ project, devices }} deed="Gate it" disabled={!right} onClose={onClose}>
      <p className="muted">
        One device alone moves the default branch, or three of which two must sign. Merges are brought to the first that is there, in the
        order in which they are chosen.
      </p>
      {org?.devices.map(({ name }) => (
        <Check
          key={name}
          label={devices.includes(name) ? `${name} (${devices.indexOf(name) + 1})` : name}
          value={devices.includes(name)}
          onChange={(yes) => setDevices(yes ? [...devices, name] : devices.filter((one) => one !== name))}
        />
      ))}
    </ActForm>
  );
}
