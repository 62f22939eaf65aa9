//! Runs a program to its end, with a deadline and bounded output. Knows nothing of what it runs.

use crate::limits::{OUTPUT_BYTES_MAX, PIPE_S};
use domain::{Kind, Problem};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How a program ended.
pub(crate) struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output, cut.
    pub stdout: String,
    /// Its standard error, cut.
    pub stderr: String,
}

/// Why there is no end to tell of.
pub(crate) enum Failed {
    /// It could not be started.
    Start(io::Error),
    /// It took longer than this; it and its children were killed.
    Late(u64),
}

impl Failed {
    /// For people. `name` is what they call the program.
    pub(crate) fn problem(self, name: &str) -> Problem {
        match self {
            Self::Start(error) => Problem::unavailable(format!("{name} could not be started.")).because(format!("{error}.")),
            Self::Late(seconds) => Problem::new(Kind::Timeout, format!("{name} took longer than {seconds} seconds and was ended.")),
        }
    }
}

/// Runs a program in its own process group. It gets no input.
pub(crate) fn run(command: &mut Command, seconds: u64) -> Result<Ended, Failed> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(Failed::Start)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let in_time = ends(pid, seconds);
    // Also after a good end, and before its id is free again: nothing that it left behind may go on or hold the pipes.
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    let status = child.wait().map_err(Failed::Start)?;
    if !in_time {
        return Err(Failed::Late(seconds));
    }
    let text = |pipe: mpsc::Receiver<String>| pipe.recv_timeout(Duration::from_secs(PIPE_S)).unwrap_or_default();
    Ok(Ended { status, stdout: text(stdout), stderr: text(stderr) })
}

/// Waits until the program ended, without taking its status yet; whether that was in time.
fn ends(pid: Option<Pid>, seconds: u64) -> bool {
    let (done, end) = mpsc::channel();
    thread::spawn(move || {
        if let Some(pid) = pid {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
        done.send(())
    });
    end.recv_timeout(Duration::from_secs(seconds)).is_ok()
}

/// Reads to the end, keeps the beginning, drops the rest.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (done, end) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut kept);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        done.send(String::from_utf8_lossy(&kept).into_owned())
    });
    end
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::time::Instant;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_status_arrive_and_output_is_bounded() {
        let ended = run(&mut sh("echo out; echo err >&2; exit 3"), 20).ok().unwrap();
        assert_eq!((ended.status.code(), ended.stdout.as_str(), ended.stderr.as_str()), (Some(3), "out\n", "err\n"));
        let ended = run(&mut sh("head -c 3000000 /dev/zero"), 20).ok().unwrap();
        assert_eq!(ended.stdout.len() as u64, OUTPUT_BYTES_MAX);
    }

    #[test]
    fn what_takes_too_long_is_ended_with_its_children() {
        let begun = Instant::now();
        let failed = run(&mut sh("sleep 100 & sleep 100"), 1).err().map(|f| f.problem("it"));
        assert_eq!(failed.map(|p| p.kind), Some(Kind::Timeout));
        // A child in the background that keeps the pipes open is ended too.
        assert!(run(&mut sh("sleep 100 & exit 0"), 20).is_ok_and(|e| e.status.success()));
        assert!(begun.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let failed = run(&mut Command::new("/nowhere/at/all"), 1).err().map(|f| f.problem("it"));
        assert_eq!(failed.map(|p| p.kind), Some(Kind::Unavailable));
    }
}
