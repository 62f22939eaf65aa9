//! Running the `git` executable: only on repositories of our own or of the person, never on one that an engine can write.

use crate::limits;
use domain::{Kind, Problem};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Whose configuration git heeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Config {
    /// Nobody's: local work.
    None,
    /// The person's own, for their credentials at other hosts.
    Person,
}

/// What git said.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs git in `dir` and fails with its own words when it fails. `what` says what was being done, in one sentence.
pub(crate) fn run<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>, what: &str) -> Result<String, Problem> {
    let output = output(command(dir, Config::None).args(args), limits::GIT_LOCAL)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Problem::new(Kind::Unavailable, what).because(last_words(&output.stderr)))
}

/// A git command in `dir` that runs no hooks, asks nothing, and uses no helpers of others.
pub(crate) fn command(dir: &Path, config: Config) -> Command {
    let mut git = Command::new("git");
    git.current_dir(dir).env_clear().stdin(Stdio::null());
    for name in ["PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        keep(&mut git, name);
    }
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "true").env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    git.env("GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file").env("GIT_PROTOCOL_FROM_USER", "0");
    match config {
        Config::None => {
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_ATTR_NOSYSTEM", "1");
        }
        Config::Person => {
            git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20");
            for name in PERSONS {
                keep(&mut git, name);
            }
        }
    }
    let pairs = ["core.hooksPath=/dev/null", "safe.directory=*", "gc.auto=0", "maintenance.auto=false", "core.fsmonitor=false"];
    for pair in pairs {
        git.arg("-c").arg(pair);
    }
    git
}

/// What of a person's environment git needs to sign in somewhere as them.
const PERSONS: [&str; 10] = [
    "HOME",
    "USER",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "NO_PROXY",
];

fn keep(git: &mut Command, name: &str) {
    if let Some(value) = std::env::var_os(name) {
        git.env(name, value);
    }
}

/// Runs a command to its end, or ends it and everything it started when its time is over.
pub(crate) fn output(git: &mut Command, limit: Duration) -> Result<Output, Problem> {
    let mut child = git.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().map_err(missing)?;
    let (done, ended) = mpsc::channel();
    let stdout = read(child.stdout.take(), done.clone());
    let stderr = read(child.stderr.take(), done);
    let in_time = (0..2).all(|_| ended.recv_timeout(limit).is_ok());
    if !in_time {
        end(&mut child);
        return Err(Problem::new(Kind::Timeout, format!("git took longer than {} s.", limit.as_secs())));
    }
    let status = child.wait().map_err(Problem::internal)?;
    let text = |handle: thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&handle.join().unwrap_or_default()).into_owned();
    Ok(Output { status, stdout: text(stdout), stderr: text(stderr) })
}

fn read(pipe: Option<impl Read + Send + 'static>, done: mpsc::Sender<()>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(limits::GIT_OUTPUT_BYTES_MAX).read_to_end(&mut kept);
            // The rest is read too, so that git never waits for us.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = done.send(());
        kept
    })
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

fn missing(cause: std::io::Error) -> Problem {
    if cause.kind() == ErrorKind::NotFound {
        return Problem::unavailable("git is not installed.").next("Install it, on Debian and Ubuntu with `apt install git`.");
    }
    Problem::unavailable("git could not be started.").because(cause.to_string())
}

/// The last lines of what git said, in one line and cut; credentials in addresses are taken out.
pub(crate) fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("hint:")).collect();
    let said = lines[lines.len().saturating_sub(3)..].join("; ");
    let said: String = redact(&said).chars().filter(|c| !c.is_control()).take(400).collect();
    if said.is_empty() { "git gave no reason.".to_owned() } else { format!("git says: {said}.") }
}

/// Text without the user and password of addresses in it.
pub(crate) fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let host_end = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"').unwrap_or(after.len());
        rest = after[..host_end].rfind('@').map_or(after, |user| &after[user + 1..]);
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn credentials_never_reach_a_message() {
        let table = [
            ("fatal: https://joe:s3cret@host/x.git not found", "fatal: https://host/x.git not found"),
            ("https://token@a/b and ssh://git@c/d", "https://a/b and ssh://c/d"),
            ("plain text", "plain text"),
        ];
        for (said, expected) in table {
            assert_eq!(redact(said), expected);
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let mut slow = Command::new("sh");
        slow.args(["-c", "sleep 600 & echo $!; wait"]);
        let problem = output(&mut slow, Duration::from_millis(200)).err().unwrap();
        assert_eq!(problem.kind, Kind::Timeout);
    }
}
