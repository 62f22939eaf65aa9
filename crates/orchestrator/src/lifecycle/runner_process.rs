//! The runner's process: started apart from the orchestrator, so that it outlives a crash of it, and found again.

use crate::{data_dir::write_private, fault, limits, org::Org};
use domain::{Problem, RunId};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
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
        .arg("--org-lock")
        .arg(org.dir.lock_file())
        .env_clear()
        .envs(PASSED_ON.iter().filter_map(|name| std::env::var_os(name).map(|value| (*name, value))))
        .envs(fault::of_runners())
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

/// Ends the run's runner at once, if it is still there, and waits within a limit until it is gone. Its sandbox dies with it.
pub(super) fn kill(folder: &Path) {
    if let Some(identity) = Identity::read(folder)
        && let Err(error) = end(identity).or_else(gone)
    {
        tracing::warn!(pid = identity.pid, %error, "a runner could not be ended");
    }
}

/// By a handle of the process: its number alone may be another's by the time that the signal is sent.
fn end(identity: Identity) -> Result<(), Errno> {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    if !identity.alive() {
        return Ok(());
    }
    pidfd_send_signal(&process, Signal::KILL)?;
    let limit = Timespec { tv_sec: limits::RUNNER_DIES_WAIT_S, tv_nsec: 0 };
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    let found = retry_on_intr(|| poll(&mut ended, Some(&limit)))?;
    if found == 0 { Err(Errno::TIMEDOUT) } else { Ok(()) }
}

/// What is not there need not be ended.
fn gone(error: Errno) -> Result<(), Errno> {
    if error == Errno::SRCH { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn the_runner_is_ended_and_nobody_who_has_its_number_since() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let runner = Identity::of(child.id()).unwrap();
        let note = |identity: Identity| fs::write(folder.path().join("runner.pid"), identity.to_text()).unwrap();
        note(Identity { started: runner.started - 1, ..runner });
        kill(folder.path());
        assert!(runner.alive() && child.try_wait().unwrap().is_none());
        note(runner);
        kill(folder.path());
        assert!(!runner.alive());
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        // Once it is gone altogether there is nothing to do.
        kill(folder.path());
        assert_eq!(end(runner).or_else(gone), Ok(()));
    }
}
