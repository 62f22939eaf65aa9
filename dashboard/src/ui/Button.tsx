// Buttons: one look, three tones; a busy one cannot be pressed twice.
import type { ComponentProps, ReactNode } from "react";
import css from "./ui.module.css";

type Props = ComponentProps<"button"> & { tone?: "primary" | "danger" | "plain"; busy?: boolean };

export function Button({ tone, busy, className, disabled, ...rest }: Props) {
  const classes = className ? `${css.button} ${className}` : css.button;
  return <button type="button" data-tone={tone} aria-busy={busy || undefined} disabled={disabled || busy} className={classes} {...rest} />;
}

interface IconProps extends Omit<Props, "aria-label" | "title"> {
  label: string;
  /** The key that does the same, as `Escape`. */
  keys?: string;
  children: ReactNode;
}

/** A button that shows only an icon: its name is for screen readers, and a tip (see `Tips`). */
export function IconButton({ label, keys, children, ...rest }: IconProps) {
  return (
    <Button tone="plain" className={css.icon} aria-label={label} aria-keyshortcuts={keys} data-tip={label} data-keys={keys} {...rest}>
      {children}
    </Button>
  );
}
