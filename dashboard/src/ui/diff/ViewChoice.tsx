// One column, or side by side.
import { Columns2, Rows2 } from "lucide-react";
import { IconButton } from "../Button";
import type { View } from "./Diff";

export function ViewChoice({ view, onChange }: { view: View; onChange: (view: View) => void }) {
  return (
    <span>
      <IconButton label="In one column" aria-pressed={view === "unified"} onClick={() => onChange("unified")}>
        <Rows2 size={15} />
      </IconButton>
      <IconButton label="Side by side" aria-pressed={view === "split"} onClick={() => onChange("split")}>
        <Columns2 size={15} />
      </IconButton>
    </span>
  );
}
