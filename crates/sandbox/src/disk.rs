//! How much disk a sandbox holds: its folders are counted from time to time, and at once when the disk's free space falls
//! quickly. Follows no link, and stays within open folders, since what it walks is written to meanwhile.

use crate::limits;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat, statvfs},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

/// What a count found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Bytes on disk.
    pub bytes: u64,
    /// Folders lie deeper inside each other than is followed.
    pub too_deep: bool,
    /// The mode of a folder keeps us from looking into it.
    pub hidden: bool,
}

impl Count {
    /// What cannot be opened because it is gone holds nothing; what its mode hides may hold anything.
    fn note<T>(&mut self, looked: Result<T, Errno>) -> Option<T> {
        self.hidden |= matches!(looked, Err(Errno::ACCESS));
        looked.ok()
    }
}

/// Counts folders, and files that processes hold open though they were deleted.
pub(crate) fn count(roots: &[PathBuf], pids: &[u32]) -> Count {
    let mut count = Count::default();
    let mut linked = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for root in roots {
        let top = openat(CWD, root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let Some(top) = count.note(top) else { continue };
        devices.extend(rustix::fs::fstat(&top).map(|s| s.st_dev));
        walk(top, &mut count, &mut linked);
    }
    for pid in pids {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Ok(held) = std::fs::metadata(entry.path()) else { continue };
            if held.is_file() && held.nlink() == 0 && devices.contains(&held.dev()) && linked.insert((held.dev(), held.ino())) {
                count.bytes += held.blocks() * 512;
            }
        }
    }
    count
}

fn walk(top: OwnedFd, count: &mut Count, linked: &mut BTreeSet<(u64, u64)>) {
    let mut open: Vec<Dir> = Dir::new(top).into_iter().collect();
    while let Some(dir) = open.last_mut() {
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        let Ok(entry) = entry else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let Ok(fd) = dir.fd() else { continue };
        let Some(stat) = count.note(statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)) else { continue };
        let held = u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        if stat.st_nlink < 2 || FileType::from_raw_mode(stat.st_mode).is_dir() || linked.insert((stat.st_dev, stat.st_ino)) {
            count.bytes += held.max(limits::INODE_BYTES);
        }
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            if open.len() >= limits::DISK_DEPTH_MAX {
                count.too_deep = true;
                return;
            }
            if let Some(below) = count.note(enter(open.last(), name)) {
                open.extend(Dir::new(below));
            }
        }
    }
}

