// Where a task runs or would, and why not elsewhere: every device with what placement says of it, and what it said when it was asked.
import { Link } from "@tanstack/react-router";
import type { Output, Schemas } from "../api/call";
import { useRead } from "../api/query";
import { Badge } from "./Badge";
import { Coded } from "./Coded";
import { Loaded } from "./State";
import ui from "./ui.module.css";
import css from "./Verdicts.module.css";
import { inOrder, type Why, wordOf } from "./verdicts";
import { useWho, withNames } from "./Who";
import { bytes, plural } from "./words";

/** What devices have free changes without an event. */
const LOOK_EVERY_MS = 10_000;

interface Props {
  at: Schemas["TaskRef"];
  /** Who would do it, where the task has no run yet. */
  agent?: string;
  /** Leads to the map, where that is not on the same page. */
  map?: boolean;
}

export const useWhy = ({ at, agent }: Props, enabled = true) =>
  useRead("task.why", { ...at, agent }, { refetchInterval: LOOK_EVERY_MS, enabled });

export function Verdicts({ map, ...of }: Props) {
  const why = useWhy(of);
  return (
    <Loaded query={why} rows={2}>
      {(found) => (
        <>
          <List why={found} />
          <p className={`${css.needs} muted`}>
            {needs(found)}
            {map && (
              <Link to="/mesh" search={{ task: `${of.at.project}/${of.at.feature}/${of.at.task}` }} className="link">
                On the map
              </Link>
            )}
          </p>
        </>
      )}
    </Loaded>
  );
}

function List({ why }: { why: Why }) {
  const who = useWho();
  return (
    <ul className={`${ui.rows} ${css.list}`}>
      {inOrder(why).map((one) => (
        <li key={one.device} className={`${ui.row} ${css.row}`}>
          <span className={css.who}>
            <b>{one.name}</b> <span className="muted">{one.here ? "this device" : `of ${one.owner}`}</span>
          </span>
          <Badge word={wordOf(one, why)} />
          <span className={`${css.why} muted`}>
            <Coded text={withNames(one.why, who)} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function needs({ resources: { cpu_milli, memory_bytes, disk_bytes, gpus }, tags }: Output<"task.why">): string {
  const facts = [
    plural(cpu_milli / 1_000, "core"),
    `${bytes(memory_bytes)} memory`,
    `${bytes(disk_bytes)} disk`,
    gpus > 0 && plural(gpus, "GPU"),
    ...Object.entries(tags).map(([tag, value]) => `${tag}:${value}`),
  ];
  return `It needs ${facts.filter(Boolean).join(", ")}. `;
}
