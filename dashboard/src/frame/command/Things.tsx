// Links to what an answer is about, each with its state as it is now.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/call";
import { useRead } from "../../api/query";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { taskLink } from "../../ui/links";
import { runWord, standingWords, taskWord, type Word } from "../../ui/words";
import css from "./CommandBar.module.css";

type Item = Schemas["CommandItem"];

/** With more, the rest is shown when it is wanted. */
const SHOWN = 8;

export function Things({ items, onGo }: { items: readonly Item[]; onGo: () => void }) {
  const [all, setAll] = useState(false);
  const shown = all ? items : items.slice(0, SHOWN);
  if (items.length === 0) return null;
  return (
    <>
      <ul className={css.things}>
        {shown.map((item) => (
          <li key={`${item.kind} ${item.project} ${item.feature} ${item.id}`}>
            <Thing item={item} onGo={onGo} />
          </li>
        ))}
      </ul>
      {items.length > shown.length && (
        <Button tone="plain" onClick={() => setAll(true)}>
          Show {items.length - shown.length} more
        </Button>
      )}
    </>
  );
}

function Thing({ item, onGo }: { item: Item; onGo: () => void }) {
  const word = useStateNow(item);
  return (
    <Link {...target(item)} className={css.thing} onClick={onGo}>
      <span className={css.label}>{item.label}</span>
      {word ? <Badge word={word} /> : <span className="muted">{item.detail}</span>}
    </Link>
  );
}

function target({ kind, id, project, feature }: Item) {
  const of = project ?? undefined;
  switch (kind) {
    case "run":
      return { to: "/runs/$run", params: { run: id } } as const;
    case "patch":
      return { to: "/patches/$patch", params: { patch: id }, search: { project: of } } as const;
    case "task":
      return taskLink({ project: of, feature: feature ?? undefined, task: id });
    case "feature":
      return { to: "/tasks", search: { project: of, feature: id } } as const;
    case "project":
      return { to: "/tasks", search: { project: id } } as const;
    case "agent":
      return { to: "/agents" } as const;
    case "device":
      return { to: "/mesh" } as const;
  }
}

/** The state of a thing, as the page knows it now: what was answered a while ago goes on. */
function useStateNow({ kind, id, project, feature }: Item): Word | undefined {
  const of = { project: project ?? undefined };
  const known = (what: Item["kind"]) => ({ enabled: kind === what && project !== null });
  const runs = useRead("run.list", { all: true }, { enabled: kind === "run" });
  const tasks = useRead("task.list", of, known("task"));
  const patches = useRead("patch.list", of, known("patch"));
  const run = runs.data?.find((one) => one.id === id);
  if (run) return runWord(run);
  const task = tasks.data?.find(({ at }) => at.task === id && at.feature === feature);
  if (task) return taskWord(task.state);
  const patch = patches.data?.find((one) => one.id === id);
  return patch && standingWords[patch.standing];
}
