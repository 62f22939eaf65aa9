//! Finds where control groups can be made on this machine (version 1 or 2), and clears away what dead supervisors left.
//!
//! Follows cgroups(7) and, for version 2, the kernel's cgroup-v2 document: groups are made below our own one or the
//! nearest ancestor that was delegated to us, so every bound around us holds inside too.

use crate::{
    leaf::{Leaf, PREFIX},
    limits,
};
use rustix::fs::{Access, access};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Where our own processes go when version 2 wants our group empty.
const SUPERVISOR: &str = "supervisor-of-meshwork";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// The folders below which groups are made; with version 2 all the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parents {
    pub version: Version,
    pub memory: PathBuf,
    pub pids: PathBuf,
    pub freezer: PathBuf,
    /// Absent where processor time cannot be limited.
    pub cpu: Option<PathBuf>,
}

impl Parents {
    /// Each folder once.
    pub(crate) fn folders(&self) -> Vec<&Path> {
        let all = [Some(&self.memory), Some(&self.pids), Some(&self.freezer), self.cpu.as_ref()];
        let mut folders: Vec<&Path> = all.into_iter().flatten().map(PathBuf::as_path).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

/// Our own groups as this process sees them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Own {
    /// Version 1: controller to folder.
    one: BTreeMap<String, PathBuf>,
    /// Version 2: the top that we see, and our own folder.
    pub two: Option<(PathBuf, PathBuf)>,
}

/// Where groups can be made; or why nowhere.
pub(crate) fn detect() -> Result<Parents, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|why| format!("{path} cannot be read ({why})."));
    let own = own(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
    let found = version_one(&own.one).or_else(|one| match &own.two {
        Some((top, at)) => version_two(top, at),
        None => Err(one),
    })?;
    // The proof: a group can be made, bounded and removed.
    let trial = Leaf::create(&found).and_then(|leaf| leaf.entrances().and_then(|_| leaf.remove()));
    trial.map(|()| found).map_err(|why| format!("A control group cannot be made ({why})."))
}

pub(crate) fn own(cgroup: &str, mountinfo: &str) -> Own {
    let mut own = Own::default();
    let paths: Vec<(&str, &str)> = cgroup.lines().filter_map(|l| l.split_once(':')?.1.split_once(':')).collect();
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (&[_, _, _, root, point, ..], &[kind, _, options, ..]) = (&left[..], &right[..]) else { continue };
        let place = |path: &str| {
            let below = if root == "/" { Some(path) } else { path.strip_prefix(root) };
            // Outside of what is mounted here: the top of the mount is the nearest that we see.
            let below = below.filter(|p| !p.starts_with("/..")).unwrap_or("");
            Path::new(point).join(below.trim_start_matches('/'))
        };
        match kind {
            "cgroup" => {
                for (controllers, path) in &paths {
                    for controller in controllers.split(',').filter(|c| !c.is_empty() && options.split(',').any(|o| o == *c)) {
                        own.one.entry(controller.to_owned()).or_insert_with(|| place(path));
                    }
                }
            }
            "cgroup2" if own.two.is_none() => {
                own.two = paths.iter().find(|(c, _)| c.is_empty()).map(|(_, path)| (point.into(), place(path)));
            }
            _ => {}
        }
    }
    own
}

fn version_one(own: &BTreeMap<String, PathBuf>) -> Result<Parents, String> {
    let writable = |name: &str| own.get(name).filter(|dir| can_write(dir)).cloned();
    let needed = |name: &str| writable(name).ok_or_else(|| format!("The control group of “{name}” cannot be written."));
    Ok(Parents {
        version: Version::One,
        memory: needed("memory")?,
        pids: needed("pids")?,
        freezer: needed("freezer")?,
        cpu: writable("cpu"),
    })
}

