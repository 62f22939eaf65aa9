// Mesh: the devices of the org, what each lends and has free, what runs there, and what is missing on this one.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Ask } from "../../ui/Dialog";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import { Table } from "../../ui/Table";
import ui from "../../ui/ui.module.css";
import { bytes, plural, runWord, shortDid, shortRun } from "../../ui/words";
import css from "./Mesh.module.css";

type Device = Output<"device.capacity">[number];
type Pod = Output<"device.pods">[number];

export default function Mesh() {
  const devices = useRead("device.capacity", {});
  const pods = useRead("device.pods", {});
  return (
    <Page title="Mesh" actions={<GiveBack running={pods.data?.length ?? 0} />}>
      <Loaded query={devices} rows={3}>
        {(list) => <Devices devices={list} pods={pods.data ?? []} />}
      </Loaded>
      <Section title="Runs here now" note={pods.data?.length}>
        <Loaded query={pods} rows={2}>
          {(list) => <Pods pods={list} />}
        </Loaded>
      </Section>
      <Doctor />
    </Page>
  );
}

function Devices({ devices, pods }: { devices: Device[]; pods: Pod[] }) {
  const { data: org } = useRead("org.show", {});
  const known = (did: string) => org?.devices.find((d) => d.did === did);
  return (
    <Table
      label="Devices"
      rows={devices}
      keyOf={({ device }) => device}
      columns={[
        {
          title: "Device",
          cell: ({ device }) => (
            <span className={css.two}>
              <b title={device}>{known(device)?.name ?? shortDid(device)}</b>
              <span className="muted">
                {known(device)?.owner}
                {device === org?.device && " · this machine"}
              </span>
            </span>
          ),
        },
        { title: "Runs", cell: ({ device }) => pods.filter((pod) => pod.device === device).length },
        { title: "Free slots", cell: ({ capacity }) => <Part free={capacity.slots_free} of={capacity.slots} text={String} /> },
        {
          title: "Free cores",
          cell: ({ capacity: { free, total } }) => <Part free={free.cpu_milli} of={total.cpu_milli} text={(n) => String(n / 1_000)} />,
        },
        {
          title: "Free memory",
          cell: ({ capacity: { free, total } }) => <Part free={free.memory_bytes} of={total.memory_bytes} text={bytes} />,
        },
        { title: "Free disk", cell: ({ capacity: { free, total } }) => <Part free={free.disk_bytes} of={total.disk_bytes} text={bytes} /> },
        { title: "GPUs", cell: ({ capacity: { total } }) => total.gpus },
        { title: "Takes", cell: ({ capacity }) => <span title={capacity.runtimes.join(", ")}>{capacity.classes.join(", ")}</span> },
        {
          title: "Tags",
          cell: ({ capacity }) => Object.entries(capacity.tags).map(([name, value]) => <code key={name}>{`${name}:${value} `}</code>),
        },
        { title: "Limits", cell: ({ limits }) => <span className="muted">{limits}</span> },
      ]}
    />
  );
}

function Part({ free, of, text }: { free: number; of: number; text: (n: number) => string }) {
  return (
    <span className="number">
      {text(free)} <span className="muted">of {text(of)}</span>
    </span>
  );
}

function Pods({ pods }: { pods: Pod[] }) {
  if (pods.length === 0) return <Empty title="Nothing runs here now" />;
  return (
    <div className={ui.rows}>
      {pods.map((pod) => (
        <Link key={pod.run} to="/runs/$run" params={{ run: pod.run }} className={ui.row} data-row>
          <Badge word={runWord({ ...pod, questions: [] })} />
          <span>run {shortRun(pod.run)}</span>
          <span className="muted">{pod.class}</span>
        </Link>
      ))}
    </div>
  );
}

/** The owner wants the machine: runs are frozen at once, saved, and go on later. */
function GiveBack({ running }: { running: number }) {
  const may = useMay("device.evict");
  const evict = useAct("device.evict");
  const [asks, setAsks] = useState(false);
  if (!may) return null;
  return (
    <>
      <Button disabled={running === 0} busy={evict.isPending} onClick={() => setAsks(true)}>
        Give this machine back
      </Button>
      <Ask
        title="Give this machine back?"
        text={`${plural(running, "run")} will be frozen within a second, saved, and ended. The work goes on later from there.`}
        deed="Give it back"
        open={asks}
        onClose={() => setAsks(false)}
        onYes={() => evict.mutate({})}
      />
    </>
  );
}

function Doctor() {
  const doctor = useRead("device.doctor", {});
  return (
    <Section title="What this machine has">
      <Loaded query={doctor} rows={4}>
        {(findings) => (
          <div className={ui.rows}>
            {[...findings]
              .sort((a, b) => Number(a.ok) - Number(b.ok))
              .map(({ what, ok, detail, next }) => (
                <div key={what} className={`${ui.row} ${css.finding}`}>
                  <Badge word={ok ? { text: "Fine", tone: "good" } : { text: "Missing", tone: "warn" }} />
                  <span className={css.two}>
                    <b>{what}</b>
                    <span className="muted">{detail}</span>
                    {next && <span>{next}</span>}
                  </span>
                </div>
              ))}
          </div>
        )}
      </Loaded>
    </Section>
  );
}
