// Inviting somebody: a ticket is made and shown, to be copied by hand.
import { useState } from "react";
import { useAct } from "../../api/query";
import { Dialog } from "../../ui/Dialog";
import { Choice, Field, Form } from "../../ui/Form";
import css from "./Members.module.css";

const ROLES = [
  { key: "developer", title: "Developer" },
  { key: "viewer", title: "Viewer" },
  { key: "maintainer", title: "Maintainer" },
  { key: "owner", title: "Owner" },
  { key: "me", title: "Another device of mine" },
] as const;

export function Invite({ onClose }: { onClose: () => void }) {
  const [as, setAs] = useState<(typeof ROLES)[number]["key"]>("developer");
  const [uses, setUses] = useState("1");
  const invite = useAct("org.invite", { quiet: true });
  const send = () => invite.mutate({ ...(as === "me" ? { member: "me" } : { role: as }), uses: Number(uses) });
  return (
    <Dialog title="Invite somebody" open onClose={onClose}>
      {invite.data ? (
        <>
          <p>
            Hand this ticket to the one who is to join, and to nobody else. They run “meshwork join” with it; then an owner lets them in
            here.
          </p>
          <textarea
            className={css.ticket}
            aria-label="Ticket"
            readOnly
            rows={6}
            value={invite.data.ticket}
            onFocus={(event) => event.target.select()}
          />
        </>
      ) : (
        <Form deed="Make a ticket" busy={invite.isPending} disabled={!(Number(uses) >= 1)} onSend={send} onClose={onClose}>
          <Choice label="As" options={ROLES} value={as} onChange={setAs} />
          <Field label="How many devices" hint="It counts for three days." type="number" min={1} value={uses} onChange={setUses} />
        </Form>
      )}
    </Dialog>
  );
}
