// How important a run is to be: most are as most work.
import type { Schemas } from "../../api/call";
import ui from "../../ui/ui.module.css";
import { priorities } from "../../ui/words";

export type Priority = Schemas["Priority"];

export function PriorityChoice({ value, onChange }: { value: Priority; onChange: (priority: Priority) => void }) {
  return (
    <select
      className={ui.input}
      aria-label="Priority"
      title="The higher goes first, and displaces the lower where there is no room"
      value={value}
      onChange={(event) => onChange(event.target.value as Priority)}
    >
      {Object.entries(priorities).map(([key, title]) => (
        <option key={key} value={key}>
          {title} priority
        </option>
      ))}
    </select>
  );
}
