// Agents: the named workers of the org, what each needs on this machine, and the engines that are installed here.
import { Pencil, Trash2 } from "lucide-react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Asks } from "../../ui/Dialog";
import { Opens } from "../../ui/Form";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { useHalt } from "../../ui/stop/Halt";
import { Table } from "../../ui/Table";
import { count, spent } from "../../ui/words";
import { AgentForm } from "./AgentForm";
import css from "./Agents.module.css";
import { engineText } from "./engine";

type Agent = Output<"agent.list">[number];

export default function Agents() {
  const agents = useRead("agent.list", {});
  const may = useMay("agent.add");
  return (
    <Page
      title="Agents"
      actions={
        may && (
          <Opens tone="primary" adds name="Add an agent" title="Add an agent">
            {(close) => <AgentForm agent={null} onClose={close} />}
          </Opens>
        )
      }
    >
      <Loaded query={agents} rows={4}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No agents yet">An agent is a coding engine with a model and a budget. Tasks are given to it.</Empty>
          ) : (
            <List agents={list} may={may} />
          )
        }
      </Loaded>
      <Engines />
    </Page>
  );
}

function List({ agents, may }: { agents: Agent[]; may: boolean }) {
  const remove = useAct("agent.remove");
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
              {may && (
                <>
                  <Opens name={`Change ${agent.name}`} bare icon={<Pencil size={14} aria-hidden />} title={`Change ${agent.name}`}>
                    {(close) => <AgentForm agent={agent} onClose={close} />}
                  </Opens>
                  <Asks
                    name={`Remove ${agent.name}`}
                    icon={<Trash2 size={14} aria-hidden />}
                    title={`Remove ${agent.name}?`}
                    text="No more tasks can be given to it. Its runs and patches stay."
                    deed={`Remove ${agent.name}`}
                    onYes={() => remove.mutate({ name: agent.name })}
                  />
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
