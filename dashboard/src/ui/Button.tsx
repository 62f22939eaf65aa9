// Buttons: one look, three tones; a busy one cannot be pressed twice.
import type { ComponentProps, ReactNode } from "react";
import css from "./ui.module.css";

type Props = ComponentProps<"button"> & { tone?: "primary" | "danger" | "plain"; busy?: boolean };

export function Button({ tone, busy, className, disabled, ...rest }: Props) {
  const classes = className ? `${css.button} ${className}` : css.button;
  return <button type="button" data-tone={tone} aria-busy={busy || undefined} disabled={disabled || busy} className={classes} {...rest} />;
}

/** A button that shows only an icon: its name is for screen readers and as a hint. */
export function IconButton({ label, children, ...rest }: Omit<Props, "aria-label"> & { label: string; children: ReactNode }) {
  return (
    <Button tone="plain" className={css.icon} aria-label={label} title={label} {...rest}>
      {children}
    </Button>
  );
}
