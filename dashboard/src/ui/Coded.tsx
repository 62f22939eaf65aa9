// A sentence of the program: what it has between backticks, commands and names, looks like code; and so do the last words of a program.
const LAST_WORDS = /(Its last words: )([\s\S]+?)(?= What it had done|$)/;

export function Coded({ text }: { text: string }) {
  const [before = "", lead, words, after = ""] = text.split(LAST_WORDS);
  return (
    <>
      {ticked(before)}
      {lead}
      {words && <code>{words}</code>}
      {ticked(after)}
    </>
  );
}

const ticked = (text: string) =>
  // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence have no other name
  text.split("`").map((part, at) => (at % 2 ? <code key={at}>{part}</code> : part));
