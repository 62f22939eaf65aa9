// Projects that are not on this device yet: above what is shown of all projects, which of them it leaves out; in place of what one would
// show, that it is not here; and why, where that is known.
import { Link } from "@tanstack/react-router";
import { useProjects } from "../api/projects";
import { Coded } from "./Coded";
import css from "./NotHere.module.css";
import { Empty } from "./State";
import { forPage } from "./words";

/** So many reasons are told; the page Projects has them all. */
const WHYS_MAX = 3;

export function NotHere() {
  const { data: projects = [] } = useProjects();
  const away = projects.filter((one) => !one.head && !one.problem);
  if (away.length === 0) return null;
  const names = (which = away) => which.map((one) => one.project.name).join(", ");
  const whys = [...new Set(away.flatMap(({ absent }) => absent ?? []))];
  return (
    <div className="muted" role="status">
      <p>Not on this device yet, and so not shown: {names()}.</p>
      {whys.length > 0 && (
        <ul className={css.whys} aria-label="Why they are not here">
          {whys.slice(0, WHYS_MAX).map((why) => (
            <li key={why}>
              <b>{names(away.filter(({ absent }) => absent === why))}</b>: <Coded text={forPage(why)} />
            </li>
          ))}
        </ul>
      )}
      {whys.length > WHYS_MAX && (
        <Link to="/projects" className="link">
          Why each is not here
        </Link>
      )}
    </div>
  );
}

interface Missing {
  project: { name: string };
  absent?: string | null;
  problem?: string | null;
}

/** In place of what a project would show while it is not on this device, or cannot be read. */
export function Absent({ view: { project, absent, problem } }: { view: Missing }) {
  if (problem)
    return (
      <div role="status">
        <Empty title={`${project.name} cannot be read`}>
          <Coded text={forPage(problem)} />
        </Empty>
      </div>
    );
  return (
    <div role="status">
      <Empty title={`${project.name} is not on this device yet`}>
        It comes from the devices that have it. {absent && <Coded text={forPage(absent)} />}{" "}
        <Link to="/mesh" className="link">
          The devices
        </Link>
      </Empty>
    </div>
  );
}
