//! What a living process has: arguments, environment, open files, memory.

use super::Search;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// How much of memory is read at a time.
const PIECE_BYTES: usize = 16 * 1024 * 1024;
/// How much of the piece before is read again, so that nothing is cut.
const OVERLAP_BYTES: usize = 4096;
/// Areas that the kernel lends and nobody can read.
const KERNELS_OWN: [&str; 4] = ["[vvar]", "[vsyscall]", "[vvar_vclock]", "[uprobes]"];

impl Search {
    /// Looks at a living process. Whether it was still there at the end; what it took with it then could not be read.
    pub fn process(&mut self, kind: &str, pid: i32) -> bool {
        let root = format!("/proc/{pid}");
        for name in ["cmdline", "environ", "comm", "maps", "mountinfo", "status"] {
            match fs::read(format!("{root}/{name}")) {
                Ok(bytes) => self.bytes(kind, &format!("{name} of process {pid}"), &bytes),
                Err(error) => self.unread(pid, name, &error),
            }
        }
        if let Err(error) = self.open_files(kind, pid) {
            self.unread(pid, "fd", &error);
        }
        if let Err(error) = self.memory(&format!("{kind}: memory"), pid) {
            self.unread(pid, "mem", &error);
        }
        Path::new(&root).exists()
    }

    fn unread(&mut self, pid: i32, what: &str, error: &io::Error) {
        // A process that ended meanwhile has nothing any more.
        if Path::new(&format!("/proc/{pid}")).exists() {
            self.unreadable.push(format!("{what} of process {pid}: {error}"));
        }
    }

    fn open_files(&mut self, kind: &str, pid: i32) -> io::Result<()> {
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
            let leads = fs::read_link(entry?.path());
            self.bytes(kind, &format!("an open file of process {pid}"), leads.unwrap_or_default().as_os_str().as_encoded_bytes());
        }
        Ok(())
    }

    fn memory(&mut self, kind: &str, pid: i32) -> io::Result<()> {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let mut buffer = vec![0; PIECE_BYTES];
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (Some(range), Some(rights)) = (fields.next(), fields.next()) else { continue };
            let name = fields.nth(3).unwrap_or_default();
            // Programs and libraries, as they lie on disk, are nobody's secret: only what can be written holds any.
            let own = rights.starts_with("rw") || (rights.starts_with('r') && !name.starts_with('/'));
            if !own || KERNELS_OWN.contains(&name) {
                continue;
            }
            let bound = |text: &str| u64::from_str_radix(text, 16).ok();
            let Some((Some(begin), Some(end))) = range.split_once('-').map(|(b, e)| (bound(b), bound(e))) else { continue };
            self.area(kind, pid, &memory, &mut buffer, begin..end);
        }
        Ok(())
    }

    fn area(&mut self, kind: &str, pid: i32, memory: &File, buffer: &mut [u8], area: std::ops::Range<u64>) {
        let mut at = area.start;
        while at < area.end {
            let want = usize::try_from(area.end - at).unwrap_or(usize::MAX).min(buffer.len());
            match memory.read_at(&mut buffer[..want], at) {
                Ok(0) => break,
                Ok(read) => {
                    self.bytes(kind, &format!("memory of process {pid} at {at:x}"), &buffer[..read]);
                    let step = if read > 2 * OVERLAP_BYTES { read - OVERLAP_BYTES } else { read };
                    at += if at + read as u64 >= area.end { read as u64 } else { step as u64 };
                }
                // An area that was given back since its line was read.
                Err(error) if matches!(error.raw_os_error(), Some(5 | 14)) => break,
                Err(error) => return self.unread(pid, "mem", &error),
            }
        }
    }
}
