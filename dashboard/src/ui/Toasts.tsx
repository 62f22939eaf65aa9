// Short words about what was done, or could not be done.
import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import css from "./Toasts.module.css";
import ui from "./ui.module.css";

interface Note {
  tone: "good" | "bad";
  title: string;
  text?: string;
  /** What comes next, as a button. */
  deed?: { name: string; go: () => void };
  /** It is about the page that is shown, and goes with it. */
  here?: boolean;
}

const manager = Toast.createToastManager();

export function notify({ tone, title, text, deed, here }: Note): void {
  const timeout = tone === "bad" || text || deed ? 12_000 : 5_000;
  const go = () => {
    manager.close(id);
    deed?.go();
  };
  const actionProps = deed && { children: deed.name, onClick: go };
  const id = manager.add({ title, description: text, type: tone, timeout, priority: tone === "bad" ? "high" : "low", actionProps });
  if (here) ofPage.push(id);
}

/** Toasts that go with the page. */
const ofPage: string[] = [];

/** Another page is shown. */
export function leavePage(): void {
  for (const id of ofPage.splice(0)) manager.close(id);
}

export function Toasts() {
  return (
    <Toast.Provider toastManager={manager} limit={4}>
      <Toast.Portal>
        <Toast.Viewport className={css.viewport}>
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  return Toast.useToastManager().toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className={css.toast}>
      <Toast.Title className={css.title} />
      <Toast.Description className={css.text} />
      <Toast.Action className={`${ui.button} ${css.deed}`} />
      <Toast.Close className={css.close} aria-label="Dismiss" data-tip="Dismiss">
        <X size={14} />
      </Toast.Close>
    </Toast.Root>
  ));
}
