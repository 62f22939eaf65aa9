//! One sandbox's control group: made before its first process, bounded, frozen, emptied, removed.

use crate::{
    cgroup::{Parents, Version},
    limits,
    spec::Bounds,
};
use rustix::{
    fd::OwnedFd,
    fs::{FlockOperation, Mode, OFlags, flock, fstat, open},
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// How the names of our groups begin.
pub(crate) const PREFIX: &str = "meshwork-";
/// The period of processor time limits, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;

/// A control group of our own.
#[derive(Debug)]
pub(crate) struct Leaf {
    parents: Parents,
    name: String,
    /// Held while we live, so that [`Leaf::clear`] knows that somebody cares for it.
    _locks: Vec<OwnedFd>,
    removed: AtomicBool,
}

/// What was stopped so far, as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Processes ended for want of memory.
    pub oom_kills: u64,
    /// Forks that were refused.
    pub forks_refused: u64,
}

impl Leaf {
    /// Makes a group without limits yet.
    pub(crate) fn create(parents: &Parents) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Another process namespace may show the same pid, so a name can be taken.
        for _ in 0..1_000 {
            let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            match Self::create_named(parents, name) {
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn create_named(parents: &Parents, name: String) -> io::Result<Self> {
        let mut made: Vec<PathBuf> = vec![];
        let mut locks = vec![];
        let result = parents.folders().into_iter().try_for_each(|folder| {
            let dir = folder.join(&name);
            fs::create_dir(&dir)?;
            made.push(dir.clone());
            locks.push(lock(&dir)?);
            Ok(())
        });
        if let Err(why) = result {
            made.iter().for_each(|dir| drop(fs::remove_dir(dir)));
            return Err(why);
        }
        Ok(Self { parents: parents.clone(), name, _locks: locks, removed: AtomicBool::new(false) })
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.parents.folders().into_iter().map(|folder| folder.join(&self.name)).collect()
    }

    fn file(&self, parent: &Path, file: &str) -> PathBuf {
        parent.join(&self.name).join(file)
    }

    /// What a process of one thread writes "0" to in order to move itself in.
    pub(crate) fn entrances(&self) -> io::Result<Vec<File>> {
        // A thread that moves itself needs no lock over the whole machine, which would take some milliseconds. Version 2
        // knows threads only in groups of a special kind.
        let entrance = match self.parents.version {
            Version::One => "tasks",
            Version::Two => "cgroup.procs",
        };
        self.folders().iter().map(|dir| File::options().write(true).open(dir.join(entrance))).collect()
    }

    /// Sets the limits.
    pub(crate) fn bound(&self, bounds: Bounds) -> io::Result<()> {
        let (memory, pids) = (&self.parents.memory, &self.parents.pids);
        let quota_us = (bounds.cpu_milli * CPU_PERIOD_US / 1_000).max(1_000);
        fs::write(self.file(pids, "pids.max"), bounds.processes.to_string())?;
        let bytes = bounds.memory_bytes.to_string();
        let cpu = match self.parents.version {
            Version::One => {
                fs::write(self.file(memory, "memory.limit_in_bytes"), &bytes)?;
                optional(&self.file(memory, "memory.memsw.limit_in_bytes"), &bytes)?;
                ("cpu.cfs_quota_us", quota_us.to_string())
            }
            Version::Two => {
                fs::write(self.file(memory, "memory.max"), &bytes)?;
                optional(&self.file(memory, "memory.swap.max"), "0")?;
                ("cpu.max", format!("{quota_us} {CPU_PERIOD_US}"))
            }
        };
        if let Some(parent) = &self.parents.cpu {
            match fs::write(self.file(parent, cpu.0), cpu.1) {
                // More than a group around us has: that one's bound holds.
                Err(why) if why.raw_os_error() == Some(libc::EINVAL) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// The processes inside, as this process sees them.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let text = self.folders().iter().filter_map(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok()).collect::<String>();
        let mut pids: Vec<Pid> = text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect();
        pids.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
        pids.dedup();
        pids
    }

    /// Asks for everything inside to be frozen, or to go on. Frozen is only when [`Leaf::frozen`] says so.
    pub(crate) fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        let parent = &self.parents.freezer;
        match (self.parents.version, frozen) {
            (Version::One, true) => fs::write(self.file(parent, "freezer.state"), "FROZEN"),
            (Version::One, false) => fs::write(self.file(parent, "freezer.state"), "THAWED"),
            (Version::Two, frozen) => fs::write(self.file(parent, "cgroup.freeze"), if frozen { "1" } else { "0" }),
        }
    }

    /// Whether every process inside is frozen.
    pub(crate) fn frozen(&self) -> bool {
        let parent = &self.parents.freezer;
        let (file, sign) = match self.parents.version {
            Version::One => ("freezer.state", "FROZEN"),
            Version::Two => ("cgroup.events", "frozen 1"),
        };
        fs::read_to_string(self.file(parent, file)).is_ok_and(|text| text.lines().any(|line| line == sign))
    }

    /// Kills everything inside. Frozen ones die when they are thawed (version 1), so that comes second.
    pub(crate) fn strike(&self) {
        if self.parents.version == Version::Two && fs::write(self.file(&self.parents.freezer, "cgroup.kill"), "1").is_ok() {
            return;
        }
        for pid in self.processes() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.set_frozen(false);
    }

    /// What the kernel stopped so far.
    pub(crate) fn counters(&self) -> Counters {
        let oom = match self.parents.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        Counters {
            oom_kills: number(&self.file(&self.parents.memory, oom), "oom_kill"),
            forks_refused: number(&self.file(&self.parents.pids, "pids.events"), "max"),
        }
    }

    /// One try to remove the group; busy while something is inside.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for dir in self.folders() {
            remove(&dir)?;
        }
        self.removed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Kills and removes, without a runtime to wait in.
    fn remove_now(&self) {
        let until = Instant::now() + Duration::from_millis(limits::REMOVE_MS);
        while !self.removed.load(Ordering::Relaxed) && Instant::now() < until {
            self.strike();
            if self.remove().is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Takes over one folder of a group that nobody cares for any more, and clears it. Says whether it is gone.
    pub(crate) fn clear(parents: &Parents, dir: &Path) -> bool {
        let Some(name) = dir.file_name().and_then(|n| n.to_str()) else { return false };
        // A living supervisor holds the lock of each folder.
        let Ok(lock) = lock(dir) else { return false };
        let leaf = Self { parents: parents.clone(), name: name.to_owned(), _locks: vec![lock], removed: AtomicBool::new(false) };
        leaf.remove_now();
        leaf.removed.load(Ordering::Relaxed)
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        self.remove_now();
    }
}

fn lock(dir: &Path) -> io::Result<OwnedFd> {
    let locked = open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|fd| flock(&fd, FlockOperation::NonBlockingLockExclusive).map(|()| fd));
    let swept = || io::Error::from(io::ErrorKind::AlreadyExists);
    match locked {
        // Somebody swept it between its making and its lock: another name is taken.
        Err(Errno::AGAIN | Errno::NOENT) => Err(swept()),
        // Or held it, and removed it before.
        Ok(fd) => {
            if fstat(&fd)?.st_ino == fs::metadata(dir).map_err(|_| swept())?.ino() {
                Ok(fd)
            } else {
                Err(swept())
            }
        }
        Err(other) => Err(other.into()),
    }
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a limit that not every kernel has.
fn optional(path: &Path, value: &str) -> io::Result<()> {
    match fs::write(path, value) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        // Opening for writing may also be refused where swap is not counted.
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// The number after `key` in a file of "key number" lines; 0 when there is none.
fn number(path: &Path, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|l| l.split_once(' ')).find(|(k, _)| *k == key).and_then(|(_, n)| n.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cgroup;
    use std::{os::unix::process::ExitStatusExt, process::Command};

    /// Freezing, killing and removing need no controller, so version 2 is tried for real also where version 1 has them all.
    #[test]
    fn a_group_of_version_2_freezes_kills_and_goes() {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let own = cgroup::own(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let Some(dir) = own.two.map(|(_, dir)| dir).filter(|dir| rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()) else {
            return testkit::skip("sandbox: a group of version 2", "no cgroup v2 can be written");
        };
        let parents = Parents { version: Version::Two, memory: dir.clone(), pids: dir.clone(), freezer: dir, cpu: None };
        let leaf = Leaf::create(&parents).unwrap();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(leaf.folders()[0].join("cgroup.procs"), child.id().to_string()).unwrap();
        assert_eq!(leaf.processes(), [Pid::from_child(&child)]);
        leaf.set_frozen(true).unwrap();
        let until = Instant::now() + Duration::from_secs(5);
        while !leaf.frozen() {
            assert!(Instant::now() < until, "not frozen");
        }
        assert!(!Leaf::clear(&parents, &leaf.folders()[0]), "a group that somebody cares for is not swept");
        leaf.strike();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        drop(leaf.remove());
        let folders = leaf.folders();
        drop(leaf);
        assert!(folders.iter().all(|dir| !dir.exists()));
    }
}
