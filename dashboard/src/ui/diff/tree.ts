// The folders of changed files. Pure.
import type { DiffFile } from "./parse";

export interface Folder {
  /** Its name; several in one, where each has but the next in it. */
  name: string;
  folders: Folder[];
  files: DiffFile[];
}

export function treeOf(files: readonly DiffFile[]): Folder {
  const root: Folder = { name: "", folders: [], files: [] };
  for (const file of files) {
    let at = root;
    for (const name of file.path.split("/").slice(0, -1)) {
      let next = at.folders.find((folder) => folder.name === name);
      if (!next) {
        next = { name, folders: [], files: [] };
        at.folders.push(next);
      }
      at = next;
    }
    at.files.push(file);
  }
  root.folders = root.folders.map(joined);
  return root;
}

function joined(folder: Folder): Folder {
  const folders = folder.folders.map(joined);
  const only = folders.length === 1 && folder.files.length === 0 ? folders[0] : undefined;
  return only ? { ...only, name: `${folder.name}/${only.name}` } : { ...folder, folders };
}

/** The files as the tree shows them: folders first. */
export function inOrder(folder: Folder): DiffFile[] {
  return [...folder.folders.flatMap(inOrder), ...folder.files];
}
