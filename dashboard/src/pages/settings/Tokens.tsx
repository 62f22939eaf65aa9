// Tokens for scripts: each with a role; shown once, when made.
import { useState } from "react";
import type { Output, Schemas } from "../../api/call";
import { useAct, useRead } from "../../api/query";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { Choice, Field, Form, Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import css from "./Settings.module.css";

type Token = Output<"token.list">[number];

export function Tokens() {
  const tokens = useRead("token.list", {});
  const make = (
    <Opens name="Make a token" title="Make a token">
      {(close) => <Make onClose={close} />}
    </Opens>
  );
  return (
    <Section title="Tokens for scripts" note={make}>
      <Loaded query={tokens} rows={2}>
        {(list) => <List tokens={list} />}
      </Loaded>
    </Section>
  );
}

function List({ tokens }: { tokens: Token[] }) {
  const revoke = useAct("token.revoke");
  if (tokens.length === 0) return <Empty title="No tokens">A script shows one as “Authorization: Bearer …”.</Empty>;
  return (
    <Table
      label="Tokens"
      rows={tokens}
      keyOf={({ id }) => id}
      columns={[
        { title: "Token", cell: ({ id, label }) => label || <code>{id}</code> },
        { title: "Role", cell: ({ role }) => role },
        { title: "Made", cell: ({ created }) => <Ago at={created} /> },
        { title: "Counts until", cell: ({ expires }) => (expires ? new Date(expires).toLocaleDateString() : "it is revoked") },
        {
          title: "Change",
          end: true,
          cell: ({ id, label }) => (
            <Asks
              name={`Revoke ${label || id}`}
              title={`Revoke ${label || id}?`}
              text="It counts no more at once. Scripts that use it are refused."
              deed="Revoke it"
              onYes={() => revoke.mutate({ id })}
            />
          ),
        },
      ]}
    />
  );
}

const roles: { key: Schemas["Role"]; title: string }[] = [
  { key: "viewer", title: "viewer: sees" },
  { key: "developer", title: "developer: runs tasks" },
  { key: "maintainer", title: "maintainer: keeps projects, merges" },
  { key: "owner", title: "owner: everything that you may" },
];

function Make({ onClose }: { onClose: () => void }) {
  const [label, setLabel] = useState("");
  const [days, setDays] = useState("");
  const [role, setRole] = useState<Schemas["Role"]>("viewer");
  const create = useAct("token.create", { quiet: true });
  if (create.data) return <Made token={create.data.token} onClose={onClose} />;
  return (
    <Form
      deed="Make it"
      busy={create.isPending}
      onSend={() => create.mutate({ role, label: label.trim(), days: days ? Number(days) : null })}
      onClose={onClose}
    >
      <Field label="What it is for" value={label} onChange={setLabel} />
      <Choice label="Role" options={roles} value={role} onChange={setRole} />
      <Field
        label="Days until it counts no more"
        inputMode="numeric"
        pattern="[0-9]*"
        value={days}
        hint="Until it is revoked where nothing is said."
        onChange={setDays}
      />
    </Form>
  );
}

function Made({ token, onClose }: { token: string; onClose: () => void }) {
  return (
    <>
      <p>Keep it now: it is not shown again.</p>
      <p>
        <code className={css.secret}>{token}</code>
      </p>
      <p className={ui.head}>
        <span className={ui.spring} />
        <Button tone="primary" onClick={onClose}>
          I have kept it
        </Button>
      </p>
    </>
  );
}
