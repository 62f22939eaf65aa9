//! Small private files: written so that a crash leaves the old or the new one, readable by their owner only.

use domain::Problem;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// Makes a folder that only its owner can enter, unless it is there.
pub(crate) fn make_private_dir(dir: &Path) -> Result<(), Problem> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("make the folder", dir, &e))
}

/// Replaces a file at once and durably: temporary file, fsync, rename, fsync of the folder.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let temporary = path.with_extension("tmp");
    let write = || -> io::Result<()> {
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_parent(path)
    };
    write().map_err(|e| failed("write", path, &e))
}

/// Makes renames and new files in the folder of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads a file of a bounded size; nothing when there is none.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("read", path, &e)),
    };
    let length = file.metadata().map_err(|e| failed("read", path, &e))?.len();
    if length > bytes_max {
        return Err(Problem::unavailable(format!("{} is too large to be what it should be.", path.display()))
            .because(format!("It has {length} bytes; at most {bytes_max} are read.")));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0)));
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|e| failed("read", path, &e))?;
    Ok(Some(bytes))
}

/// Refuses a file that others could have read or changed.
///
/// # Errors
/// Then, when it belongs to another user, and when it cannot be looked at.
pub fn check_private(path: &Path) -> Result<(), Problem> {
    let meta = fs::metadata(path).map_err(|e| failed("read", path, &e))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Problem::unavailable(format!("{} can be read by other users of this machine.", path.display()))
            .because(format!("Its mode is {mode:03o}; only its owner may read it."))
            .next(format!("If nobody else saw it: chmod 600 {}", path.display())));
    }
    let (owner, me) = (meta.uid(), rustix::process::geteuid().as_raw());
    if owner != me {
        return Err(Problem::unavailable(format!("{} belongs to another user.", path.display()))
            .because(format!("Its owner has the number {owner}, and this process runs as {me}."))
            .next(format!("Run as its owner, or as root: chown {me} {}", path.display())));
    }
    Ok(())
}

/// Takes the lock file, waiting a bounded time for another process. The lock ends with the handle.
pub(crate) fn lock(path: &Path, wait_ms: u64, look_ms: u64) -> Result<File, Problem> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(|e| failed("open", path, &e))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < Duration::from_millis(wait_ms) => {
                std::thread::sleep(Duration::from_millis(look_ms));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::conflict("Another program is changing the vault.")
                    .because(format!("It has held {} for {} s.", path.display(), wait_ms / 1000))
                    .next("Try again when it has finished."));
            }
            Err(TryLockError::Error(e)) => return Err(failed("lock", path, &e)),
        }
    }
}

/// What a person is told when a file cannot be used.
pub(crate) fn failed(action: &str, path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::unavailable(format!("Cannot {action} {}.", path.display())).because(format!("{error}."));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => problem.next("Make room on this disk, then try again."),
        io::ErrorKind::PermissionDenied => problem.next("Run as the user who owns the data folder."),
        io::ErrorKind::ReadOnlyFilesystem => problem.next("Make the file system writable, or choose another data folder."),
        _ => problem,
    }
}
