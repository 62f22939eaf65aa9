// Credentials: names of what this machine's vault keeps. A secret goes in, and never comes out again.
import { useState } from "react";
import type { Output, Schemas } from "../../api/call";
import { call, problemOf } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { ActForm, Choice, Field, Opens } from "../../ui/Form";
import { Page } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import { notify } from "../../ui/Toasts";
import { several } from "../../ui/words";
import { Protect } from "./Protect";

type Credential = Output<"credential.list">[number];

const kinds: { key: Schemas["CredentialKind"]; title: string }[] = [
  { key: "api-key", title: "key of a model provider" },
  { key: "login", title: "login of an engine" },
  { key: "git-host", title: "token of a git host" },
  { key: "token", title: "token of a service" },
  { key: "radicle-passphrase", title: "passphrase of a Radicle key" },
  { key: "obsidian", title: "key of an Obsidian vault" },
  { key: "generic", title: "anything else" },
];

export default function Credentials() {
  const credentials = useRead("credential.list", {});
  const may = useMay("credential.set");
  return (
    <Page
      title="Credentials"
      actions={
        <>
          <Protect />
          {may && (
            <Opens tone="primary" adds name="Add a credential" title="Add a credential">
              {(close) => <Add onClose={close} />}
            </Opens>
          )}
        </>
      }
    >
      <p className="muted">They are kept encrypted on this machine. No run, no log and no page ever gets one to see.</p>
      <Loaded query={credentials} rows={3}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No credentials yet">An agent with a model needs its provider's key here.</Empty>
          ) : (
            <List credentials={list} />
          )
        }
      </Loaded>
    </Page>
  );
}

function List({ credentials }: { credentials: Credential[] }) {
  const remove = useAct("credential.remove");
  const may = useMay("credential.remove");
  return (
    <Table
      label="Credentials"
      rows={credentials}
      keyOf={({ name }) => name}
      columns={[
        { title: "Name", cell: ({ name }) => <b>{name}</b> },
        { title: "What it is", cell: (credential) => <What {...credential} /> },
        { title: "Whose", cell: ({ provider }) => provider ?? <span className="muted">not said</span> },
        { title: "Used in", cell: ({ scopes }) => where(scopes ?? []) },
        { title: "Set", cell: ({ created }) => <Ago at={created} /> },
        {
          title: "Change",
          end: true,
          cell: ({ name }) =>
            may && (
              <>
                <Test name={name} />{" "}
                <Asks
                  name={`Remove ${name}`}
                  title={`Remove ${name}?`}
                  text="Agents that use it cannot reach their model any more. The secret is forgotten."
                  deed="Remove it"
                  onYes={() => remove.mutate({ name })}
                />
              </>
            ),
        },
      ]}
    />
  );
}

/** Its kind; of a login also how it stands. */
function What({ kind, login }: Credential) {
  const title = kinds.find(({ key }) => key === kind)?.title;
  if (!login) return title;
  return (
    <>
      {title} <Badge word={login.good ? { text: "Renewed by the gateway", tone: "good" } : { text: "Cannot be used", tone: "bad" }} />
      <br />
      <span className="muted">
        {login.what}
        {login.until && (
          <>
            , its access ends <Ago at={login.until} />
          </>
        )}
      </span>
    </>
  );
}

/** A login is a whole file; a kind that is not for models says so. */
const hints: Partial<Record<Schemas["CredentialKind"], string>> = {
  login:
    "The content of the file that the engine wrote when you signed in (~/.codex/auth.json), or GitHub's token. Only the gateway uses it.",
  "git-host": "Say whose it is as the host's name: github.com.",
};

export function where(scopes: Schemas["CredentialScope"][]): string {
  if (scopes.length === 0) return "every run of yours";
  return scopes.map((scope) => ("project" in scope ? `project ${scope.project}` : `agent ${scope.agent}`)).join(", ");
}

/** Asks the provider. It is a read that costs a call, so only a press does it. */
function Test({ name }: { name: string }) {
  const [busy, setBusy] = useState(false);
  const test = async () => {
    setBusy(true);
    try {
      const { good, message } = await call("credential.test", { name });
      notify({ tone: good ? "good" : "bad", title: message });
    } catch (error) {
      const { what, why, next } = problemOf(error);
      notify({ tone: "bad", title: what, text: [why, next].filter(Boolean).join(" ") });
    }
    setBusy(false);
  };
  return (
    <Button busy={busy} onClick={() => void test()}>
      Test {name}
    </Button>
  );
}

function Add({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [provider, setProvider] = useState("");
  const [agents, setAgents] = useState("");
  const [projects, setProjects] = useState("");
  const [kind, setKind] = useState<Schemas["CredentialKind"]>("api-key");
  const input = {
    name: name.trim(),
    value,
    kind,
    provider: provider.trim() || null,
    agents: several(agents),
    projects: several(projects),
  };
  return (
    <ActForm action="credential.set" input={input} deed="Keep it" disabled={!input.name || !value} onClose={onClose}>
      <Field label="Name" value={name} placeholder="openai" onChange={setName} />
      <Field
        label="Secret"
        type="password"
        value={value}
        autoComplete="new-password"
        hint={["It is not shown again.", hints[kind]].filter(Boolean).join(" ")}
        onChange={setValue}
      />
      <Choice label="What it is" options={kinds} value={kind} onChange={setKind} />
      <Field label="Whose" value={provider} placeholder="openai" onChange={setProvider} />
      <Field label="Only for these agents" value={agents} hint="Every run of yours where nothing is said." onChange={setAgents} />
      <Field label="Only for these projects" value={projects} onChange={setProjects} />
    </ActForm>
  );
}