/// The nearest group from our own upwards that is ours to divide.
fn version_two(top: &Path, own: &Path) -> Result<Parents, String> {
    for at in own.ancestors().take_while(|at| at.starts_with(top)) {
        if let Some(controllers) = divide(at, top, at == own) {
            let all = at.to_owned();
            let cpu = controllers.iter().any(|c| c == "cpu").then(|| all.clone());
            return Ok(Parents { version: Version::Two, memory: all.clone(), pids: all.clone(), freezer: all, cpu });
        }
    }
    Err("No control group with the controllers memory and pids is delegated to this process.".into())
}

/// The controllers that groups below `at` can have; none when `at` is not ours to divide.
fn divide(at: &Path, top: &Path, is_own: bool) -> Option<Vec<String>> {
    if !can_write(at) || access(at.join("cgroup.procs"), Access::WRITE_OK).is_err() {
        return None;
    }
    let there = words(&at.join("cgroup.controllers"));
    let has = |list: &[String], name: &str| list.iter().any(|c| c == name);
    if !has(&there, "memory") || !has(&there, "pids") {
        return None;
    }
    let enable = || {
        for name in ["memory", "pids", "cpu"] {
            // Each by itself: one that is missing must not take the others along.
            let _ = fs::write(at.join("cgroup.subtree_control"), format!("+{name}"));
        }
        words(&at.join("cgroup.subtree_control"))
    };
    let mut enabled = enable();
    if !has(&enabled, "memory") && is_own && delegated(at, top) && step_down(at).is_ok() {
        enabled = enable();
    }
    (has(&enabled, "memory") && has(&enabled, "pids")).then_some(enabled)
}

/// Whether the processes of this group are ours to move: it was delegated, or it is a container's own top.
fn delegated(at: &Path, top: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid();
    let mine = !me.is_root() && fs::metadata(at).is_ok_and(|m| m.uid() == me.as_raw());
    let mut flag = [0; 4];
    let marked = |name: &str, flag: &mut [u8; 4]| rustix::fs::getxattr(at, name, &mut flag[..]).is_ok_and(|n| flag[..n] == *b"1");
    let container = me.is_root() && at == top && at.join("cgroup.type").exists();
    mine || container || marked("user.delegate", &mut flag) || marked("trusted.delegate", &mut flag)
}

/// A group that is divided may hold no process itself (cgroup-v2, "no internal processes"): ours go one step down.
fn step_down(at: &Path) -> io::Result<()> {
    let below = at.join(SUPERVISOR);
    match fs::create_dir(&below) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(why),
        _ => {}
    }
    for pid in fs::read_to_string(at.join("cgroup.procs"))?.split_whitespace() {
        match fs::write(below.join("cgroup.procs"), pid) {
            Err(why) if why.raw_os_error() != Some(libc::ESRCH) => return Err(why),
            _ => {}
        }
    }
    Ok(())
}

