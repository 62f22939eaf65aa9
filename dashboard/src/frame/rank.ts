// Finds things by what a person types. Pure.
export interface Found {
  /** Unique, and stable between two keystrokes. */
  id: string;
  /** What it is, in a word: `Task`, `Run`. */
  kind: string;
  title: string;
  /** Further words that find it, and are shown. */
  hint?: string;
  go(): void;
  /** What it says to the bar instead of going somewhere: the bar stays, and asks before it does it. */
  says?: string;
}

/** The best matches first; every word of the query must be found. */
export function rank<T extends Pick<Found, "title" | "hint" | "kind">>(query: string, items: readonly T[], limit: number): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return items.slice(0, limit);
  const scored: { item: T; score: number }[] = [];
  for (const item of items) {
    const text = `${item.title} ${item.hint ?? ""} ${item.kind}`.toLowerCase();
    let score = 0;
    for (const word of words) {
      const one = match(word, text);
      if (one === 0) {
        score = 0;
        break;
      }
      score += one;
    }
    if (score > 0) scored.push({ item, score: score + 1 / (1 + text.length) });
  }
  return scored
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map((s) => s.item);
}

function match(word: string, text: string): number {
  const at = text.indexOf(word);
  if (at === 0) return 5;
  if (at > 0) return /[\s/._-]/.test(text[at - 1] ?? "") || text.includes(` ${word}`) ? 4 : 2;
  return word.length > 2 && inOrder(word, text) ? 1 : 0;
}

/** Whether the letters stand in the first part of the text in this order. */
function inOrder(word: string, text: string): boolean {
  let at = -1;
  for (const letter of word) {
    at = text.indexOf(letter, at + 1);
    if (at < 0) return false;
  }
  return at < 40;
}
