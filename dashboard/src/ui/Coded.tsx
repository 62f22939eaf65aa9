// A sentence of the program: what it has between backticks, commands and names, looks like code.
export function Coded({ text }: { text: string }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence have no other name
  return text.split("`").map((part, at) => (at % 2 ? <code key={at}>{part}</code> : part));
}
