// A ticket, to be copied by hand.
import css from "./Members.module.css";

export function Ticket({ ticket }: { ticket: string }) {
  return (
    <>
      <p>
        Hand this ticket to the one who is to join, and to nobody else. They run “meshwork join” with it; then an owner lets them in here.
      </p>
      <textarea className={css.ticket} aria-label="Ticket" readOnly rows={6} value={ticket} onFocus={(event) => event.target.select()} />
    </>
  );
}
