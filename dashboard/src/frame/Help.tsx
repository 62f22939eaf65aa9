// What `?` shows.
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import ui from "../ui/ui.module.css";
import css from "./Help.module.css";
import { usePlaces } from "./nav";

const keys: [string, string][] = [
  ["Ctrl K", "Find or do anything"],
  ["j  k", "Next, previous row of a list"],
  ["Enter", "Open the row, or go to its first button"],
  ["n  p", "Next, previous file of a diff"],
  ["/", "Search on this page"],
  ["?", "This list"],
  ["Esc", "Close what is on top"],
];

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const places = usePlaces();
  return (
    <Dialog title="Keyboard shortcuts" open={open} onClose={onClose}>
      <dl className={css.keys}>
        {[...keys, ...places.map(({ key, title }): [string, string] => [`g  ${key}`, `Go to ${title}`])].map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split("  ").map((part) => (
                <kbd key={part} className={ui.kbd}>
                  {part}
                </kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className={ui.head}>
        <span className={ui.spring} />
        <Button onClick={onClose}>Close</Button>
      </p>
    </Dialog>
  );
}
