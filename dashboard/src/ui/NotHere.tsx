// Above what is shown of all projects: which of them it leaves out, for they are not on this device yet.
import { useProjects } from "../api/projects";

export function NotHere() {
  const { data: projects = [] } = useProjects();
  const names = projects.filter((one) => !one.head).map((one) => one.project.name);
  if (names.length === 0) return null;
  return (
    <p className="muted" role="status">
      Not on this device yet, and so not shown: {names.join(", ")}.
    </p>
  );
}
