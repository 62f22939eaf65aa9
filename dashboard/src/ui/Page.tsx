// The frame of one page: its title (also the document's, and what a screen reader hears on arrival), what can be done there.
import { type ReactNode, useEffect } from "react";
import { announce } from "./announce";
import css from "./ui.module.css";

interface Props {
  title: string;
  /** Stands before the title: a state, a way back. */
  before?: ReactNode;
  /** Stands at the right: buttons, filters. */
  actions?: ReactNode;
  /** Uses the whole width. */
  full?: boolean;
  children: ReactNode;
}

export function Page({ title, before, actions, full, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Meshwork`;
    announce(title);
  }, [title]);
  return (
    <div className={css.page} data-full={full}>
      <header className={css.head}>
        {before}
        <h1>{title}</h1>
        <span className={css.spring} />
        {actions}
      </header>
      {children}
    </div>
  );
}

export function Section({ title, note, children }: { title: string; note?: ReactNode; children: ReactNode }) {
  return (
    <section className={css.section} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span className="muted number">{note}</span>}
      </header>
      {children}
    </section>
  );
}
