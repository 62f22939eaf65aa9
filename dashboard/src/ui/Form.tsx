// Fields of a form: a name above, a hint below; the buttons at its end; what stands in them; and the button that opens it over the page.
import { Plus } from "lucide-react";
import { type ComponentProps, type FormEvent, type ReactNode, useId, useState } from "react";
import type { ActionName, Input, Output } from "../api/call";
import { useAct } from "../api/query";
import { Button, IconButton } from "./Button";
import { Dialog } from "./Dialog";
import css from "./Form.module.css";
import ui from "./ui.module.css";

interface Named {
  label: string;
  hint?: ReactNode;
}

type Texted<E extends "input" | "textarea"> = Named & Omit<ComponentProps<E>, "onChange"> & { onChange?: (text: string) => void };

export function Field({ label, hint, onChange, ...rest }: Texted<"input">) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint}>
      <input
        id={id}
        className={ui.input}
        aria-describedby={hint ? `${id}-hint` : undefined}
        autoComplete="off"
        onChange={(event) => onChange?.(event.target.value)}
        {...rest}
      />
    </Around>
  );
}

/** A field of several lines. */
export function Area({ label, hint, onChange, className = "", ...rest }: Texted<"textarea">) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint}>
      <textarea
        id={id}
        className={`${ui.input} ${className}`}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChange?.(event.target.value)}
        {...rest}
      />
    </Around>
  );
}

function Around({ id, label, hint, children }: Named & { id: string; children: ReactNode }) {
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      {children}
      {hint && (
        <span id={`${id}-hint`} className="muted">
          {hint}
        </span>
      )}
    </div>
  );
}

export function Choice<K extends string>({
  label,
  hint,
  options,
  value,
  onChange,
}: Named & { options: readonly { key: K; title: string }[]; value: K; onChange: (key: K) => void }) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint}>
      <select id={id} className={ui.input} value={value} onChange={(event) => onChange(event.target.value as K)}>
        {options.map(({ key, title }) => (
          <option key={key} value={key}>
            {title}
          </option>
        ))}
      </select>
    </Around>
  );
}

/** Yes or no. */
export function Check({
  label,
  title,
  value,
  onChange,
}: {
  label: string;
  title?: string;
  value: boolean;
  onChange: (yes: boolean) => void;
}) {
  return (
    <label className={css.check} title={title}>
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} /> {label}
    </label>
  );
}

/** What stands in the fields of a form while it is edited, and what binds a field to its part of it. */
export function useDraft<D extends object>(first: D | (() => D)) {
  const [draft, setDraft] = useState(first);
  const field = <K extends keyof D>(name: K) => ({
    value: draft[name],
    onChange: (value: D[K]) => setDraft((before) => ({ ...before, [name]: value })),
  });
  return [draft, field] as const;
}

interface FormProps {
  deed: string;
  tone?: "danger";
  busy: boolean;
  disabled?: boolean;
  onSend: () => void;
  onClose?: () => void;
  children: ReactNode;
}

/** Sends itself by Enter too; nothing typed is lost while the answer is on its way, or when it is a refusal. */
export function Form({ deed, tone, busy, disabled, onSend, onClose, children }: FormProps) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && !disabled) onSend();
  };
  return (
    <form className={css.form} onSubmit={submit}>
      {children}
      <p className={ui.head}>
        <span className={ui.spring} />
        {onClose && <Button onClick={onClose}>Cancel</Button>}
        <Button type="submit" tone={tone ?? "primary"} busy={busy} disabled={disabled}>
          {deed}
        </Button>
      </p>
    </form>
  );
}

interface ActFormProps<N extends ActionName> extends Omit<FormProps, "busy" | "onSend" | "onClose"> {
  action: N;
  input: Input<N>;
  /** Told what came of it. */
  done?: (output: Output<N>) => void;
  onClose: () => void;
}

/** A form that carries out an action, and closes once that is done. */
export function ActForm<N extends ActionName>({ action, input, done, onClose, ...form }: ActFormProps<N>) {
  const act = useAct(action, {
    done: (output) => {
      done?.(output);
      onClose();
    },
  });
  return <Form busy={act.isPending} onSend={() => act.mutate(input)} onClose={onClose} {...form} />;
}

interface OpensProps {
  /** What the button says. */
  name: string;
  /** The title of what it opens. */
  title: string;
  tone?: "primary" | "danger";
  /** It makes something new. */
  adds?: boolean;
  icon?: ReactNode;
  /** Shows the icon alone. */
  bare?: boolean;
  children: (close: () => void) => ReactNode;
}

/** A button, and the form that it opens over the page: begun anew each time. */
export function Opens({ name, title, tone, adds, icon, bare, children }: OpensProps) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return (
    <>
      {bare ? (
        <IconButton label={name} onClick={() => setOpen(true)}>
          {icon}
        </IconButton>
      ) : (
        <Button tone={tone} onClick={() => setOpen(true)}>
          {adds && <Plus size={14} aria-hidden />}
          {icon}
          {name}
        </Button>
      )}
      {open && (
        <Dialog title={title} open onClose={close}>
          {children(close)}
        </Dialog>
      )}
    </>
  );
}
