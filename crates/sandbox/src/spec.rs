//! What a sandbox is made of, as its caller says it; checked before anything is started.

use crate::{limits, mounts::USR_HIDDEN};
use domain::{Problem, capacity::Resources};
use std::{
    collections::BTreeSet,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

/// Where the worktree is seen inside.
pub(crate) const WORK: &str = "/work";
/// Where the engine's home is seen inside.
pub(crate) const HOME: &str = "/home/agent";
/// Where the brief is seen inside.
pub(crate) const BRIEF: &str = "/brief";
/// Below which folders are seen at another path than on the host.
pub(crate) const SHOWN: &str = "/opt/meshwork";
/// Where the folder for caches is seen inside.
pub const CACHES: &str = "/opt/meshwork/caches";
/// Where our own executable and the forwarded sockets are seen inside.
pub(crate) const OURS: &str = "/run/meshwork";

/// A loopback port inside that leads to a unix socket of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The port on 127.0.0.1 inside; 1024 or higher.
    pub port: u16,
    /// The host's socket; it must exist, and listen, before the sandbox is spawned.
    pub socket: PathBuf,
}

/// What is run, what it sees, and what it may use.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Program and arguments, as seen inside. The program is looked for in `PATH` of `env`.
    pub command: Vec<String>,
    /// The command's environment. `HOME`, `USER`, `PATH`, `LANG`, `TMPDIR` are set unless given here.
    pub env: Vec<(String, String)>,
    /// The worktree: seen at `/work`, writable; the command starts there.
    pub work: PathBuf,
    /// The private home: seen at `/home/agent`, writable.
    pub home: PathBuf,
    /// Folders and files that are seen at the same path, read-only.
    pub readonly: Vec<PathBuf>,
    /// Folders that are seen elsewhere, read-only: where on the host, and below `/opt/meshwork` inside.
    pub shown: Vec<(PathBuf, PathBuf)>,
    /// A folder that is seen at [`CACHES`], writable: what package managers fetch and unpack.
    pub caches: Option<PathBuf>,
    /// A folder that is seen at `/brief`, read-only.
    pub brief: Option<PathBuf>,
    /// Loopback ports that lead to sockets of the host.
    pub forwards: Vec<Forward>,
    /// The executable that has the verb `bridge` ([`crate::bridge_main`]).
    pub bridge: PathBuf,
    /// What it may use; 0 stands for the defaults in [`crate::limits`].
    pub resources: Resources,
    /// Processes and threads at most; 0 stands for the default.
    pub processes_max: u32,
}

/// Limits after defaults are put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub cpu_milli: u64,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub processes: u32,
}

impl Spec {
    /// The same sandbox for another command: a project's checks in a sandbox equal to the engine's.
    #[must_use]
    pub fn with_command(&self, command: Vec<String>, env: Vec<(String, String)>) -> Self {
        Self { command, env, ..self.clone() }
    }

    /// The limits, defaults put in.
    pub(crate) fn bounds(&self) -> Bounds {
        let or = |asked: u64, default: u64| if asked == 0 { default } else { asked };
        Bounds {
            cpu_milli: or(self.resources.cpu_milli, limits::CPU_MILLI_DEFAULT).max(10),
            memory_bytes: or(self.resources.memory_bytes, limits::MEMORY_BYTES_DEFAULT).max(limits::MEMORY_BYTES_MIN),
            disk_bytes: or(self.resources.disk_bytes, limits::DISK_BYTES_DEFAULT),
            processes: if self.processes_max == 0 { limits::PROCESSES_DEFAULT } else { self.processes_max }.max(limits::PROCESSES_MIN),
        }
    }

    /// Finds what cannot work before anything is started, so that the words are ours and not bubblewrap's.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err(Problem::invalid("There is no command to run in the sandbox."));
        }
        let texts = self.command.iter().chain(self.env.iter().flat_map(|(k, v)| [k, v]));
        if texts.clone().any(|t| t.contains('\0')) || self.env.iter().any(|(k, _)| k.is_empty() || k.contains('=')) {
            return Err(Problem::invalid("A command or an environment variable for the sandbox is not well formed."));
        }
        if texts.map(|t| t.len() + 1).sum::<usize>() > limits::JOB_BYTES_MAX {
            return Err(Problem::invalid(format!("Command and environment are longer than {} bytes.", limits::JOB_BYTES_MAX)));
        }
        let folders = [Some(&self.work), Some(&self.home), self.brief.as_ref(), self.caches.as_ref()];
        for path in folders.into_iter().flatten() {
            absolute(path)?;
            if !path.is_dir() {
                return Err(Problem::not_found(format!("The folder {} for the sandbox does not exist.", path.display())));
            }
        }
        self.check_readonly()?;
        self.check_forwards()
    }

    fn check_readonly(&self) -> Result<(), Problem> {
        if self.readonly.len() + self.shown.len() > limits::READONLY_MAX {
            return Err(Problem::invalid(format!("A sandbox shows {} read-only folders at most.", limits::READONLY_MAX)));
        }
        for (host, inside) in &self.shown {
            absolute(host)?;
            absolute(inside)?;
            if !inside.starts_with(SHOWN) || inside.starts_with(CACHES) || !host.exists() {
                return Err(Problem::not_found(format!("{} cannot be shown in the sandbox as {}.", host.display(), inside.display())));
            }
        }
        for path in self.readonly.iter().chain([&self.bridge]) {
            absolute(path)?;
            if !path.exists() {
                return Err(Problem::not_found(format!("{} is to be seen in the sandbox, but does not exist.", path.display())));
            }
        }
        for path in &self.readonly {
            if self.work.starts_with(path) || self.home.starts_with(path) {
                return Err(Problem::invalid(format!("{} cannot be shown in the sandbox.", path.display()))
                    .because("It holds the worktree or the private home itself, and so perhaps those of others."));
            }
            if !can_show(path) {
                return Err(Problem::invalid(format!("{} cannot be shown in the sandbox at that path.", path.display()))
                    .because("The sandbox has something of its own there, or hides what is there.")
                    .next("Move it to another folder (the data folder, for engines) and try again."));
            }
        }
        Ok(())
    }

    fn check_forwards(&self) -> Result<(), Problem> {
        if self.forwards.len() > limits::FORWARDS_MAX {
            return Err(Problem::invalid(format!("A sandbox forwards {} ports at most.", limits::FORWARDS_MAX)));
        }
        let ports: BTreeSet<u16> = self.forwards.iter().map(|f| f.port).collect();
        // Below, binding needs a capability, and inside nobody has one.
        if ports.len() < self.forwards.len() || ports.first().is_some_and(|port| *port < 1024) {
            return Err(Problem::invalid("The ports that a sandbox forwards must differ, and be 1024 or higher."));
        }
        for forward in &self.forwards {
            absolute(&forward.socket)?;
            if !forward.socket.exists() {
                return Err(Problem::not_found(format!("The socket {} for the sandbox does not exist.", forward.socket.display())));
            }
        }
        Ok(())
    }
}

