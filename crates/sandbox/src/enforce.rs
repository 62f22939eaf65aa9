//! What holds the limits on this machine: control groups, or, for an ordinary user without them, rlimits and a watchdog.

use crate::cgroup::{self, Parents, Version};
use domain::Problem;
use std::sync::Mutex;

/// How limits are held.
#[derive(Clone, Debug)]
pub(crate) enum Enforcement {
    /// By the kernel, for the whole sandbox together.
    Cgroup(Parents),
    /// By rlimits for each process, and by looking from time to time.
    Watched {
        /// Why there are no control groups.
        why: String,
    },
}

/// What is used here, once it is found out.
static FOUND: Mutex<Option<Enforcement>> = Mutex::new(None);

/// What is used here; found out once. As root without control groups there is nothing that binds, so it is refused.
pub(crate) fn enforcement() -> Result<Enforcement, Problem> {
    let mut found = FOUND.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(found) = &*found {
        return Ok(found.clone());
    }
    let how = match cgroup::detect() {
        Ok(parents) => Enforcement::Cgroup(parents),
        Err(why) if rustix::process::geteuid().is_root() => {
            return Err(Problem::unavailable("As root the sandbox needs control groups that can be written, and there are none.")
                .because(format!("{why} Without them nothing bounds root's processes."))
                .next("Run Meshwork as an ordinary user, or give it a writable /sys/fs/cgroup (in a container: its own cgroup namespace, mounted writable)."));
        }
        Err(why) => Enforcement::Watched { why },
    };
    Ok(found.insert(how).clone())
}

impl Enforcement {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Cgroup(parents) => {
                let version = match parents.version {
                    Version::One => "cgroup v1",
                    Version::Two => "cgroup v2",
                };
                let cpu = if parents.cpu.is_some() { ", cpu" } else { "" };
                format!("{version}: memory, pids{cpu}, freezer")
            }
            Self::Watched { .. } => "rlimits and a watchdog (no cgroup): memory, pids; cpu is not limited".into(),
        }
    }
}

/// How much memory the sandboxes of this machine hold now, in bytes, without files that the kernel can take back from them. None where no
/// control groups count it, or nobody asked yet how limits are enforced here.
pub fn memory_held() -> Option<u64> {
    let found = FOUND.lock().unwrap_or_else(|e| e.into_inner()).clone();
    match found? {
        Enforcement::Cgroup(parents) => Some(cgroup::memory_held(&parents)),
        Enforcement::Watched { .. } => None,
    }
}

/// How limits are enforced on this machine, in words, as `cgroup v1: memory, pids, cpu, freezer`.
pub fn limits_in_force() -> String {
    match enforcement() {
        Ok(how) => how.words(),
        Err(_) => "none: the sandbox refuses to work".into(),
    }
}
