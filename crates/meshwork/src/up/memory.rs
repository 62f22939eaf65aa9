//! Memory that a process gives back once it has started: much of its program is needed for that alone.
//!
//! What of the program's file was touched, and what lies around that, stays mapped, and counts as this process's memory, though it is only
//! the system's cache of a file. Unmapped now and then, only what is used meanwhile is mapped again.
//!
//! What was allocated and is free goes back by itself while work goes on, and by a thread of the allocator (jemalloc) while none does.

use std::{fs, io, time::Duration};

/// How long after the start it is done first.
const AFTER_START: Duration = Duration::from_secs(30);
/// How often it is done again: work maps more of the program than idling needs.
const EVERY: Duration = Duration::from_secs(120);

/// Gives back what is not used, as long as the process runs.
pub(super) async fn give_back() {
    if let Err(error) = purge_when_idle() {
        tracing::debug!(%error, "what is free is given back only while something is allocated");
    }
    tokio::time::sleep(AFTER_START).await;
    loop {
        if let Ok(Err(error)) = tokio::task::spawn_blocking(unmap_code).await {
            tracing::debug!(%error, "the program's memory is not given back");
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Has the allocator's thread run, which the short-lived processes of this program do without.
#[allow(unsafe_code)]
fn purge_when_idle() -> io::Result<()> {
    let mut on = true;
    // SAFETY: the name is a C string, nothing is asked for, and what is read for “background_thread” is one bool (jemalloc(3)).
    let failed = unsafe {
        let new = (&raw mut on).cast();
        tikv_jemalloc_sys::mallctl(c"background_thread".as_ptr(), std::ptr::null_mut(), std::ptr::null_mut(), new, size_of::<bool>())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

/// Unmaps the pages of the program's code. What is used of them is mapped again, from the system's cache.
fn unmap_code() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    maps.lines().filter_map(|line| code(line, program.to_str()?)).try_for_each(|(start, length)| unmap(start, length))
}

/// Where a line of `/proc/self/maps` (proc_pid_maps(5)) maps code of this program: its address and its length in bytes.
fn code(line: &str, program: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let here = rest.starts_with("r-xp") && rest.ends_with(program) && rest[..rest.len() - program.len()].ends_with(' ');
    let (start, end) = range.split_once('-').filter(|_| here)?;
    let at = |text| usize::from_str_radix(text, 16).ok();
    Some((at(start)?, at(end)?.checked_sub(at(start)?)?))
}

#[allow(unsafe_code)]
fn unmap(start: usize, length: usize) -> io::Result<()> {
    // SAFETY: this is code of the running program's own file, mapped without the right to write, so nothing in memory differs from the file:
    // the same bytes are there again at the next touch. The file of a running program cannot be written (ETXTBSY).
    let done = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_allocator_gives_back_by_itself() {
        purge_when_idle().unwrap();
    }

    #[test]
    fn only_code_of_the_program_itself_is_meant() {
        let line = |perms: &str, path: &str| format!("55d000-55f000 {perms} 00002000 fd:01 1234                       {path}");
        assert_eq!(code(&line("r-xp", "/usr/bin/meshwork"), "/usr/bin/meshwork"), Some((0x55_d000, 0x2000)));
        for other in
            [line("r--p", "/usr/bin/meshwork"), line("rw-p", "/usr/bin/meshwork"), line("r-xp", "/lib/libc.so.6"), line("r-xp", "")]
        {
            assert_eq!(code(&other, "/usr/bin/meshwork"), None, "{other}");
        }
        assert_eq!(code(&line("r-xp", "/other/usr/bin/meshwork"), "/usr/bin/meshwork"), None);
    }

    #[test]
    fn the_program_goes_on_without_what_was_given_back() {
        let mapped_kib = || -> usize {
            let (mut sum, mut own) = (0, false);
            let program = fs::read_link("/proc/self/exe").unwrap();
            for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
                match line.strip_prefix("Rss:") {
                    Some(rss) if own => sum += rss.trim().trim_end_matches(" kB").parse::<usize>().unwrap(),
                    None if line.split(' ').next().is_some_and(|first| first.contains('-')) => {
                        own = code(line, program.to_str().unwrap()).is_some();
                    }
                    _ => {}
                }
            }
            sum
        };
        // Whatever these tests need of the program is mapped.
        let touched = serde_json::to_string(&serde_json::json!({"a": [1, 2.5, "x"]})).unwrap();
        let before = mapped_kib();
        unmap_code().unwrap();
        let after = mapped_kib();
        assert!(before > 0 && after < before, "{before} KiB, {after} KiB");
        assert_eq!(serde_json::to_string(&serde_json::json!({"a": [1, 2.5, "x"]})).unwrap(), touched);
    }
}