fn enter(dir: Option<&Dir>, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    let fd = dir.ok_or(Errno::NOENT)?.fd()?;
    openat(fd.as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Free bytes of the disk that holds a folder.
pub(crate) fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let stat = statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Decides when to count, and what a count means.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The folders.
    pub roots: Vec<PathBuf>,
    limit_bytes: u64,
    last: Option<Counted>,
    next: Instant,
    /// How many counts in a row met a folder that they could not look into.
    hidden: u32,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    bytes: u64,
    free_bytes: u64,
}

impl Watch {
    pub(crate) fn new(roots: Vec<PathBuf>, limit_bytes: u64) -> Self {
        Self { roots, limit_bytes, last: None, next: Instant::now(), hidden: 0 }
    }

    fn free_bytes(&self) -> u64 {
        self.roots.iter().filter_map(|r| free_bytes(r)).min().unwrap_or(u64::MAX)
    }

    /// Whether a count is due: its time has come, or so much was written that the limit may be near.
    pub(crate) fn due(&self, now: Instant) -> bool {
        let Some(last) = self.last else { return true };
        let written = last.free_bytes.saturating_sub(self.free_bytes());
        let left = self.limit_bytes.saturating_sub(last.bytes);
        now >= self.next || written > left / 2
    }

    /// Takes a count in; says what is wrong, if something is.
    pub(crate) fn judge(&mut self, count: Count, took: Duration) -> Option<String> {
        let rest = Duration::from_millis(limits::DISK_COUNT_MS).max(took * limits::DISK_COUNT_REST);
        self.next = Instant::now() + rest;
        let free = self.free_bytes();
        let grew = self.last.is_some_and(|last| count.bytes > last.bytes);
        self.last = Some(Counted { bytes: count.bytes, free_bytes: free });
        if count.too_deep {
            return Some(format!("Disk: folders lie more than {} deep inside each other; it was ended.", limits::DISK_DEPTH_MAX));
        }
        if count.bytes > self.limit_bytes {
            return Some(format!("Disk: the limit of {} was reached; it was ended.", shown(self.limit_bytes)));
        }
        // Tests of programs make such folders for a moment. While one is there the next count comes as early as ever, so what
        // is written into it stays within about the limit again.
        self.hidden = if count.hidden { self.hidden + 1 } else { 0 };
        if self.hidden >= limits::DISK_HIDDEN_COUNTS_MAX {
            return Some("Disk: the mode of a folder hides how much it holds; it was ended.".to_owned());
        }
        let short = (grew || count.hidden) && free < limits::DISK_RESERVE_BYTES;
        short.then(|| {
            format!("Disk: less than {} are free on this machine, and it still wrote; it was ended.", shown(limits::DISK_RESERVE_BYTES))
        })
    }
}

/// Bytes for people.
pub(crate) fn shown(bytes: u64) -> String {
    let (unit, size) = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)].into_iter().find(|(_, s)| bytes >= *s).unwrap_or(("B", 1));
    let tenths = u128::from(bytes) * 10 / u128::from(size);
    if tenths % 10 == 0 { format!("{} {unit}", tenths / 10) } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{
        fs,
        io::Write,
        os::unix::fs::{PermissionsExt, symlink},
    };

    #[test]
    fn links_lead_nowhere_and_count_once() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("big"), vec![1; 1 << 20]).unwrap();
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink(dir.path(), dir.path().join("loop")).unwrap();
        fs::write(dir.path().join("a"), vec![1; 256 << 10]).unwrap();
        fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        let count = count(&[dir.path().into()], &[]);
        assert!((256 << 10..300 << 10).contains(&count.bytes), "{count:?}");
    }

    #[test]
    fn a_deleted_file_that_is_held_open_still_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gone");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&vec![1; 512 << 10]).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(count(&[dir.path().into()], &[]).bytes < 512 << 10);
        assert!(count(&[dir.path().into()], &[std::process::id()]).bytes >= 512 << 10);
    }

    #[test]
    fn folders_without_end_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut at = dir.path().to_owned();
        (0..limits::DISK_DEPTH_MAX).for_each(|_| at.push("d"));
        fs::create_dir_all(&at).unwrap();
        assert!(count(&[dir.path().into()], &[]).too_deep);
        let mut watch = Watch::new(vec![dir.path().into()], 1 << 40);
        assert!(watch.due(Instant::now()));
        let count = count(&watch.roots, &[]);
        assert!(watch.judge(count, Duration::ZERO).unwrap().contains("deep"));
    }

    #[test]
    fn a_folder_that_cannot_be_looked_into_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let hidden = dir.path().join("hidden");
        for mode in [0o300, 0o600, 0] {
            fs::create_dir(&hidden).unwrap();
            fs::write(hidden.join("big"), vec![1; 256 << 10]).unwrap();
            fs::set_permissions(&hidden, fs::Permissions::from_mode(mode)).unwrap();
            let count = count(&[dir.path().into()], &[]);
            // To root every folder is open.
            assert!(count.hidden || count.bytes >= 256 << 10, "{mode:o}: {count:?}");
            fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
            fs::remove_dir_all(&hidden).unwrap();
        }
        assert!(!count(&[dir.path().into()], &[]).hidden);
    }

    #[test]
    fn hiding_for_a_moment_is_let_pass_and_for_longer_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(vec![dir.path().into()], 1 << 40);
        let (open, hidden) = (Count::default(), Count { hidden: true, ..Count::default() });
        for _ in 0..2 {
            for _ in 1..limits::DISK_HIDDEN_COUNTS_MAX {
                assert_eq!(watch.judge(hidden, Duration::ZERO), None);
            }
            assert_eq!(watch.judge(open, Duration::ZERO), None);
        }
        (1..limits::DISK_HIDDEN_COUNTS_MAX).for_each(|_| assert_eq!(watch.judge(hidden, Duration::ZERO), None));
        assert!(watch.judge(hidden, Duration::ZERO).unwrap().contains("hides"));
    }

    #[test]
    fn sizes_read_well() {
        let table = [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"), (10 << 30, "10 GiB")];
        table.into_iter().for_each(|(bytes, text)| assert_eq!(shown(bytes), text));
    }
}
