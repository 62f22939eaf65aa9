// What is shown where. Reads as a table of contents; each page is a chunk of its own.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { problemOf } from "./api/call";
import { Frame } from "./frame/Frame";
import { Page } from "./ui/Page";
import { Loading, ProblemView } from "./ui/State";

const root = createRootRoute({ component: Frame });
const getParentRoute = () => root;

const one = <K extends string>(value: unknown, known: readonly K[]): K | undefined => known.find((k) => k === value);
const number = (value: unknown): number | undefined => (Number.isInteger(value) && Number(value) > 0 ? Number(value) : undefined);
const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

// What stands in an address after the `?`.
interface TaskSearch {
  project?: string;
  feature?: string;
  view?: (typeof taskViews)[number];
  /** `feature/T004`: the task that is opened beside the board. */
  task?: string;
}
interface RunsSearch {
  state?: string;
  all?: true;
}
interface MembersSearch {
  tab?: (typeof memberTabs)[number];
}
interface MeshSearch {
  /** `project/feature/T004`: where that task may run is shown. */
  task?: string;
}
interface JournalSearch {
  tab?: (typeof journalTabs)[number];
  text?: string;
  /** Whose journal, by the device's key; this device's where nothing is said. */
  device?: string;
}
interface RunSearch {
  tab?: (typeof runTabs)[number];
}

interface PatchesSearch {
  state?: (typeof patchStates)[number];
  project?: string;
}
interface PatchSearch {
  project?: string;
  tab?: (typeof patchTabs)[number];
  /** Which revision, and since which, from 1. */
  rev?: number;
  since?: number;
  /** A line: `new:12:src/main.rs`. */
  at?: string;
}

export const patchStates = ["waits", "open", "merged", "closed", "all"] as const;
export const patchTabs = ["overview", "changes"] as const;
export const journalTabs = ["events", "copies"] as const;
export const memberTabs = ["people", "rights", "stops"] as const;
export const runTabs = ["log", "changes", "where", "about"] as const;
export const taskViews = ["board", "graph"] as const;

const routes = [
  createRoute({ getParentRoute, path: "/", component: lazyRouteComponent(() => import("./pages/home/Home")) }),
  createRoute({
    getParentRoute,
    path: "/tasks",
    component: lazyRouteComponent(() => import("./pages/tasks/Tasks")),
    validateSearch: (search): TaskSearch => ({
      project: text(search.project),
      feature: text(search.feature),
      view: one(search.view, taskViews),
      task: text(search.task),
    }),
  }),
  createRoute({
    getParentRoute,
    path: "/runs",
    component: lazyRouteComponent(() => import("./pages/runs/Runs")),
    validateSearch: (search): RunsSearch => ({ state: text(search.state), all: search.all === true || undefined }),
  }),
  createRoute({
    getParentRoute,
    path: "/runs/$run",
    component: lazyRouteComponent(() => import("./pages/run/RunPage")),
    validateSearch: (search): RunSearch => ({ tab: one(search.tab, runTabs) }),
  }),
  createRoute({ getParentRoute, path: "/projects", component: lazyRouteComponent(() => import("./pages/projects/Projects")) }),
  createRoute({
    getParentRoute,
    path: "/mesh",
    component: lazyRouteComponent(() => import("./pages/mesh/Mesh")),
    validateSearch: (search): MeshSearch => ({ task: text(search.task) }),
  }),
  createRoute({ getParentRoute, path: "/agents", component: lazyRouteComponent(() => import("./pages/agents/Agents")) }),
  createRoute({
    getParentRoute,
    path: "/members",
    component: lazyRouteComponent(() => import("./pages/members/Members")),
    validateSearch: (search): MembersSearch => ({ tab: one(search.tab, memberTabs) }),
  }),
  createRoute({
    getParentRoute,
    path: "/journal",
    component: lazyRouteComponent(() => import("./pages/journal/Journal")),
    validateSearch: (search): JournalSearch => ({
      tab: one(search.tab, journalTabs),
      text: text(search.text),
      device: text(search.device),
    }),
  }),
  createRoute({ getParentRoute, path: "/credentials", component: lazyRouteComponent(() => import("./pages/credentials/Credentials")) }),
  createRoute({ getParentRoute, path: "/settings", component: lazyRouteComponent(() => import("./pages/settings/Settings")) }),
  createRoute({
    getParentRoute,
    path: "/patches",
    component: lazyRouteComponent(() => import("./pages/patches/Patches")),
    validateSearch: (search): PatchesSearch => ({ state: one(search.state, patchStates), project: text(search.project) }),
  }),
  createRoute({
    getParentRoute,
    path: "/patches/$patch",
    component: lazyRouteComponent(() => import("./pages/patch/PatchPage")),
    validateSearch: (search): PatchSearch => ({
      project: text(search.project),
      tab: one(search.tab, patchTabs),
      rev: number(search.rev),
      since: number(search.since),
      at: text(search.at),
    }),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: "intent",
  defaultPendingComponent: () => (
    <Page title="Loading">
      <Loading />
    </Page>
  ),
  defaultErrorComponent: ({ error, reset }) => (
    <Page title="This page cannot be shown">
      <ProblemView problem={problemOf(error)} retry={reset} />
    </Page>
  ),
  defaultNotFoundComponent: () => (
    <Page title="Nothing here">
      <ProblemView problem={{ kind: "not_found", what: "There is no page at this address.", next: "Ctrl K finds what there is." }} />
    </Page>
  ),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
