// The changed files by folder; choosing one shows it. On a narrow screen it folds away.
import { FileMinus2, FilePen, FilePlus2, Folder as FolderIcon, MessageSquare } from "lucide-react";
import { type ReactNode, useState } from "react";
import ui from "../ui.module.css";
import { plural } from "../words";
import type { Note } from "./DiffView";
import css from "./DiffView.module.css";
import { goToFile } from "./keys";
import type { DiffFile } from "./parse";
import type { Folder } from "./tree";

/** With more files than these a field to find one is shown. */
const SEARCH_FILES = 8;

interface Props {
  tree: Folder;
  counts: Map<string, Note[]>;
  narrow: boolean;
}

export function FileTree({ tree, counts, narrow }: Props) {
  const [wanted, setWanted] = useState("");
  const total = size(tree);
  const list = (
    <nav aria-label="Changed files" className={css.tree}>
      {total > SEARCH_FILES && (
        <input
          type="search"
          className={ui.input}
          placeholder="Find a file"
          aria-label="Find a file"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
      )}
      <Entries folder={tree} wanted={wanted.toLowerCase()} counts={counts} />
    </nav>
  );
  if (!narrow) return list;
  return (
    <details className={css.fold}>
      <summary>{plural(total, "file")}</summary>
      {list}
    </details>
  );
}

const size = (folder: Folder): number => folder.files.length + folder.folders.reduce((sum, one) => sum + size(one), 0);

const icons = { added: FilePlus2, removed: FileMinus2, renamed: FilePen, changed: FilePen };

function Entries({ folder, wanted, counts }: { folder: Folder; wanted: string; counts: Map<string, Note[]> }): ReactNode {
  const files = folder.files.filter((file) => file.path.toLowerCase().includes(wanted));
  return (
    <ul>
      {folder.folders
        .filter((one) => has(one, wanted))
        .map((one) => (
          <li key={one.name}>
            <span className={css.folder}>
              <FolderIcon size={13} aria-hidden />
              <span className="clip">{one.name}</span>
            </span>
            <Entries folder={one} wanted={wanted} counts={counts} />
          </li>
        ))}
      {files.map((file) => (
        <li key={file.path}>
          <Entry file={file} notes={counts.get(file.path)?.filter((note) => !note.empty).length ?? 0} />
        </li>
      ))}
    </ul>
  );
}

const has = (folder: Folder, wanted: string): boolean =>
  folder.files.some((file) => file.path.toLowerCase().includes(wanted)) || folder.folders.some((one) => has(one, wanted));

function Entry({ file, notes }: { file: DiffFile; notes: number }) {
  const Icon = icons[file.kind];
  const show = () => goToFile(document.querySelector<HTMLElement>(`[data-file="${CSS.escape(file.path)}"]`));
  return (
    <button type="button" className={css.entry} onClick={show} title={file.path} data-kind={file.kind}>
      <Icon size={13} aria-hidden />
      <span className="clip">{file.path.split("/").at(-1)}</span>
      {notes > 0 && (
        <span className={css.notes}>
          <MessageSquare size={12} aria-hidden />
          {notes}
          <span className="hidden"> comments</span>
        </span>
      )}
    </button>
  );
}
