// Text of a terminal as pieces with their look; nothing of it is ever HTML.
import Anser from "anser";

export interface Piece {
  text: string;
  /** A colour of the terminal's sixteen by name, or `r, g, b`. */
  fg?: string;
  bg?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
}

// Whatever a terminal would do but colours: cursor moves, titles, hyperlinks, single control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
const OTHERS = /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[\d;?<=>]*[A-Za-ln-z@`]|\x1b[^[\]]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
const COLOURS = /\x1b\[[\d;]*m/g;

/** The text without any escape sequence: for searching and copying. */
export function plain(text: string): string {
  return text.replace(OTHERS, "").replace(COLOURS, "");
}

export function pieces(text: string): Piece[] {
  const clean = text.replace(OTHERS, "");
  if (!clean.includes("\x1b")) return [{ text: clean }];
  return Anser.ansiToJson(clean, { use_classes: true, remove_empty: true, json: true }).map((part) => {
    const has = (name: string) => part.decorations.includes(name as never);
    return {
      text: part.content,
      fg: colour(part.fg, part.fg_truecolor),
      bg: colour(part.bg, part.bg_truecolor),
      bold: has("bold"),
      dim: has("dim"),
      italic: has("italic"),
      underline: has("underline"),
    };
  });
}

const colour = (name: string | null, rgb: string | null): string | undefined =>
  (name === "ansi-truecolor" ? rgb : name?.replace("ansi-", "")) || undefined;