/// Whether the sandbox can show something of the host at this path: it has nothing of its own there, and hides nothing there.
pub fn can_show(path: &Path) -> bool {
    // Mount points are made along this path; where the engine can write it could lay links there.
    let ours = [WORK, HOME, BRIEF, OURS, SHOWN, "/proc", "/dev", "/sys"];
    let mut taken = ours.iter().chain(&USR_HIDDEN);
    path != Path::new("/") && !taken.any(|taken| path.starts_with(taken) || Path::new(taken).starts_with(path))
}

fn absolute(path: &Path) -> Result<(), Problem> {
    let plain = path.is_absolute() && !path.components().any(|c| c == Component::ParentDir) && !path.as_os_str().as_bytes().contains(&0);
    if plain { Ok(()) } else { Err(Problem::invalid(format!("{} is not an absolute path.", path.display()))) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::Kind;

    fn spec(dir: &Path) -> Spec {
        let (work, home) = (dir.join("work"), dir.join("home"));
        std::fs::create_dir_all(&work).unwrap();
        std::fs::create_dir_all(&home).unwrap();
        Spec {
            command: vec!["true".into()],
            env: vec![],
            work,
            home,
            readonly: vec![],
            shown: vec![],
            caches: None,
            brief: None,
            forwards: vec![],
            bridge: "/bin/sh".into(),
            resources: Resources::default(),
            processes_max: 0,
        }
    }

    type Change = Box<dyn Fn(&mut Spec)>;

    #[test]
    fn what_cannot_work_is_refused_with_the_right_kind() {
        let dir = tempfile::tempdir().unwrap();
        let good = spec(dir.path());
        assert_eq!(good.check(), Ok(()));
        let table: Vec<(&str, Kind, Change)> = vec![
            ("no command", Kind::Invalid, Box::new(|s| s.command.clear())),
            ("nul in the command", Kind::Invalid, Box::new(|s| s.command.push("a\0b".into()))),
            ("= in a variable", Kind::Invalid, Box::new(|s| s.env.push(("A=B".into(), "c".into())))),
            ("too long", Kind::Invalid, Box::new(|s| s.command.push("x".repeat(limits::JOB_BYTES_MAX)))),
            ("no worktree", Kind::NotFound, Box::new(|s| s.work.push("gone"))),
            ("relative", Kind::Invalid, Box::new(|s| s.home = "home".into())),
            ("climbs", Kind::Invalid, Box::new(|s| s.home.push(".."))),
            ("the root", Kind::Invalid, Box::new(|s| s.readonly.push("/".into()))),
            ("its own parent", Kind::Invalid, Box::new(|s| s.readonly.push(s.work.parent().unwrap().into()))),
            ("over /proc", Kind::Invalid, Box::new(|s| s.readonly.push("/proc/self".into()))),
            ("no such toolchain", Kind::NotFound, Box::new(|s| s.readonly.push("/usr/no-such".into()))),
            ("a low port", Kind::Invalid, Box::new(|s| s.forwards.push(Forward { port: 80, socket: "/dev/null".into() }))),
            ("no socket", Kind::NotFound, Box::new(|s| s.forwards.push(Forward { port: 8080, socket: "/run/no-such".into() }))),
        ];
        for (name, kind, change) in table {
            let mut spec = good.clone();
            change(&mut spec);
            assert_eq!(spec.check().err().map(|p| p.kind), Some(kind), "{name}");
        }
    }

    #[test]
    fn what_is_hidden_of_usr_is_shown_neither_by_itself_nor_with_what_holds_it() {
        for hidden in ["/usr", "/usr/local", "/usr/local/etc", "/usr/local/etc/ssl", "/usr/etc", "/usr/local/var/lib"] {
            assert!(!can_show(Path::new(hidden)), "{hidden}");
        }
        for shown in ["/usr/local/go", "/usr/local/bin", "/usr/share/node", "/opt/etc"] {
            assert!(can_show(Path::new(shown)), "{shown}");
        }
    }

    #[test]
    fn nothing_asked_means_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let bounds = spec(dir.path()).bounds();
        assert_eq!(bounds.memory_bytes, limits::MEMORY_BYTES_DEFAULT);
        assert_eq!(bounds.processes, limits::PROCESSES_DEFAULT);
    }
}
