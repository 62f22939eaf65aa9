// The command bar: finds anything. What the program makes of a sentence has its place above the list.
import { Dialog } from "@base-ui/react/dialog";
import { type KeyboardEvent, useDeferredValue, useEffect, useRef, useState } from "react";
import ui from "../ui/ui.module.css";
import css from "./CommandBar.module.css";
import { type Found, rank } from "./rank";
import { useFindable } from "./sources";

const SHOWN_MAX = 40;

export default function CommandBar({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const all = useFindable();
  const shown = rank(useDeferredValue(text), all, SHOWN_MAX);
  const chosen = shown[Math.min(at, shown.length - 1)];

  useEffect(() => {
    list.current?.querySelector(`#${CSS.escape(optionId(chosen))}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  const go = (item: Found | undefined) => {
    if (!item) return;
    onClose();
    item.go();
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter") go(chosen);
    else if (event.key === "ArrowDown") setAt(Math.min(at + 1, shown.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else return;
    event.preventDefault();
  };

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={ui.backdrop} />
        <Dialog.Popup className={css.bar} aria-label="Command bar">
          <input
            className={css.input}
            role="combobox"
            aria-expanded
            aria-controls="found"
            aria-autocomplete="list"
            aria-activedescendant={chosen && optionId(chosen)}
            aria-label="Find or do anything"
            placeholder="Find a task, a run, a page …"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setAt(0);
            }}
            onKeyDown={press}
            spellCheck={false}
            autoComplete="off"
          />
          <div id="found" ref={list} className={css.list} role="listbox" aria-label="Found">
            {shown.map((item) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keyboard
              <div
                key={item.id}
                id={optionId(item)}
                role="option"
                tabIndex={-1}
                aria-selected={item === chosen}
                className={css.item}
                onClick={() => go(item)}
                onMouseMove={() => setAt(shown.indexOf(item))}
              >
                <span className={css.kind}>{item.kind}</span>
                <span className="clip">{item.title}</span>
                {item.hint && <span className={`${css.hint} clip`}>{item.hint}</span>}
              </div>
            ))}
            {shown.length === 0 && <p className={css.none}>Nothing is called that.</p>}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

const optionId = (item: Found | undefined): string => `found-${item?.id.replace(/[^\w-]/g, "_") ?? ""}`;
