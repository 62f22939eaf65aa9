// Mesh: the devices of the org as this one knows them, who reaches whom, what runs there, and what is missing on this one.
import { Link } from "@tanstack/react-router";
import { RotateCw } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button, IconButton } from "../../ui/Button";
import { Capacity } from "../../ui/Capacity";
import { Coded } from "../../ui/Coded";
import { Ask } from "../../ui/Dialog";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded, Loading } from "../../ui/State";
import { useHalt } from "../../ui/stop/Halt";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { plural, runWord, shortRun, type Word } from "../../ui/words";
import { Devices } from "./Devices";
import { Lending } from "./Lending";
import css from "./Mesh.module.css";
import { DRAWN_MAX } from "./reach";

type Pod = Output<"device.pods">[number];

const Reach = lazy(() => import("./Reach"));

export default function Mesh() {
  // Whether a device can be reached is found out by asking: nobody tells of it.
  const devices = useRead("device.list", {}, { refetchOnMount: "always" });
  const pods = useRead("device.pods", {});
  const halt = useHalt();
  const here = devices.data?.find((one) => one.here);
  return (
    <Page
      title="Mesh"
      actions={
        <>
          {here && halt.button({ what: "device", name: here.name, device: here.did })}
          <GiveBack running={pods.data?.length ?? 0} />
        </>
      }
    >
      <Section
        title="Devices"
        note={
          devices.data && (
            <>
              {devices.data.length}, asked <Ago at={devices.dataUpdatedAt} />{" "}
              <IconButton label="Ask the devices again" busy={devices.isFetching} onClick={() => void devices.refetch()}>
                <RotateCw size={14} aria-hidden />
              </IconButton>
            </>
          )
        }
      >
        <Loaded query={devices} rows={3}>
          {(list) => <Devices devices={list} pods={pods.data ?? []} />}
        </Loaded>
      </Section>
      {devices.data && devices.data.length > 1 && (
        <Section title="Who reaches whom">
          {devices.data.length > DRAWN_MAX ? (
            <Empty title="Too many devices to draw">Up to {DRAWN_MAX} are drawn; the list above has them all.</Empty>
          ) : (
            <Suspense fallback={<Loading />}>
              <Reach devices={devices.data} />
            </Suspense>
          )}
          <p className="muted">
            A line goes from this device to each that it asked; it is whole where there was an answer. What the others reach of each other
            is not known here.
          </p>
        </Section>
      )}
      <Section title="Runs here now" note={pods.data?.length}>
        <Loaded query={pods} rows={2}>
          {(list) => <Pods pods={list} />}
        </Loaded>
      </Section>
      <Lending />
      <Room />
      <Doctor />
    </Page>
  );
}

function Room() {
  const room = useRead("device.capacity", {});
  return (
    <Section title="Room of this machine">
      <Loaded query={room} rows={3}>
        {(list) =>
          list
            .filter(({ state }) => state === "here")
            .map((one) => (
              <div key={one.device} className={css.room}>
                <Capacity device={one} />
                {one.capacity && (
                  <p className="muted">
                    Takes {one.capacity.classes.join(", ")}; runs them in {one.capacity.runtimes.join(", ") || "no runtime that works"}.{" "}
                    {one.limits}
                  </p>
                )}
              </div>
            ))
        }
      </Loaded>
    </Section>
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

type Finding = Output<"device.doctor">[number];

/** What is not there and is not needed is no fault, and not fine either. */
const lacks = ({ ok, detail }: Finding): boolean => ok && detail.startsWith("not found");

function findingWord(finding: Finding): Word {
  if (!finding.ok) return { text: "Missing", tone: "warn" };
  return lacks(finding) ? { text: "Optional", tone: "none" } : { text: "Fine", tone: "good" };
}

function Doctor() {
  const doctor = useRead("device.doctor", {});
  const order = (finding: Finding) => (finding.ok ? (lacks(finding) ? 1 : 2) : 0);
  return (
    <Section title="What this machine has">
      <Loaded query={doctor} rows={4}>
        {(findings) => (
          <div className={ui.rows}>
            {[...findings]
              .sort((a, b) => order(a) - order(b))
              .map((finding) => {
                const { what, detail, next } = finding;
                return (
                  <div key={what} className={`${ui.row} ${css.finding}`}>
                    <Badge word={findingWord(finding)} />
                    <span className={css.two}>
                      <b>{what}</b>
                      <span className="muted">
                        <Coded text={detail} />
                      </span>
                      {next && !detail.includes(next) && (
                        <span>
                          <Coded text={next} />
                        </span>
                      )}
                    </span>
                  </div>
                );
              })}
          </div>
        )}
      </Loaded>
    </Section>
  );
}
