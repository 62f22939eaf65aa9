// Inviting somebody: a ticket is made and shown, to be copied by hand.
import { UserPlus } from "lucide-react";
import { useState } from "react";
import { useAct } from "../../api/query";
import { Choice, Field, Form, Opens } from "../../ui/Form";
import { Ticket } from "./Ticket";

const ROLES = [
  { key: "developer", title: "Developer" },
  { key: "viewer", title: "Viewer" },
  { key: "maintainer", title: "Maintainer" },
  { key: "owner", title: "Owner" },
  { key: "me", title: "Another device of mine" },
] as const;

export function Invite() {
  return (
    <Opens tone="primary" name="Invite" icon={<UserPlus size={14} aria-hidden />} title="Invite somebody">
      {(close) => <Make onClose={close} />}
    </Opens>
  );
}

function Make({ onClose }: { onClose: () => void }) {
  const [as, setAs] = useState<(typeof ROLES)[number]["key"]>("developer");
  const [uses, setUses] = useState("1");
  const invite = useAct("org.invite", { quiet: true });
  const send = () => invite.mutate({ ...(as === "me" ? { member: "me" } : { role: as }), uses: Number(uses) });
  if (invite.data) return <Ticket ticket={invite.data.ticket} />;
  return (
    <Form deed="Make a ticket" busy={invite.isPending} disabled={!(Number(uses) >= 1)} onSend={send} onClose={onClose}>
      <Choice label="As" options={ROLES} value={as} onChange={setAs} />
      <Field label="How many devices" hint="It counts for three days." type="number" min={1} value={uses} onChange={setUses} />
    </Form>
  );
}
