// The devices in a list: whose each is, whether it answers, what it is, what runs there; halting it, taking it out of the org.
import { Link } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import type { Output } from "../../api/call";
import { useAct, useMay, useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Asks } from "../../ui/Dialog";
import { useHalt } from "../../ui/stop/Halt";
import { Table } from "../../ui/Table";
import { Ago } from "../../ui/Time";
import { bytes, plural, shortDid } from "../../ui/words";
import { Describe } from "./Describe";
import { answersIn, type Device, goingOn, reachWord } from "./devices";
import { borrows, sensed } from "./lending";
import css from "./Mesh.module.css";

type Pod = Output<"device.pods">[number];
type Room = Output<"device.capacity">[number];

/** How often it is looked what other devices announce. */
const ROOM_EVERY_MS = 5_000;
/** So many runs of a device are named in its line. */
const NAMED_MAX = 4;

export function Devices({ devices, pods }: { devices: Device[]; pods: Pod[] }) {
  const { data: org } = useRead("org.show", {});
  // What other devices announce comes by gossip, and no event tells of it.
  const { data: rooms = [] } = useRead("device.capacity", {}, { refetchInterval: ROOM_EVERY_MS });
  const { data: runs = [] } = useRead("run.list", {});
  const may = useMay("device.remove");
  const remove = useAct("device.remove");
  const halt = useHalt();
  const listed = new Map(org?.devices.map((device) => [device.did, device]));
  const describe = (did: string) => {
    const device = listed.get(did);
    return device && <Describe device={device} />;
  };
  const roomOf = new Map(rooms.map((room) => [room.device, room]));
  const scopeOf = ({ name, did }: Device) => ({ what: "device", name, device: did }) as const;
  return (
    <Table
      label="Devices"
      rows={devices}
      keyOf={({ did }) => did}
      columns={[
        {
          title: "Device",
          cell: (device) => (
            <span className={css.two}>
              <b>{device.name}</b>
              <span className="muted">
                of {device.owner} <code title={device.did}>{shortDid(device.did)}</code>
              </span>
              {halt.badge(scopeOf(device))}
            </span>
          ),
        },
        { title: "Reached", cell: (device) => <Reached device={device} room={roomOf.get(device.did)} /> },
        { title: "Tags", cell: ({ did }) => <Tags promised={listed.get(did)?.tags ?? {}} own={roomOf.get(did)?.capacity?.tags ?? {}} /> },
        { title: "Free", cell: ({ did }) => <Free room={roomOf.get(did)} /> },
        { title: "Who may borrow", cell: ({ did }) => <Borrow room={roomOf.get(did)} /> },
        { title: "Runs", cell: (device) => <Runs all={goingOn(device, pods, runs)} none={device.here ? "none" : "none known here"} /> },
        {
          title: "Change",
          end: true,
          cell: (device) => (
            <>
              {describe(device.did)}
              {halt.icon(scopeOf(device))}
              {may && !device.here && (
                <Asks
                  name={`Remove ${device.name}`}
                  icon={<Trash2 size={14} aria-hidden />}
                  title={`Remove ${device.name}?`}
                  text="It may read and do nothing of the org any more. To come back it needs a new ticket and new keys. If its keys were stolen, use “meshwork org remove --device --lost”."
                  deed={`Remove ${device.name}`}
                  onYes={() => remove.mutate({ name: device.name })}
                />
              )}
            </>
          ),
        },
      ]}
    />
  );
}

function Reached({ device, room }: { device: Device; room?: Room }) {
  const silent = !device.reachable && !device.halted && device.heard_at == null;
  const took = device.here ? undefined : answersIn(room?.round_trip_ms);
  return (
    <span className={css.two}>
      <Badge word={reachWord(device)} />
      {took && <span className="muted number">{took}</span>}
      {!device.here && (
        <span className="muted">
          {device.seen_at ? (
            <>
              last seen <Ago at={device.seen_at} />
            </>
          ) : (
            "never seen from here"
          )}
        </span>
      )}
      {device.reachable && !device.radicle_connected && <span className="muted">Radicle not connected yet</span>}
      {device.halted && <span className="muted">a stop order halts {device.halted}</span>}
      {silent && <span className="muted">no answer since meshwork up began here</span>}
      {device.problem && <span className="muted">{device.problem}</span>}
      {device.addresses.map((one) => (
        <code key={one}>{one}</code>
      ))}
    </span>
  );
}

/** The org's promises; and what else a device says of itself, which promises nothing. */
function Tags({ promised, own: all }: { promised: Record<string, string>; own: Record<string, string> }) {
  const own = Object.fromEntries(Object.entries(all).filter(([name]) => !(name in promised)));
  const tags = (all: Record<string, string>) => Object.entries(all).map(([name, value]) => <code key={name}>{`${name}:${value}`}</code>);
  return (
    <>
      {tags(promised)}
      {Object.keys(own).length > 0 && (
        <span className={`${css.two} muted`}>
          <span>by its own word</span> {tags(own)}
        </span>
      )}
    </>
  );
}

function Free({ room }: { room?: Room }) {
  if (!room?.capacity) return <span className="muted">not known here</span>;
  const { free, runtimes, slots, slots_free } = room.capacity;
  const facts = [
    `${slots_free} of ${plural(slots, "run")}`,
    plural(free.cpu_milli / 1_000, "core"),
    `${bytes(free.memory_bytes)} memory`,
    `${bytes(free.disk_bytes)} disk`,
    free.gpus > 0 && plural(free.gpus, "GPU"),
  ];
  return (
    <span className={css.two}>
      <span className={`${css.free} number`}>{facts.filter(Boolean).join(", ")}</span>
      {runtimes.length === 0 && <span className="muted">No sandbox works on it, so it gets no runs: see “meshwork doctor” there.</span>}
      {room.state !== "here" && room.at && (
        <span className="muted">
          {room.state === "suspected" && "not heard of now; "}as of <Ago at={room.at} />
        </span>
      )}
    </span>
  );
}

/** By its lend policy, and what its sensors saw; stop orders and rights count beside it. */
function Borrow({ room }: { room?: Room }) {
  if (!room?.capacity) return <span className="muted">not known</span>;
  const { word, text } = borrows(room);
  return (
    <span className={css.two}>
      <Badge word={word} />
      {[text, ...sensed(room.condition)].filter(Boolean).map((fact) => (
        <span key={fact} className="muted">
          {fact}
        </span>
      ))}
    </span>
  );
}

function Runs({ all, none }: { all: ReturnType<typeof goingOn>; none: string }) {
  if (all.length === 0) return <span className="muted">{none}</span>;
  return (
    <span className={css.two}>
      {all.slice(0, NAMED_MAX).map(({ run, name }) => (
        <Link key={run} to="/runs/$run" params={{ run }} className="link">
          {name}
        </Link>
      ))}
      {all.length > NAMED_MAX && <span className="muted">and {all.length - NAMED_MAX} more</span>}
    </span>
  );
}
