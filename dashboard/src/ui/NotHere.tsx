// Projects that are not on this device yet, or cannot be read: above what is shown of all projects, which of them it leaves out; in place
// of what one would show, that it is not here; and why, where that is known.
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
  const missing = projects.filter((one) => !one.head);
  if (missing.length === 0) return null;
  const names = (which: Missing[]) => which.map((one) => one.project.name).join(", ");
  const [away, unread] = [missing.filter((one) => !one.problem), missing.filter((one) => one.problem)];
  const whyOf = ({ problem, absent }: Missing) => problem ?? absent ?? [];
  const whys = [...new Set(missing.flatMap(whyOf))];
  return (
    <div className="muted" role="status">
      {away.length > 0 && <p>Not on this device yet, and so not shown: {names(away)}.</p>}
      {unread.length > 0 && <p>Not readable, and so not shown: {names(unread)}.</p>}
      {whys.length > 0 && (
        <ul className={css.whys} aria-label="Why they are not here">
          {whys.slice(0, WHYS_MAX).map((why) => (
            <li key={why}>
              <b>{names(missing.filter((one) => whyOf(one) === why))}</b>: <Coded text={forPage(why)} />
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
