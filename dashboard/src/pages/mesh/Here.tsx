// What runs on this machine now, and ending that: it is frozen and saved, and goes on later.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Output } from "../../api/call";
import { useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Coded } from "../../ui/Coded";
import { ActForm, Field, Opens } from "../../ui/Form";
import { Section } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { forPage, shortRun, standsWord } from "../../ui/words";
import css from "./Mesh.module.css";

type Pod = Output<"device.pods">[number];

/** How often it is looked: of an end that could not be written no event tells. */
const LOOK_EVERY_MS = 10_000;

export function Here() {
  const pods = useRead("device.pods", {}, { refetchOnMount: "always", refetchInterval: LOOK_EVERY_MS });
  const may = useMay("device.evict");
  const count = pods.data?.length ?? 0;
  const all = may && count > 1 && <Evict name="Evict all" title="Evict all that runs here?" />;
  return (
    <Section
      title="Runs here now"
      note={
        pods.data && (
          <>
            {count} {all}
          </>
        )
      }
    >
      <Loaded query={pods} rows={2}>
        {(list) => <Pods pods={list} may={may} />}
      </Loaded>
    </Section>
  );
}

function Pods({ pods, may }: { pods: Pod[]; may: boolean }) {
  if (pods.length === 0) return <Empty title="Nothing runs here now" />;
  return (
    <div className={ui.rows}>
      {pods.map((pod) => (
        <div key={pod.run} className={ui.row}>
          <Link to="/runs/$run" params={{ run: pod.run }} className={css.pod} data-row>
            <Badge word={standsWord(pod.stands)} />
            <span>run {shortRun(pod.run)}</span>
            <span className="muted">{pod.class}</span>
            {pod.unended && (
              <span className={`${css.unended} muted`}>
                <Coded text={forPage(pod.unended)} />
              </span>
            )}
          </Link>
          {may && <Evict name={`Evict ${shortRun(pod.run)}`} title={`Evict run ${shortRun(pod.run)}?`} run={pod.run} />}
        </div>
      ))}
    </div>
  );
}

/** Without a run: all that runs here. */
function Evict({ name, title, run }: { name: string; title: string; run?: string }) {
  return (
    <Opens tone="danger" name={name} title={title}>
      {(close) => <Reason run={run} onClose={close} />}
    </Opens>
  );
}

function Reason({ run, onClose }: { run?: string; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const input = { run: run ?? null, reason: reason.trim() || null };
  return (
    <ActForm action="device.evict" input={input} deed="Evict" tone="danger" onClose={onClose}>
      <p className="muted">It is frozen at once, and saved; it goes on from there when there is room, here or on another device.</p>
      <Field label="Why" value={reason} hint="Who asked for the run is told." onChange={setReason} />
    </ActForm>
  );
}
