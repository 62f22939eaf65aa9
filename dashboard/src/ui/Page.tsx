// The frame of one page: its title (also the document's, and what a screen reader hears on arrival), what can be done there.
import { type ReactNode, useEffect } from "react";
import { announce } from "./announce";
import css from "./ui.module.css";

interface Props {
  title: string;
  /** Stands before the title: a state, a way back. */
  before?: ReactNode;
  /** Stands after the title, and is cut where there is no room. */
  after?: ReactNode;
  /** Stands at the right: buttons, filters. */
  actions?: ReactNode;
  /** Uses the whole width. */
  full?: boolean;
  /** Uses the whole window; its parts scroll by themselves. */
  fill?: boolean;
  children: ReactNode;
}

export function Page({ title, before, after, actions, full, fill, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Meshwork`;
    announce(title);
  }, [title]);
  return (
    <div className={css.page} data-full={full || fill} data-fill={fill}>
      <header className={css.head}>
        {before}
        <h1>{title}</h1>
        {after}
        <span className={css.spring} />
        {actions}
      </header>
      {children}
    </div>
  );
}

/** `id`: what an address may name after its `#`. */
export function Section({ title, note, id, children }: { title: string; note?: ReactNode; id?: string; children: ReactNode }) {
  return (
    <section id={id} className={css.section} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span className="muted number">{note}</span>}
      </header>
      {children}
    </section>
  );
}
