//! Files below a folder that an untrusted engine could write: read and written without following any link.

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat2, unlinkat},
    io::{Errno, Result},
};
use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    path::{Component, Path},
};

const PLAIN: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// The content of a regular file of at most `bytes_max` bytes. None where there is nothing.
///
/// # Errors
/// Where a link, a pipe, a folder or too large a file is in the way.
pub(crate) fn read(root: &Path, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    let root = folder(root)?;
    // Not blocking: a pipe would wait for a writer.
    let file = match openat2(&root, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW, Mode::empty(), PLAIN) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || u64::try_from(found.st_size).unwrap_or(u64::MAX) > bytes_max {
        return Err(Errno::INVAL);
    }
    let mut bytes = Vec::new();
    File::from(file).take(bytes_max).read_to_end(&mut bytes).map_err(|_| Errno::IO)?;
    Ok(Some(bytes))
}

/// Writes a file anew. Whatever stands in its place, a link too, is removed first and never written through; folders on the
/// way are made where they are missing.
///
/// # Errors
/// Where a link or a file stands in the place of a folder on the way, or the disk does not take it.
pub(crate) fn write(root: &Path, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let mut at = folder(root)?;
    let parts: Vec<&OsStr> = Path::new(path)
        .components()
        .map(|part| if let Component::Normal(name) = part { Ok(name) } else { Err(Errno::INVAL) })
        .collect::<Result<_>>()?;
    let (name, folders) = parts.split_last().ok_or(Errno::INVAL)?;
    for folder in folders {
        match mkdirat(&at, *folder, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        at = openat2(&at, *folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty(), PLAIN)?;
    }
    match unlinkat(&at, *name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat2(&at, *name, flags, Mode::from_raw_mode(mode), PLAIN)?;
    File::from(file).write_all(bytes).map_err(|_| Errno::IO)
}

fn folder(path: &Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_neither_read_nor_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        std::fs::create_dir_all(root.join("specs")).unwrap();
        std::fs::write(&outside, "secret").unwrap();
        symlink(&outside, root.join("specs/tasks.md")).unwrap();
        symlink(dir.path(), root.join("up")).unwrap();
        assert!(read(&root, "specs/tasks.md", 100).is_err());
        assert!(read(&root, "up/outside", 100).is_err());
        write(&root, "specs/tasks.md", b"new", 0o644).unwrap();
        assert!(write(&root, "up/outside", b"new", 0o644).is_err());
        assert!(write(&root, "../outside", b"new", 0o644).is_err());
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret");
        assert_eq!(read(&root, "specs/tasks.md", 100).unwrap().unwrap(), b"new");
        assert!(read(&root, "specs/tasks.md", 2).is_err());
        assert_eq!(read(&root, "nothing", 2).unwrap(), None);
    }
}
