//! The store's folder: its files' names, durable writes, the lock, and the marks for the next opening: of a restore, of a mend.

use crate::{limits, problem};
use domain::Problem;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Instant,
};

/// The database.
pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join("journal.db")
}

/// The remembered head.
pub(crate) fn remembered(dir: &Path) -> PathBuf {
    dir.join("journal.head")
}

/// The write-ahead log, and the name under which one is kept whose journal is not whole.
pub(crate) fn log(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("journal.db-wal"), dir.join("journal.db-wal.damaged"))
}

/// The mark of a restore.
fn restored(dir: &Path) -> PathBuf {
    dir.join("restored")
}

/// The mark of a mend.
fn to_mend(dir: &Path) -> PathBuf {
    dir.join("mend")
}

/// The folder of what others hold of this device's own journal, while that is not mended.
pub(crate) fn branch(dir: &Path) -> PathBuf {
    dir.join("branch")
}

/// The folder of journals that were mended, as they were before.
pub(crate) fn aside(dir: &Path) -> PathBuf {
    dir.join("aside")
}

/// Makes a folder that only its owner can enter, durably, unless it is there.
pub(crate) fn make_dir(dir: &Path) -> Result<(), Problem> {
    if dir.is_dir() {
        return Ok(());
    }
    let make = || -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        sync_parent(dir)
    };
    make().map_err(|e| problem::file("make the folder", dir, &e))
}

/// Makes new, renamed and removed names in the folder of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a new file durably, and gives it its name at the end.
pub(crate) fn write_new(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        sync_parent(path)
    };
    written().inspect_err(|_| {
        // What is half written would only take room on a full disk.
        let _ = fs::remove_file(temporary);
    })
}

/// Makes an empty file that only its owner can read, unless it is there. SQLite gives its companions the same mode.
pub(crate) fn make_private(path: &Path) -> Result<(), Problem> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(|_| ()).map_err(|e| problem::file("open", path, &e))
}

/// Takes the folder for this process alone, until the handle is dropped or the process ends in any way.
pub(crate) fn lock(dir: &Path) -> Result<File, Problem> {
    let path = dir.join("journal.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|e| problem::file("open", &path, &e))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A program that was just started by this process holds our closed files for the moment between fork and exec.
            Err(TryLockError::WouldBlock) if begun.elapsed() < limits::LOCK_WAIT => std::thread::sleep(limits::LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::conflict(format!("Another Meshwork already uses {}.", dir.display()))
                    .next("Use that one, or stop it first, or choose another folder with --data-dir."));
            }
            Err(TryLockError::Error(e)) => return Err(problem::file("lock", &path, &e)),
        }
    }
}

/// Leaves the mark that this folder comes from a backup: the next opening begins a new incarnation, so that what the lost
/// journal had written after the backup is never contradicted under the same numbers.
///
/// # Errors
/// When the mark cannot be written durably.
pub fn mark_restored(dir: &Path) -> Result<(), Problem> {
    mark(&restored(dir))
}

/// Whether the mark is there.
pub(crate) fn is_restored(dir: &Path) -> bool {
    restored(dir).exists()
}

/// Takes the mark away, once the new incarnation is on disk.
pub(crate) fn clear_restored(dir: &Path) -> Result<(), Problem> {
    clear(&restored(dir))
}

/// Leaves the mark that the branch is to be joined with the journal at the next opening.
pub(crate) fn mark_to_mend(dir: &Path) -> Result<(), Problem> {
    mark(&to_mend(dir))
}

/// Whether that mark is there.
pub(crate) fn is_to_mend(dir: &Path) -> bool {
    to_mend(dir).exists()
}

/// Takes that mark away, once it is done, and the branch.
pub(crate) fn clear_to_mend(dir: &Path) -> Result<(), Problem> {
    clear(&to_mend(dir))?;
    // One that stays is gone on with.
    let _ = fs::remove_dir_all(branch(dir));
    Ok(())
}

fn mark(path: &Path) -> Result<(), Problem> {
    let mark = || -> io::Result<()> {
        File::create(path)?.sync_all()?;
        sync_parent(path)
    };
    mark().map_err(|e| problem::file("write", path, &e))
}

fn clear(path: &Path) -> Result<(), Problem> {
    let clear = || -> io::Result<()> {
        fs::remove_file(path)?;
        sync_parent(path)
    };
    clear().map_err(|e| problem::file("remove", path, &e))
}
