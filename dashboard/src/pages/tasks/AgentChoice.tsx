// Which agent is to do it: asked only where there are several.
import { useState } from "react";
import { useRead } from "../../api/query";
import ui from "../../ui/ui.module.css";

/** The chosen agent's name, and the field that chooses it. */
export function useAgentChoice() {
  const { data: agents = [] } = useRead("agent.list", {});
  const [chosen, setChosen] = useState<string>();
  const agent = chosen ?? agents[0]?.name;
  const field = agents.length > 1 && (
    <select className={ui.input} aria-label="Agent" value={agent} onChange={(event) => setChosen(event.target.value)}>
      {agents.map(({ name }) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
  return { agent, field };
}
