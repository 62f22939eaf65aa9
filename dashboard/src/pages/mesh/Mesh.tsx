// Mesh: the devices of the org as this one knows them, who reaches whom, what runs there, and what is missing on this one.
import { getRouteApi, Link, useLocation } from "@tanstack/react-router";
import { RotateCw, X } from "lucide-react";
import { lazy, Suspense, useEffect } from "react";
import type { Output, Schemas } from "../../api/call";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { IconButton } from "../../ui/Button";
import { Capacity } from "../../ui/Capacity";
import { Coded } from "../../ui/Coded";
import { taskLink } from "../../ui/links";
import { Page, Section } from "../../ui/Page";
import { Empty, Loaded, Loading } from "../../ui/State";
import { useHalt } from "../../ui/stop/Halt";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { Verdicts } from "../../ui/Verdicts";
import { Warnings } from "../../ui/Warnings";
import { forPage, type Word } from "../../ui/words";
import { Devices } from "./Devices";
import { Here } from "./Here";
import { Lending } from "./Lending";
import css from "./Mesh.module.css";
import { DRAWN_MAX, taskOf } from "./reach";
import { Tailnet } from "./Tailnet";
import { useLending } from "./useLending";
import { Whose } from "./Whose";

const route = getRouteApi("/mesh");
const Reach = lazy(() => import("./Reach"));

export default function Mesh() {
  // Whether a device can be reached is found out by asking: nobody tells of it.
  const devices = useRead("device.list", {}, { refetchOnMount: "always" });
  const pods = useRead("device.pods", {});
  const halt = useHalt();
  const here = devices.data?.find((one) => one.here);
  const lending = useLending();
  const doctor = useRead("device.doctor", {});
  useNamed(!!devices.data && !!doctor.data);
  const { task } = route.useSearch();
  const placed = task === undefined ? undefined : taskOf(task);
  return (
    <Page
      title="Mesh"
      actions={
        <>
          {here && halt.button({ what: "device", name: here.name, device: here.did })}
          {lending.data && <Whose lent={lending.data} changed={() => void lending.refetch()} />}
        </>
      }
    >
      <Warnings />
      {placed && <Placed at={placed} />}
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
              <Reach devices={devices.data} task={placed} />
            </Suspense>
          )}
          <p className="muted">
            A line goes from this device to each that it asked; it is whole where there was an answer. What the others reach of each other
            is not known here.
          </p>
        </Section>
      )}
      <Here />
      <Lending lending={lending} />
      <Room />
      <Tailnet />
      <Doctor />
    </Page>
  );
}

/** Goes to what the address names once what stands above it is there: before that it would be pushed out of sight again. */
function useNamed(there: boolean) {
  const name = useLocation({ select: ({ hash }) => hash });
  useEffect(() => {
    if (there && name) document.getElementById(name)?.scrollIntoView();
  }, [there, name]);
}

/** Where a task may run, and why not elsewhere; the map shows it too. */
function Placed({ at }: { at: Schemas["TaskRef"] }) {
  const navigate = route.useNavigate();
  return (
    <Section
      title={`Where ${at.task} may run`}
      note={
        <>
          <Link {...taskLink(at)} className="link">
            {at.feature}
          </Link>{" "}
          <IconButton label={`Show the devices without ${at.task}`} onClick={() => void navigate({ search: {} })}>
            <X size={14} aria-hidden />
          </IconButton>
        </>
      }
    >
      <Verdicts at={at} />
    </Section>
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
    <Section title="What this machine has" id="machine">
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
                        <Coded text={forPage(detail)} />
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
