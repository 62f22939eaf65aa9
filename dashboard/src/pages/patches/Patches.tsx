// All patches: what waits for me, and all else, by project.

import { useQueries } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type Output, problemOf } from "../../api/call";
import { useProjects } from "../../api/projects";
import { read, useMay, useSession } from "../../api/query";
import { patchStates } from "../../router";
import { AsOf, Away } from "../../ui/AsOf";
import { toldBy } from "../../ui/asOf";
import { Badge } from "../../ui/Badge";
import line from "../../ui/Line.module.css";
import { Absent, NotHere } from "../../ui/NotHere";
import { Page } from "../../ui/Page";
import { Empty, Loading, ProblemView } from "../../ui/State";
import { Ago } from "../../ui/Time";
import ui from "../../ui/ui.module.css";
import { plural, standingWords } from "../../ui/words";
import { bareTitle, changedAt, waitsFor } from "../patch/facts";
import css from "./Patches.module.css";

type Patch = Output<"patch.list">[number];

const route = getRouteApi("/patches");

type Which = (typeof patchStates)[number];

const titles: Record<Which, string> = { waits: "Waits for you", open: "Open", merged: "Merged", closed: "Closed", all: "All" };

export default function Patches() {
  const { state = "open", project } = route.useSearch();
  const patches = usePatches();
  const keeps = useKeeps();
  const away = patches.projects.find((one) => one.project.name === project && !one.head);
  const here = away ? undefined : patches.list?.filter((patch) => !project || patch.project === project);
  const shown = here?.filter((patch) => keeps(state, patch));
  return (
    <Page title="Patches" actions={<Project projects={patches.projects} chosen={project} />}>
      <nav className={ui.tabs} aria-label="Which patches">
        {patchStates.map((which) => (
          <Link
            key={which}
            to="/patches"
            search={{ state: which === "open" ? undefined : which, project }}
            className={ui.tab}
            data-active={which === state || undefined}
            aria-current={which === state ? "page" : undefined}
          >
            {titles[which]}
            {here && <span className={css.count}>{here.filter((patch) => keeps(which, patch)).length}</span>}
          </Link>
        ))}
      </nav>
      <Away />
      {!project && <NotHere />}
      {away && <Absent view={away} />}
      {!away && patches.problem && <ProblemView problem={patches.problem} retry={patches.retry} />}
      {!away && !shown && !patches.problem && <Loading rows={6} />}
      {shown && !(patches.problem && shown.length === 0) && <List patches={shown} state={state} any={(here?.length ?? 0) > 0} />}
    </Page>
  );
}

function usePatches() {
  const projects = useProjects();
  // Of a project that is not on this device yet there are none to read.
  const names = projects.data?.filter((one) => one.head).map((one) => one.project.name) ?? [];
  return useQueries({
    queries: names.map((project) => read("patch.list", { project })),
    combine: (reads) => {
      const failed = projects.error ?? reads.find((one) => one.error)?.error;
      const known = projects.data && reads.every((one) => one.data || one.error);
      return {
        projects: projects.data ?? [],
        list: known ? reads.flatMap((one) => one.data ?? []).sort((a, b) => changedAt(b) - changedAt(a)) : undefined,
        problem: failed ? problemOf(failed) : undefined,
        retry: () => void Promise.all([projects.refetch(), ...reads.map((one) => one.refetch())]),
      };
    },
  });
}

function useKeeps(): (which: Which, patch: Patch) => boolean {
  const { data: session } = useSession();
  const me = { key: session?.member ?? null, reviews: useMay("patch.review"), merges: useMay("patch.merge"), runs: useMay("task.run") };
  return (which, patch) => {
    if (which === "waits") return waitsFor(patch, me);
    if (which === "open") return patch.state === "open" || patch.state === "draft";
    if (which === "closed") return patch.state === "archived";
    return which === "all" || patch.state === which;
  };
}

function Project({ projects, chosen }: { projects: Output<"project.list">; chosen?: string }) {
  const navigate = route.useNavigate();
  if (projects.length < 2) return null;
  return (
    <label>
      <span className="muted">Project </span>
      <select
        className={ui.input}
        value={chosen ?? ""}
        onChange={(event) => void navigate({ search: (old) => ({ ...old, project: event.target.value || undefined }) })}
      >
        <option value="">All</option>
        {projects.map(({ project: { name }, head }) => (
          <option key={name} value={name}>
            {head ? name : `${name} (not here yet)`}
          </option>
        ))}
      </select>
    </label>
  );
}

function List({ patches, state, any }: { patches: Patch[]; state: Which; any: boolean }) {
  if (patches.length === 0) {
    const title = { waits: "No patch waits for you", open: "No patch is open", merged: "None is merged yet", closed: "None was closed" };
    return (
      <Empty title={state === "all" || !any ? "There are no patches yet" : title[state]}>
        {any ? "The other lists have some." : "A run ends with one: give a task to an agent on the tasks page."}
      </Empty>
    );
  }
  return (
    <div className={ui.rows}>
      {patches.map((patch) => (
        <Row key={patch.id} patch={patch} />
      ))}
    </div>
  );
}

function Row({ patch }: { patch: Patch }) {
  const { trace, revisions } = patch;
  return (
    <Link
      to="/patches/$patch"
      params={{ patch: patch.id }}
      search={{ project: patch.project }}
      className={`${ui.row} ${line.line} ${css.patch}`}
      data-row
    >
      <span className={line.state}>
        <Badge word={standingWords[patch.standing]} />
      </span>
      <span className={line.what}>
        {trace && <b>{trace.task.task}</b>}
        <span className={`${css.title} clip`}>{bareTitle(patch)}</span>
      </span>
      <AsOf known={toldBy(patch.whose)} short />
      <span className={`${line.fact} muted clip`}>{trace?.agent ?? "by hand"}</span>
      <span className={`${line.fact} muted clip`}>{patch.project}</span>
      <span className={`${line.number} muted number`}>{plural(revisions.length, "revision")}</span>
      <span className={line.when}>
        <Ago at={changedAt(patch)} />
      </span>
    </Link>
  );
}
