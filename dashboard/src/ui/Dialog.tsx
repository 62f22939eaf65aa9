// A dialog over the page; and one that asks before something that cannot be taken back.
import { Dialog as Base } from "@base-ui/react/dialog";
import { type ReactNode, useState } from "react";
import { Button, IconButton } from "./Button";
import css from "./ui.module.css";

interface Props {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
}

export function Dialog({ title, open, onClose, children }: Props) {
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={css.backdrop} />
        <Base.Popup className={css.popup}>
          <Base.Title>{title}</Base.Title>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface AskProps extends Omit<Props, "children"> {
  text: ReactNode;
  /** What the button says: the deed, not “OK”. */
  deed: string;
  onYes: () => void;
}

export function Ask({ text, deed, onYes, onClose, ...rest }: AskProps) {
  const yes = () => {
    onYes();
    onClose();
  };
  return (
    <Dialog onClose={onClose} {...rest}>
      <div className="muted">{text}</div>
      <p className={css.head}>
        <span className={css.spring} />
        <Button onClick={onClose}>Cancel</Button>
        <Button tone="danger" onClick={yes}>
          {deed}
        </Button>
      </p>
    </Dialog>
  );
}

interface AsksProps extends Omit<AskProps, "open" | "onClose"> {
  /** What the button says. */
  name: string;
  /** Shown in its place. */
  icon?: ReactNode;
  tone?: "plain";
  busy?: boolean;
}

/** A button, and the question that it asks before its deed. */
export function Asks({ name, icon, tone, busy, ...rest }: AsksProps) {
  const [open, setOpen] = useState(false);
  const ask = () => setOpen(true);
  return (
    <>
      {icon ? (
        <IconButton label={name} busy={busy} onClick={ask}>
          {icon}
        </IconButton>
      ) : (
        <Button tone={tone ?? "danger"} busy={busy} onClick={ask}>
          {name}
        </Button>
      )}
      {open && <Ask open onClose={() => setOpen(false)} {...rest} />}
    </>
  );
}
