//! Which files a backup is made of. Work goes on meanwhile.

use crate::data_dir::storage;
use domain::Problem;
use identity::backup::Source;
use std::{fs, io::ErrorKind, path::Path};

/// Parts of an org's folder whose files change in place. They are small, but for git's objects. Of the tailnet what only this device knows;
/// the server's own files, where it runs it, are copied by `tailnet::saved`.
const CHANGING: [&str; 8] =
    ["org.json", "member", "vault", "profile", "radicle", "tailnet/managed.json", "tailnet/tickets.json", "tailnet/policies"];
/// Parts whose files are only added, or only grow.
const GROWING: [&str; 2] = ["radicle", "store"];

/// The regular files of an org's folder, but for the journal's database. Refs are copied into `scratch` before the objects are
/// listed that they name: objects are only added, so that none of them is missing.
pub(super) fn gather(root: &Path, scratch: &Path) -> Result<Vec<Source>, Problem> {
    let mut sources = vec![];
    for part in CHANGING {
        for path in files(root, part)?.into_iter().filter(|path| !is_object(path)) {
            let copy = scratch.join(&path);
            if copied(&root.join(&path), &copy)? {
                sources.push(Source { path, file: copy });
            }
        }
    }
    for part in GROWING {
        let grown = files(root, part)?.into_iter().filter(|path| part != "radicle" || is_object(path));
        sources.extend(grown.map(|path| Source { file: root.join(&path), path }));
    }
    Ok(sources)
}

/// The files of a part that are worth keeping.
fn files(root: &Path, part: &str) -> Result<Vec<String>, Problem> {
    let mut found = vec![];
    for entry in ignore::WalkBuilder::new(root.join(part)).standard_filters(false).follow_links(false).build() {
        let entry = match entry {
            // It was never there, or went while its folder was listed.
            Err(error) if error.io_error().is_some_and(|e| e.kind() == ErrorKind::NotFound) => continue,
            entry => entry.map_err(Problem::internal)?,
        };
        let path = entry.path().strip_prefix(root).map_err(Problem::internal)?.to_string_lossy().into_owned();
        if entry.file_type().is_some_and(|t| t.is_file()) && !passes(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether a file is git's object, or a pack of them: in `radicle/storage/*/objects` or `radicle/checkpoints/*/objects`.
fn is_object(path: &str) -> bool {
    path.starts_with("radicle/") && path.split('/').nth(3) == Some("objects")
}

/// Live database files are left to the snapshot, of which the remembered head may be ahead; what others hold of the journal comes again,
/// and what lies aside was joined; locks and drafts are nothing to keep, and may be gone when they are read.
fn passes(path: &str) -> bool {
    let draft = |part: &str| ["tmp_", ".tmp", "pack_git2_"].iter().any(|begin| part.starts_with(begin)) || part.ends_with(".keep");
    path.starts_with("store/journal.db")
        || path.starts_with("store/journal.head")
        || path.starts_with("store/branch/")
        || path.starts_with("store/aside/")
        || path == "store/mend"
        || path.starts_with("store/blobs/tmp/")
        || path.ends_with(".lock")
        || path.ends_with("/lock")
        || is_object(path) && path.split('/').skip(4).any(draft)
}

/// Copies a file; says whether it was still there.
fn copied(from: &Path, to: &Path) -> Result<bool, Problem> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|e| storage(folder, &e))?;
    match fs::copy(from, to) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        copied => copied.map(|_| true).map_err(|e| storage(to, &e)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refs_stay_as_they_were_when_objects_were_listed_and_drafts_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let (root, scratch) = (dir.path().join("org"), dir.path().join("scratch"));
        let kept = [
            "member/keys/radicle",
            "org.json",
            "radicle/checkpoints/z1.git/HEAD",
            "radicle/checkpoints/z1.git/objects/ef/01",
            "radicle/keys/radicle",
            "radicle/storage/z1/objects/ab/cd",
            "radicle/storage/z1/objects/pack/pack-1.idx",
            "radicle/storage/z1/refs/heads/main",
            "radicle/storage/z1/refs/heads/objects/tmp_1",
            "store/blobs/ab/cd",
            "store/logs/run.jsonl",
            "tailnet/managed.json",
            "tailnet/policies/1.hujson",
            "tailnet/tickets.json",
        ];
        let left_out = [
            "radicle/storage/z1/HEAD.lock",
            "radicle/storage/z1/objects/ab/tmp_obj_1",
            "radicle/storage/z1/objects/pack/.tmpAbc",
            "radicle/storage/z1/objects/tmp_objdir-incoming/ab/cd",
            "store/aside/0123/journal.db",
            "store/blobs/tmp/7",
            "store/branch/journal.db",
            "store/journal.db-wal",
            "store/journal.head",
            "store/lock",
            "store/mend",
            "tailnet/devices.json",
            "tailnet/headscale/db.sqlite",
            "tailnet/own",
        ];
        for path in kept.iter().chain(&left_out) {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "first").unwrap();
        }
        let mut sources = gather(&root, &scratch).unwrap();
        fs::write(root.join("radicle/storage/z1/refs/heads/main"), "second").unwrap();
        fs::remove_file(root.join("radicle/checkpoints/z1.git/HEAD")).unwrap();
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(sources.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), kept);
        assert!(sources.iter().all(|s| fs::read_to_string(&s.file).unwrap() == "first"));
    }
}
