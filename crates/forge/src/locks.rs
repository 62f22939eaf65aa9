//! Locks that a killed process left: git takes a ref's lock by making a file beside it, and nobody takes that file away when
//! its maker dies. Until then the ref can never be written again.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Removes the locks below a Radicle home: of its storage, and of the checkpoints. To be called while nobody else writes
/// there: before the storage is opened, by the one process that holds the data folder. Returns what was removed.
pub fn clear_stale_locks(home: &Path) -> Vec<PathBuf> {
    let repositories = ["storage", "checkpoints"].into_iter().flat_map(|part| entries(&home.join(part)));
    let mut cleared = Vec::new();
    for repository in repositories.filter(|path| is_folder(path)) {
        clear(&repository, &mut cleared);
    }
    cleared
}

fn clear(folder: &Path, cleared: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        if is_folder(&path) {
            // Objects have no locks, and are many.
            if path.file_name().is_some_and(|name| name != "objects") {
                clear(&path, cleared);
            }
        } else if path.extension().is_some_and(|end| end == "lock") && fs::remove_file(&path).is_ok() {
            cleared.push(path);
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Whether it is a folder itself, and no link to one.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn locks_go_and_everything_else_stays() {
        let home = tempfile::tempdir().unwrap();
        let refs = home.path().join("storage/z1/refs/heads");
        fs::create_dir_all(&refs).unwrap();
        fs::create_dir_all(home.path().join("keys")).unwrap();
        for name in ["storage/z1/refs/heads/main", "storage/z1/refs/heads/main.lock", "storage/z1/packed-refs.lock", "keys/a.lock"] {
            fs::write(home.path().join(name), "").unwrap();
        }
        assert_eq!(clear_stale_locks(home.path()).len(), 2);
        assert!(refs.join("main").exists() && !refs.join("main.lock").exists());
        assert!(home.path().join("keys/a.lock").exists());
    }
}
