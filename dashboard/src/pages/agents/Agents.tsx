// Agents: the named workers of the org, what each needs on this machine, and the engines that are installed here.
import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button, IconButton } from "../../ui/Button";
import { Ask, Dialog } from "../../ui/Dialog";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { useHalt } from "../../ui/stop/Halt";
import { Table } from "../../ui/Table";
import { count, spent } from "../../ui/words";
import { AgentForm } from "./AgentForm";
import css from "./Agents.module.css";
import { engineText } from "./engine";

type Agent = Output<"agent.list">[number];
type Open = { form: Agent | null } | { remove: Agent };

export default function Agents() {
  const agents = useRead("agent.list", {});
  const may = useMay("agent.add");
  const [open, setOpen] = useState<Open>();
  const remove = useAct("agent.remove");
  const close = () => setOpen(undefined);
  return (
    <Page
      title="Agents"
      actions={
        may && (
          <Button tone="primary" onClick={() => setOpen({ form: null })}>
            <Plus size={14} aria-hidden /> Add an agent
          </Button>
        )
      }
    >
      <Loaded query={agents} rows={4}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No agents yet">An agent is a coding engine with a model and a budget. Tasks are given to it.</Empty>
          ) : (
            <List
              agents={list}
              edit={may ? (agent) => setOpen({ form: agent }) : undefined}
              remove={(agent) => setOpen({ remove: agent })}
            />
          )
        }
      </Loaded>
      <Engines />
      {open && "form" in open && (
        <Dialog title={open.form ? `Change ${open.form.name}` : "Add an agent"} open onClose={close}>
          <AgentForm agent={open.form} onClose={close} />
        </Dialog>
      )}
      {open && "remove" in open && (
        <Ask
          title={`Remove ${open.remove.name}?`}
          text="No more tasks can be given to it. Its runs and patches stay."
          deed={`Remove ${open.remove.name}`}
          open
          onClose={close}
          onYes={() => remove.mutate({ name: open.remove.name })}
        />
      )}
    </Page>
  );
}

function List({ agents, edit, remove }: { agents: Agent[]; edit?: (agent: Agent) => void; remove: (agent: Agent) => void }) {
  const halt = useHalt();
  return (
    <Table
      label="Agents"
      rows={agents}
      keyOf={(agent) => agent.name}
      columns={[
        {
          title: "Agent",
          cell: ({ name }) => (
            <span className={css.two}>
              <b>{name}</b>
              {halt.badge({ what: "agent", name })}
            </span>
          ),
        },
        { title: "Engine", cell: (agent) => <code className={css.command}>{engineText(agent.engine)}</code> },
        { title: "Model", cell: (agent) => (agent.model ? <Model {...agent.model} /> : <span className="muted">needs none</span>) },
        {
          title: "A run may use",
          cell: ({ budget }) =>
            `${count(budget.tokens)} tokens, ${count(budget.calls)} calls${budget.money ? `, ${budget.money} of money` : ""}`,
        },
        { title: "Used this month", cell: ({ used }) => spent(used) },
        { title: "Tools", cell: (agent) => (agent.permissions === "ask" ? "ask a person" : "allowed in the sandbox") },
        { title: "Here", cell: ({ needs }) => <Needs needs={needs} /> },
        {
          title: "Change",
          end: true,
          cell: (agent) => (
            <>
              {halt.icon({ what: "agent", name: agent.name })}
              {edit && (
                <>
                  <IconButton label={`Change ${agent.name}`} onClick={() => edit(agent)}>
                    <Pencil size={14} aria-hidden />
                  </IconButton>
                  <IconButton label={`Remove ${agent.name}`} onClick={() => remove(agent)}>
                    <Trash2 size={14} aria-hidden />
                  </IconButton>
                </>
              )}
            </>
          ),
        },
      ]}
    />
  );
}

function Model({ name, base_url, credential }: NonNullable<Agent["model"]>) {
  return (
    <span className={css.two}>
      {name}
      <span className="muted">
        {base_url} with {credential}
      </span>
    </span>
  );
}

function Needs({ needs }: { needs: string[] }) {
  if (needs.length === 0) return <Badge word={{ text: "Ready", tone: "good" }} />;
  return (
    <span className={css.two}>
      <Badge word={{ text: "Needs something", tone: "warn" }} />
      {needs.map((need) => (
        <span key={need} className="muted">
          {need}
        </span>
      ))}
    </span>
  );
}

function Engines() {
  const engines = useRead("engine.list", {});
  const may = useMay("engine.install");
  const install = useAct("engine.install", { done: () => void engines.refetch() });
  return (
    <Section title="Engines on this machine">
      <Loaded query={engines} rows={3}>
        {(list) => (
          <Table
            label="Engines on this machine"
            rows={list}
            keyOf={(engine) => engine.name}
            columns={[
              { title: "Engine", cell: (engine) => engine.name },
              { title: "Version that is used", cell: (engine) => <span className="number">{engine.pinned}</span> },
              {
                title: "Installed",
                cell: ({ installed, pinned }) => (
                  <Badge word={installed === pinned ? { text: "Yes", tone: "good" } : { text: installed ?? "No", tone: "none" }} />
                ),
              },
              {
                title: "Change",
                end: true,
                cell: ({ name, installed, pinned }) =>
                  may &&
                  installed !== pinned && (
                    <Button busy={install.isPending && install.variables.name === name} onClick={() => install.mutate({ name })}>
                      Install {name}
                    </Button>
                  ),
              },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
