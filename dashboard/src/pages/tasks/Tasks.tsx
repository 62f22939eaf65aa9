// The tasks of a project: a board by state, or the dependencies of a feature; and beside them the one that was opened.
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useDeferredValue, useEffect, useMemo, useState } from "react";
import type { Output } from "../../api/call";
import { useProjects } from "../../api/projects";
import { useRead } from "../../api/query";
import { taskViews } from "../../router";
import { Away } from "../../ui/AsOf";
import { useAhead } from "../../ui/ahead";
import { Absent } from "../../ui/NotHere";
import { Page } from "../../ui/Page";
import { Empty, Loaded, Loading } from "../../ui/State";
import ui from "../../ui/ui.module.css";
import { useStandings } from "../patch/useStandings";
import { Board } from "./Board";
import { matching, nameOf, type TaskView, wordOf } from "./board";
import { keepLast, type Listed, lastOf } from "./last";
import { RunFeature } from "./RunFeature";
import { TaskPanel } from "./TaskPanel";
import css from "./Tasks.module.css";
import { useGoing } from "./useGoing";
import { Write } from "./Write";

const route = getRouteApi("/tasks");
const loadGraph = () => import("./Graph");
const Graph = lazy(loadGraph);
const titles = { board: "Board", graph: "Graph" };

export default function Tasks() {
  const projects = useProjects();
  const { project, view } = route.useSearch();
  useAhead(loadGraph, view === "graph");
  const name = project ?? lastOf(projects.data);
  useEffect(() => {
    if (name) keepLast(name);
  }, [name]);
  // What could not be read of it while it was not on this device is read anew once it is, as its parts are shown anew.
  const away = projects.data?.find((one) => one.project.name === name && !one.head);
  return (
    <Page
      title="Tasks"
      actions={
        name && (
          <div className={css.choices}>
            <ProjectChoice project={name} projects={projects.data ?? []} />
            {!away && <Choices project={name} />}
          </div>
        )
      }
      fill
    >
      {away ? (
        <Absent view={away} />
      ) : name ? (
        <Project key={name} name={name} />
      ) : (
        <Loaded query={projects}>
          {() => (
            <Empty title="The org has no project yet">
              A git working copy becomes one: <code>meshwork project add PATH</code>.
            </Empty>
          )}
        </Loaded>
      )}
    </Page>
  );
}

function ProjectChoice({ project, projects }: { project: string; projects: readonly Listed[] }) {
  const navigate = route.useNavigate();
  if (projects.length < 2) return null;
  return (
    <select
      className={ui.input}
      aria-label="Project"
      value={project}
      onChange={(event) => void navigate({ search: { project: event.target.value } })}
    >
      {projects.map(({ project: { name }, head }) => (
        <option key={name} value={name}>
          {head ? name : `${name} (not here yet)`}
        </option>
      ))}
    </select>
  );
}

/** What is shown of a project that is on this device, and what can be written there. */
function Choices({ project }: { project: string }) {
  const { feature, view = "board" } = route.useSearch();
  const navigate = route.useNavigate();
  const shown = useRead("project.show", { project });
  const features = shown.data?.features ?? [];
  return (
    <>
      <select
        className={ui.input}
        aria-label="Feature"
        value={feature ?? ""}
        onChange={(event) =>
          void navigate({ search: (before) => ({ ...before, feature: event.target.value || undefined, task: undefined }) })
        }
      >
        <option value="">All features</option>
        {features.map(({ id, done, tasks }) => (
          <option key={id} value={id}>
            {id} ({done}/{tasks})
          </option>
        ))}
      </select>
      <fieldset className={css.views}>
        <legend className="hidden">How</legend>
        {taskViews.map((key) => (
          <button
            key={key}
            type="button"
            aria-pressed={key === view}
            onClick={() => void navigate({ search: (before) => ({ ...before, view: key === "board" ? undefined : key }) })}
          >
            {titles[key]}
          </button>
        ))}
      </fieldset>
      <Write project={project} feature={feature} />
      <RunFeature project={project} feature={feature} all={features.map(({ id }) => id)} />
    </>
  );
}

function Project({ name }: { name: string }) {
  const { feature } = route.useSearch();
  const tasks = useRead("task.list", { project: name, feature });
  const shown = useRead("project.show", { project: name });
  return (
    <>
      <Away />
      <Problems features={shown.data?.features ?? []} only={feature} />
      <Loaded query={tasks} rows={8}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No tasks here yet">
              Spec-Kit writes them to <code>specs/…/tasks.md</code> of the project's default branch; <code>meshwork feature new</code>{" "}
              begins a feature.
            </Empty>
          ) : (
            <List project={name} tasks={list} />
          )
        }
      </Loaded>
    </>
  );
}

/** What is wrong with the files: such tasks do not start. */
function Problems({ features, only }: { features: Output<"project.show">["features"]; only?: string }) {
  const problems = features.filter((f) => !only || f.id === only).flatMap((f) => f.problems.map((what) => `${f.id}: ${what}`));
  if (problems.length === 0) return null;
  return (
    <ul className={css.problems} aria-label="What is wrong with the files">
      {problems.map((what) => (
        <li key={what}>{what}</li>
      ))}
    </ul>
  );
}

function List({ project, tasks }: { project: string; tasks: TaskView[] }) {
  const { view = "board", task } = route.useSearch();
  const navigate = route.useNavigate();
  const going = useGoing(project);
  const patches = useStandings([project]);
  const word = (one: TaskView) => wordOf(one, going, patches);
  const [query, setQuery] = useState("");
  const sought = useDeferredValue(query);
  const shown = useMemo(() => matching(tasks, sought), [tasks, sought]);
  const open = (at: TaskView["at"]) =>
    void navigate({ search: (before) => ({ ...before, task: nameOf(at) }), replace: task !== undefined });
  const chosen = tasks.find((t) => nameOf(t.at) === task);
  const close = () => void navigate({ search: ({ task: _, ...rest }) => rest, replace: true });
  return (
    <div className={css.body}>
      <div className={css.left}>
        <input
          type="search"
          className={`${ui.input} ${css.filter}`}
          placeholder="Filter tasks"
          aria-label="Filter tasks"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
        {shown.length === 0 ? (
          <Empty title="No task is like that">The filter looks at ids, titles, stories and phases.</Empty>
        ) : view === "board" ? (
          <Board tasks={shown} wordOf={word} chosen={chosen} onOpen={open} />
        ) : (
          <Suspense fallback={<Loading />}>
            <Graph tasks={shown} wordOf={word} chosen={chosen} onOpen={open} />
          </Suspense>
        )}
      </div>
      {chosen && <TaskPanel at={chosen.at} onClose={close} onOpen={open} />}
    </div>
  );
}
