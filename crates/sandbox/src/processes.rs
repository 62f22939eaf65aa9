//! The processes of a sandbox as the host sees them in `/proc`: for machines without control groups, and for files that
//! were deleted but are still held open.

use rustix::process::Pid;
use std::{fs, os::unix::fs::MetadataExt};

/// What the processes of a sandbox use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    /// Threads of all processes.
    pub threads: u64,
    /// Memory, shared pages divided among those that share them.
    pub memory_bytes: u64,
}

/// The processes that live in the namespace of process `init`.
pub(crate) fn inside(init: Pid) -> Vec<u32> {
    let namespace = |pid: &str| fs::metadata(format!("/proc/{pid}/ns/pid")).map(|m| m.ino()).ok();
    let Some(wanted) = namespace(&init.as_raw_nonzero().to_string()) else { return vec![] };
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
    names.filter(|pid| pid.parse::<u32>().is_ok() && namespace(pid) == Some(wanted)).filter_map(|pid| pid.parse().ok()).collect()
}

/// What these processes use. Shares are counted exactly only when the cheap count says more than `enough_bytes`.
pub(crate) fn usage(pids: &[u32], enough_bytes: u64) -> Use {
    let mut all = Use::default();
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        all.threads += field(&status, "Threads:");
        all.memory_bytes += (field(&status, "RssAnon:") + field(&status, "RssShmem:")) * 1024;
    }
    if all.memory_bytes > enough_bytes {
        let share = |pid: &u32| field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default(), "Pss:") * 1024;
        all.memory_bytes = pids.iter().map(share).sum();
    }
    all
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
