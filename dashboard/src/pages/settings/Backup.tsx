// A backup of this machine's part, as one encrypted file.
import { useState } from "react";
import { ActForm, Field, Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import css from "./Settings.module.css";

export function Backup() {
  return (
    <Section title="Backup">
      <p className={css.line}>
        <span className="muted">
          Keys, journal and repositories in one encrypted file on this machine; the guide says how it is taken up again.
        </span>
        <Opens name="Back up" title="Back up">
          {(close) => <Create onClose={close} />}
        </Opens>
      </p>
    </Section>
  );
}

function Create({ onClose }: { onClose: () => void }) {
  const [path, setPath] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const input = { path: path.trim(), passphrase };
  return (
    <ActForm action="backup.create" input={input} deed="Back up" disabled={!input.path || !passphrase} onClose={onClose}>
      <Field label="File" value={path} hint="On this machine; it must not exist yet." onChange={setPath} />
      <Field
        label="Passphrase"
        type="password"
        autoComplete="new-password"
        value={passphrase}
        hint="What opens it again. It cannot be found out later."
        onChange={setPassphrase}
      />
    </ActForm>
  );
}
