// Says that a newer revision has come, and shows it once the reader wants it.
import { Button } from "../../ui/Button";
import css from "./Patch.module.css";

export function Newer({ number, onShow }: { number: number; onShow: () => void }) {
  return (
    <div className={css.newer} role="status">
      <span>Revision {number} has arrived. You still see the one before it.</span>
      <Button tone="primary" onClick={onShow}>
        Show revision {number}
      </Button>
    </div>
  );
}
