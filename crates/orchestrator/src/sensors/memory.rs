//! How much memory there is for runs: `/proc/meminfo` (proc_meminfo(5)), and what the control groups of version 2 around this process leave
//! of it (the kernel's cgroup-v2 document), as a container's or a service's bound.

use super::text;
use std::path::{Path, PathBuf};

/// The machine's memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All that this process, and what it starts, may ever have.
    pub(crate) total_bytes: u64,
    /// What of it could be had now without taking it from anybody; none: not known.
    pub(crate) available_bytes: Option<u64>,
    /// What sandboxes hold, which is not available any more; none: nothing counts it.
    pub(crate) held_bytes: Option<u64>,
}

impl Memory {
    /// What is free where so much is reserved for runs that were leased.
    ///
    /// What runs hold already is missing in what is available, and reserved too: counted once, so it is added again. What they do not hold
    /// yet is promised to them, so all that is reserved goes off. Where nothing counts what they hold, it is taken to be all of that.
    pub(crate) fn free_bytes(&self, reserved_bytes: u64) -> u64 {
        let unreserved = self.total_bytes.saturating_sub(reserved_bytes);
        let Some(available) = self.available_bytes else { return unreserved };
        let held = self.held_bytes.map_or(reserved_bytes, |held| held.min(reserved_bytes));
        unreserved.min(available.saturating_add(held).saturating_sub(reserved_bytes))
    }
}

/// Reads it; what sandboxes hold is not looked at.
pub(super) fn read(root: &Path) -> Memory {
    let info = text(&root.join("proc/meminfo")).unwrap_or_default();
    let kib = |name| field(&info, name).map(|kib| kib.saturating_mul(1024));
    let mut memory =
        Memory { total_bytes: kib("MemTotal").unwrap_or_else(ram_bytes), available_bytes: kib("MemAvailable"), held_bytes: None };
    for group in groups(root) {
        // One without a bound says `max`.
        let Some(bound) = number(&group.join("memory.max")) else { continue };
        memory.total_bytes = memory.total_bytes.min(bound);
        if let Some(left) = left_in(&group, bound) {
            memory.available_bytes = Some(memory.available_bytes.map_or(left, |available| available.min(left)));
        }
    }
    memory
}

/// What a group may still have: files that nobody reads just now make room when it is wanted.
fn left_in(group: &Path, bound: u64) -> Option<u64> {
    let current = number(&group.join("memory.current"))?;
    let stat = text(&group.join("memory.stat")).unwrap_or_default();
    let inactive = field(&stat, "inactive_file").unwrap_or_default();
    Some(bound.saturating_sub(current.saturating_sub(inactive)))
}

/// The folders of this process's group and of those around it, as far as they are to be seen.
fn groups(root: &Path) -> Vec<PathBuf> {
    let own = text(&root.join("proc/self/cgroup")).unwrap_or_default();
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) else { return vec![] };
    let top = root.join("sys/fs/cgroup");
    top.join(path).ancestors().take_while(|at| at.starts_with(&top)).map(Path::to_owned).collect()
}

fn number(file: &Path) -> Option<u64> {
    text(file)?.parse().ok()
}

/// The number behind a name, in a file of one a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let of = |line: &str| line.split_once([':', ' ']).filter(|(found, _)| *found == name)?.1.split_whitespace().next()?.parse().ok();
    text.lines().find_map(of)
}

/// The memory of the machine by the kernel's own word.
fn ram_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64).saturating_mul(u64::from(info.mem_unit).max(1))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::root, *};

    const GIB: u64 = 1 << 30;
    const INFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n");

    fn memory(total_gib: u64, available_gib: u64) -> Memory {
        Memory { total_bytes: total_gib * GIB, available_bytes: Some(available_gib * GIB), held_bytes: None }
    }

    #[test]
    fn what_others_use_is_not_available_and_a_machine_that_does_not_say_is_not_known() {
        assert_eq!(read(root(&[INFO]).path()), memory(16, 8));
        let silent = read(root(&[]).path());
        assert!(silent.total_bytes > 0 && silent.available_bytes.is_none(), "{silent:?}");
    }

    #[test]
    fn every_control_group_around_bounds_it() {
        let files = [
            INFO,
            ("proc/self/cgroup", "1:name=systemd:/x\n0::/box/meshwork\n"),
            ("sys/fs/cgroup/box/meshwork/memory.max", "max\n"),
            ("sys/fs/cgroup/box/meshwork/memory.current", "1\n"),
            ("sys/fs/cgroup/box/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/box/memory.current", "3221225472\n"),
            ("sys/fs/cgroup/box/memory.stat", "anon 2147483648\ninactive_file 1073741824\n"),
        ];
        assert_eq!(read(root(&files).path()), memory(4, 2));
        // A container sees its own group as the top.
        let container = [INFO, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "2147483648\n")];
        assert_eq!(read(root(&container).path()), memory(2, 8));
    }

    #[test]
    fn what_runs_hold_is_counted_once_and_what_they_may_still_take_is_kept_for_them() {
        let free = |held: Option<u64>, reserved: u64| {
            let seen = Memory { held_bytes: held.map(|gib| gib * GIB), ..memory(16, 8) };
            seen.free_bytes(reserved * GIB) / GIB
        };
        assert_eq!(free(Some(0), 0), 8);
        assert_eq!(free(Some(0), 3), 5, "nothing is held yet: it is promised all the same");
        assert_eq!(free(Some(3), 3), 8, "all is held, and missing in what is available already");
        assert_eq!(free(Some(1), 3), 6);
        assert_eq!(free(Some(9), 3), 8, "others' sandboxes are no room");
        assert_eq!(free(None, 3), 8);
        assert_eq!(free(Some(12), 12), 4, "never more than was not reserved");
        assert_eq!(free(Some(0), 20), 0);
        assert_eq!(Memory { available_bytes: None, ..memory(16, 8) }.free_bytes(4 * GIB), 12 * GIB);
    }
}
