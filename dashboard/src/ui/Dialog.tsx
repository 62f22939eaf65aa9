// A dialog over the page; and one that asks before something that cannot be taken back.
import { Dialog as Base } from "@base-ui/react/dialog";
import type { ReactNode } from "react";
import { Button } from "./Button";
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
  text: string;
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
      <p className="muted">{text}</p>
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
