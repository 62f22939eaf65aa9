// Which agent is to do it: asked only where there are several.
import { useState } from "react";
import { useRead } from "../../api/query";
import ui from "../../ui/ui.module.css";
import { nameOf, type TaskView } from "./board";
import { usualAgent } from "./usualAgent";

/** The chosen agent's name, and the field that chooses it. Without a name there is none to run with yet. */
export function useAgentChoice(project: string, at?: TaskView["at"]) {
  const { data: agents = [] } = useRead("agent.list", {});
  const { data: runs = [] } = useRead("run.list", { project });
  const [chosen, setChosen] = useState<string>();
  const names = agents.map(({ name }) => name);
  const agent = chosen ?? usualAgent(names, runs, at && nameOf(at));
  const field = names.length > 1 && (
    <select className={ui.input} aria-label="Agent" value={agent ?? ""} onChange={(event) => setChosen(event.target.value)}>
      {agent === undefined && (
        <option value="" disabled>
          Choose an agent
        </option>
      )}
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
  /** Several are there, and none is the usual one: the person says which. */
  return { agent, field, unsaid: agent === undefined && names.length > 1 };
}
