// What unlocks this machine's vault when Meshwork starts.
import { useState } from "react";
import type { Input } from "../../api/call";
import { useMay } from "../../api/query";
import { ActForm, Choice, Field, Opens } from "../../ui/Form";

type By = Input<"credential.protect">["by"];

const ways: { key: By; title: string; hint: string }[] = [
  { key: "key-file", title: "A key file", hint: "Only your user can read it. Meshwork starts unattended." },
  { key: "passphrase", title: "A passphrase", hint: "Meshwork starts with MESHWORK_VAULT_PASSPHRASE_FILE, a file that has it." },
  {
    key: "keyring",
    title: "The system’s keyring",
    hint: "It keeps a passphrase that is made now, and must be unlocked when Meshwork starts.",
  },
];

export function Protect() {
  const may = useMay("credential.protect");
  if (!may) return null;
  return (
    <Opens name="What unlocks them" title="What unlocks the vault">
      {(close) => <Way onClose={close} />}
    </Opens>
  );
}

function Way({ onClose }: { onClose: () => void }) {
  const [by, setBy] = useState<By>("key-file");
  const [passphrase, setPassphrase] = useState("");
  const [again, setAgain] = useState("");
  const worded = by === "passphrase";
  const odd = worded && (!passphrase || passphrase !== again);
  return (
    <ActForm
      action="credential.protect"
      input={{ by, passphrase: worded ? passphrase : null }}
      deed="Set it"
      disabled={odd}
      onClose={onClose}
    >
      <Choice label="By" options={ways} value={by} hint={ways.find(({ key }) => key === by)?.hint} onChange={setBy} />
      {worded && (
        <>
          <Field
            label="Passphrase"
            type="password"
            autoComplete="new-password"
            value={passphrase}
            hint="Without it the credentials cannot be had again."
            onChange={setPassphrase}
          />
          <Field label="Once more" type="password" autoComplete="new-password" value={again} onChange={setAgain} />
        </>
      )}
    </ActForm>
  );
}
