// Fields of a form: a name above, a hint below; and the buttons at its end.
import type { ComponentProps, FormEvent, ReactNode } from "react";
import { useId } from "react";
import { Button } from "./Button";
import css from "./Form.module.css";
import ui from "./ui.module.css";

interface Named {
  label: string;
  hint?: ReactNode;
}

export function Field({ label, hint, ...rest }: Named & ComponentProps<"input">) {
  const id = useId();
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      <input id={id} className={ui.input} aria-describedby={hint ? `${id}-hint` : undefined} autoComplete="off" {...rest} />
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
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      <select id={id} className={ui.input} value={value} onChange={(event) => onChange(event.target.value as K)}>
        {options.map(({ key, title }) => (
          <option key={key} value={key}>
            {title}
          </option>
        ))}
      </select>
      {hint && <span className="muted">{hint}</span>}
    </div>
  );
}

interface FormProps {
  deed: string;
  busy: boolean;
  disabled?: boolean;
  onSend: () => void;
  onClose?: () => void;
  children: ReactNode;
}

/** Sends itself by Enter too; nothing typed is lost while the answer is on its way, or when it is a refusal. */
export function Form({ deed, busy, disabled, onSend, onClose, children }: FormProps) {
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
        <Button type="submit" tone="primary" busy={busy} disabled={disabled}>
          {deed}
        </Button>
      </p>
    </form>
  );
}
