//! The runner's process: started apart from the orchestrator, so that it outlives a crash of it, and found again.

use crate::{data_dir::write_private, org::Org};
use domain::{Problem, RunId};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

/// Starts `meshwork agent run` for a run. Its output goes to a file of the run.
pub(super) fn spawn(org: &Org, run: &RunId, token: &str) -> Result<(), Problem> {
    let folder = org.dir.run(run);
    write_private(&folder.join("token"), token.as_bytes())?;
    let log = File::create(folder.join("runner.log")).map_err(Problem::internal)?;
    let errors = log.try_clone().map_err(Problem::internal)?;
    let child = Command::new(&org.options.executable)
        .args(["agent", "run", "--socket"])
        .arg(org.dir.host_socket())
        .arg("--run")
        .arg(run.as_str())
        .arg("--token-file")
        .arg(folder.join("token"))
        .env_clear()
        .envs(PASSED_ON.iter().filter_map(|name| std::env::var_os(name).map(|value| (*name, value))))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        // A session of its own: Ctrl-C in the orchestrator's terminal is not meant for it.
        .process_group(0)
        .spawn()
        .map_err(|e| Problem::unavailable(format!("The runner {} cannot be started: {e}.", org.options.executable.display())))?;
    let identity = Identity::of(child.id()).map_or_else(String::new, |i| i.to_text());
    write_private(&folder.join("runner.pid"), identity.as_bytes())?;
    reap(child);
    Ok(())
}

/// What a runner gets of our environment. Keys that happen to be in it are none of its business.
const PASSED_ON: [&str; 9] =
    ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "MESHWORK_LOG", "RUST_BACKTRACE", "DBUS_SESSION_BUS_ADDRESS"];

/// Waits for the child on a thread of its own, so that it leaves no zombie.
fn reap(mut child: std::process::Child) {
    std::thread::spawn(move || {
        let _ = child.wait();
    });
}

/// A process, told apart from a later one with the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pid: u32,
    started: u64,
}

impl Identity {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // A zombie runs no more.
        (fields.first() != Some(&"Z")).then_some(())?;
        Some(Self { pid, started: fields.get(19)?.parse().ok()? })
    }

    fn to_text(self) -> String {
        format!("{} {}", self.pid, self.started)
    }

    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join("runner.pid")).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// Whether the run's runner is still there.
pub(super) fn alive(folder: &Path) -> bool {
    Identity::read(folder).is_some_and(Identity::alive)
}

/// Ends the run's runner at once, if it is still there. Its sandbox dies with it.
pub(super) fn kill(folder: &Path) {
    if let Some(identity) = Identity::read(folder)
        && identity.alive()
        && let Some(pid) = i32::try_from(identity.pid).ok().and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        while identity.alive() {
            std::thread::yield_now();
        }
    }
}
