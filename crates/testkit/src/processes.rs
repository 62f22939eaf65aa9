//! Ends what a test started, each process by its id, also when the test fails.

use rustix::process::{Pid, Signal, kill_process};
use std::{collections::BTreeMap, fs, path::Path};

/// How often the list of processes is gone through: a process may start another while it is being ended.
const ROUNDS_MAX: usize = 20;

/// Ends every process whose command line names this folder, and all that they started. The folder must be the test's own.
pub fn end_all_of(folder: &Path) {
    for _ in 0..ROUNDS_MAX {
        let found = processes_of(folder);
        if found.is_empty() {
            return;
        }
        for pid in found {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        std::thread::yield_now();
    }
}

/// The memory of every process whose command line names this folder, and of all that they started: their share of it (PSS), in bytes.
pub fn memory_of(folder: &Path) -> u64 {
    let share_kib = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let share = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        share.split_whitespace().next()?.parse::<u64>().ok()
    };
    processes_of(folder).into_iter().filter_map(share_kib).sum::<u64>() * 1024
}

/// Ids of living processes that name the folder, or descend from one that does.
fn processes_of(folder: &Path) -> Vec<i32> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let own = std::process::id();
    let (mut parents, mut found) = (BTreeMap::new(), Vec::new());
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some((parent, alive)) = status(pid) else { continue };
        if !alive || pid.unsigned_abs() == own {
            continue;
        }
        parents.insert(pid, parent);
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.windows(needle.len().max(1)).any(|part| part == needle) {
            found.push(pid);
        }
    }
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        let children: Vec<i32> =
            parents.iter().filter(|(child, parent)| **parent == pid && !found.contains(child)).map(|(c, _)| *c).collect();
        found.extend(children);
        at += 1;
    }
    found
}

/// Ids of the living processes that descend from one, and its own.
pub fn descendants(of: i32) -> Vec<i32> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let parents: BTreeMap<i32, i32> =
        ids.filter_map(|pid| status(pid).filter(|(_, alive)| *alive).map(|(parent, _)| (pid, parent))).collect();
    let (mut found, mut at) = (vec![of], 0);
    while let Some(pid) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, parent)| **parent == pid).map(|(child, _)| *child));
        at += 1;
    }
    found
}

/// The parent of a process, and whether it lives: one that only waits to be collected does not.
fn status(pid: i32) -> Option<(i32, bool)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    Some((fields.next()?.parse().ok()?, state != "Z"))
}
