// A backup of this machine's part, as one encrypted file.
import { useState } from "react";
import { useAct } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field, Form } from "../../ui/Form";
import { Section } from "../../ui/Page";
import css from "./Settings.module.css";

export function Backup() {
  const [open, setOpen] = useState(false);
  const [path, setPath] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const close = () => {
    setOpen(false);
    setPassphrase("");
  };
  const create = useAct("backup.create", { done: close });
  return (
    <Section title="Backup">
      <p className={css.line}>
        <span className="muted">
          Keys, journal and repositories in one encrypted file on this machine; <code>meshwork restore</code> takes it up.
        </span>
        <Button onClick={() => setOpen(true)}>Back up</Button>
      </p>
      {open && (
        <Dialog title="Back up" open onClose={close}>
          <Form
            deed="Back up"
            busy={create.isPending}
            disabled={!path.trim() || !passphrase}
            onSend={() => create.mutate({ path: path.trim(), passphrase })}
            onClose={close}
          >
            <Field
              label="File"
              value={path}
              hint="On this machine; it must not exist yet."
              onChange={(event) => setPath(event.target.value)}
            />
            <Field
              label="Passphrase"
              type="password"
              autoComplete="new-password"
              value={passphrase}
              hint="What opens it again. It cannot be found out later."
              onChange={(event) => setPassphrase(event.target.value)}
            />
          </Form>
        </Dialog>
      )}
    </Section>
  );
}
