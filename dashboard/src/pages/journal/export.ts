// A whole journal as a file: one event a line, as it stands in the journal, so that anybody can check it.
import { call, type Output } from "../../api/call";

const PAGE = 1_000;

export async function* lines(page: (after: number) => Promise<Output<"journal.list">>): AsyncGenerator<string> {
  for (let after = 0; ; ) {
    const entries = await page(after);
    const last = entries.at(-1);
    if (!last) return;
    yield entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    after = last.seq;
  }
}

/** This device's journal, or the copy of another's. */
export async function exportJournal(device?: string): Promise<void> {
  const parts: string[] = [];
  for await (const part of lines((after) => call("journal.list", { after, limit: PAGE, device }))) parts.push(part);
  const url = URL.createObjectURL(new Blob(parts, { type: "application/jsonl" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `journal-${device ? `${device.slice(-8)}-` : ""}${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jsonl`;
  link.click();
  // The browser has taken it by the next turn.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
