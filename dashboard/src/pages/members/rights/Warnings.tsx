// What is in order, and would leave nobody a right.
import ui from "../../../ui/ui.module.css";

export function Warnings({ title, warnings }: { title: string; warnings: readonly string[] }) {
  return (
    <div className={`${ui.state} ${ui.problem}`} role="alert">
      <strong>{title}</strong>
      {warnings.map((one) => (
        <p key={one}>{one}</p>
      ))}
    </div>
  );
}
