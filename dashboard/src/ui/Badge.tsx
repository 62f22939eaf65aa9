// A state: a coloured dot and always its word.
import css from "./ui.module.css";
import type { Word } from "./words";

export function Badge({ word }: { word: Word }) {
  return (
    <span className={css.badge} data-tone={word.tone} data-live={word.live}>
      <span>{word.text}</span>
    </span>
  );
}