fn words(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn can_write(dir: &Path) -> bool {
    dir.is_dir() && access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Ends and clears away sandboxes whose supervisor died; to be called when a supervisor starts. Returns how many groups were
/// cleared. A living supervisor holds a lock on its groups, so those of others are safe. One that was just killed may hold
/// it for a moment more, by a thread or a child that is still dying: that is waited for, within a limit.
pub fn sweep() -> usize {
    let Ok(parents) = detect() else { return 0 };
    let until = Instant::now() + Duration::from_millis(limits::DYING_MS);
    let mut left = groups(&parents);
    let mut cleared = 0;
    loop {
        let before = left.len();
        left.retain(|dir| !Leaf::clear(&parents, dir));
        cleared += before - left.len();
        left.retain(|dir| dir.exists() && !maker_lives(dir));
        if left.is_empty() || Instant::now() >= until {
            return cleared;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How much memory the groups of all supervisors hold that no file on a disk stands behind, in bytes: that of processes, and what they
/// share or lay into the `/tmp` and `/dev/shm` of sandboxes, which are in memory.
pub(crate) fn memory_held(parents: &Parents) -> u64 {
    let names = match parents.version {
        Version::One => ["total_rss ", "total_shmem "],
        Version::Two => ["anon ", "shmem "],
    };
    let held = |dir: PathBuf| {
        let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
        let bytes = |line: &str| names.iter().find_map(|name| line.strip_prefix(*name)?.parse::<u64>().ok());
        stat.lines().filter_map(bytes).sum::<u64>()
    };
    // Where each controller has a folder of its own, only that of the memory counts it.
    groups(parents).into_iter().filter(|dir| dir.starts_with(&parents.memory)).map(held).sum()
}

/// The folders of all groups that supervisors made.
fn groups(parents: &Parents) -> Vec<PathBuf> {
    let entries = parents.folders().into_iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let ours = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    entries.filter(|e| ours(&e.file_name()) && e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

/// Whether the process that a group is named after is alive: a zombie is not.
fn maker_lives(dir: &Path) -> bool {
    let pid = dir.file_name().and_then(|n| n.to_str()?.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
    let stat = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok()).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_groups_are_read_as_different_systems_show_them() {
        let hybrid = own(
            "9:name=systemd:/\n8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/x\n0::/\n",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
             35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,memory\n\
             39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(hybrid.one.get("memory"), Some(&"/sys/fs/cgroup/memory/a/b".into()));
        assert_eq!(hybrid.one.get("cpu"), Some(&"/sys/fs/cgroup/cpu/x".into()));
        assert_eq!(hybrid.one.get("pids"), Some(&"/sys/fs/cgroup/pids/".into()));
        assert_eq!(hybrid.two.map(|t| t.1), Some("/sys/fs/cgroup/unified/".into()));

        let systemd = own(
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n",
            "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
        );
        let place = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope";
        assert_eq!(systemd.two, Some(("/sys/fs/cgroup".into(), place.into())));

        let docker = own("4:memory:/docker/abc\n", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
        assert_eq!(docker.one.get("memory"), Some(&"/sys/fs/cgroup/memory/".into()));

        let above = own("0::/../other\n", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        assert_eq!(above.two.map(|t| t.1), Some("/sys/fs/cgroup/".into()));
        assert_eq!(own("", ""), Own::default());
    }

    #[test]
    fn a_group_that_something_dying_still_holds_is_swept() {
        let parents = match detect() {
            Ok(parents) => parents,
            Err(why) => return testkit::skip("sandbox: groups that are swept", &why),
        };
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let dir = parents.freezer.join(format!("{PREFIX}{}-0", gone.id()));
        fs::create_dir(&dir).unwrap();
        let held = fs::File::open(&dir).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        // What holds it takes this long to die.
        let dying = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(limits::DYING_MS / 5));
            drop(held);
        });
        sweep();
        assert!(!dir.exists());
        dying.join().unwrap();
    }

    #[test]
    fn the_memory_of_our_groups_is_counted_and_nothing_else() {
        let top = tempfile::tempdir().unwrap();
        let lay = |path: &str, stat: &str| {
            let folder = top.path().join(path);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("memory.stat"), stat).unwrap();
        };
        lay("memory/meshwork-1-0", "rss 1\nshmem 2\ntotal_rss 30\ntotal_rss_huge 9\n");
        lay("memory/meshwork-2-0", "anon 500\nfile 9\nshmem 70\nshmem_thp 9\n");
        lay("memory/meshwork-3-0", "total_rss 4\ntotal_shmem 300\n");
        lay("memory/theirs", "total_rss 4000\nanon 4000\n");
        lay("pids/meshwork-1-0", "total_rss 60000\n");
        let at = |name: &str| top.path().join(name);
        let one = Parents { version: Version::One, memory: at("memory"), pids: at("pids"), freezer: at("freezer"), cpu: None };
        assert_eq!(memory_held(&one), 334);
        assert_eq!(memory_held(&Parents { version: Version::Two, ..one }), 572);
    }
}
