// Everything that the command bar finds. A page that brings things to find adds its source here.
import { useQueries } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useMemo } from "react";
import { useProjects } from "../api/projects";
import { read, useMay, useRead } from "../api/query";
import { taskLink } from "../ui/links";
import { runWord, shortOid, shortRun, standingWords, taskWord } from "../ui/words";
import { usePlaces } from "./nav";
import type { Found } from "./rank";
import { setTheme } from "./theme";

export function useFindable(): Found[] {
  const { navigate } = useRouter();
  const places = usePlaces();
  const { data: runs = [] } = useRead("run.list", { all: true });
  const { data: projects = [] } = useProjects();
  const { data: agents = [] } = useRead("agent.list", {});
  const { data: org } = useRead("org.show", {});
  const names = projects.map((p) => p.project.name);
  const here = projects.filter((p) => p.head).map((p) => p.project.name);
  const boards = useQueries({ queries: here.map((project) => read("task.list", { project })) });
  const lists = useQueries({ queries: here.map((project) => read("patch.list", { project })) });
  const patches = useMemo(() => lists.flatMap((l) => l.data ?? []), [lists]);
  const tasks = useMemo(() => boards.flatMap((b) => b.data ?? []), [boards]);

  const stops = useMay("run.stop");
  const lends = useMay("device.reclaim");

  return useMemo(() => {
    const found: Found[] = places.map((p) => ({
      id: p.to,
      kind: "Page",
      title: p.title,
      hint: `g ${p.key}`,
      go: () => void navigate({ to: p.to }),
    }));
    const board = (search: { project: string; feature?: string }) => () => void navigate({ to: "/tasks", search });
    for (const name of names) found.push({ id: `project ${name}`, kind: "Project", title: name, go: board({ project: name }) });
    const features = new Set<string>();
    for (const { at, task, state } of tasks) {
      const where = `${at.project} ${at.feature}`;
      if (!features.has(where)) {
        features.add(where);
        found.push({
          id: `feature ${where}`,
          kind: "Feature",
          title: at.feature,
          hint: at.project,
          go: board({ project: at.project, feature: at.feature }),
        });
      }
      found.push({
        id: `task ${where} ${at.task}`,
        kind: "Task",
        title: `${at.task} ${task.title}`,
        hint: `${taskWord(state).text} · ${at.feature}`,
        go: () => void navigate(taskLink(at)),
      });
    }
    for (const patch of patches) {
      const { id, title, project } = patch;
      found.push({
        id: `patch ${id}`,
        kind: "Patch",
        title,
        hint: `${standingWords[patch.standing].text} · ${shortOid(id)}`,
        go: () => void navigate({ to: "/patches/$patch", params: { patch: id }, search: { project } }),
      });
    }
    for (const run of runs) {
      found.push({
        id: `run ${run.id}`,
        kind: run.class === "agent" ? "Run" : "Check",
        title: `${run.task?.task ?? "Checks"} · run ${shortRun(run.id)}`,
        hint: [runWord(run).text, run.agent, run.project].filter(Boolean).join(" · "),
        go: () => void navigate({ to: "/runs/$run", params: { run: run.id } }),
      });
    }
    for (const { name, engine } of agents) {
      found.push({ id: `agent ${name}`, kind: "Agent", title: name, hint: engine.kind, go: () => void navigate({ to: "/agents" }) });
    }
    for (const { name, owner } of org?.devices ?? []) {
      found.push({ id: `device ${name}`, kind: "Device", title: name, hint: owner, go: () => void navigate({ to: "/mesh" }) });
    }
    const members = (tab?: "rights" | "stops") => () => void navigate({ to: "/members", search: { tab } });
    for (const { name, roles } of org?.members ?? []) {
      found.push({ id: `member ${name}`, kind: "Member", title: name, hint: roles.join(", "), go: members() });
    }
    found.push({ id: "rights", kind: "Page", title: "Rights", hint: "who may what", go: members("rights") });
    found.push({ id: "stops", kind: "Page", title: "Stop orders", go: members("stops") });
    if (stops) {
      const says = "stop everything";
      found.push({ id: says, kind: "Do", title: "Stop everything", hint: "ends all runs; it asks first", says, go: () => undefined });
    }
    if (lends) {
      const deed = (says: string, title: string, hint: string) =>
        found.push({ id: says, kind: "Do", title, hint, says, go: () => undefined });
      deed("take this machine back", "Take this machine back", "sends guests away; it asks first");
      deed("lend this machine", "Lend this machine", "takes guests again; it asks first");
    }
    for (const theme of ["system", "light", "dark"] as const) {
      found.push({
        id: `look ${theme}`,
        kind: "Look",
        title: theme === "system" ? "Look as the system" : `Look ${theme}`,
        go: () => setTheme(theme),
      });
    }
    return found;
  }, [places, runs, names, tasks, patches, agents, org, stops, lends, navigate]);
}
