//! One program that is to run as long as we do: started, watched, started again, ended. It knows nothing of what the program is.

use super::{unwritten, write};
use crate::limits;
use domain::Problem;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// What is to run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// The program and its arguments; one of them names `dir`, by which one that was left behind is known again.
    pub(super) command: Vec<OsString>,
    /// Its folder: the log and the process id go there.
    pub(super) dir: PathBuf,
}

/// How a supervised program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Up {
        /// Its process.
        pid: u32,
    },
    /// It ended, and is started again after a pause.
    Down {
        /// How it ended.
        why: String,
        /// How often in a row it did not stay up.
        tries: u32,
        /// The pause.
        pause: Duration,
    },
    /// It was told to end, and has.
    Ended,
}

/// A program that is started again when it ends. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    state: watch::Receiver<State>,
    stop: watch::Sender<bool>,
    last: Last,
    task: JoinHandle<()>,
}

/// The last lines that it said.
type Last = Arc<Mutex<VecDeque<String>>>;

/// How many of them are kept.
const LAST_LINES: usize = 5;

impl Running {
    /// Starts it, once one that was left behind is gone.
    pub(super) fn start(program: Program) -> Result<Self, Problem> {
        end_left_behind(&program);
        let last = Last::default();
        let child = spawn(&program, &last)?;
        let (told, state) = watch::channel(State::Up { pid: child.id().unwrap_or_default() });
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(supervise(program, child, told, stop.subscribe(), last.clone()));
        Ok(Self { state, stop, last, task })
    }

    /// How it does.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until it does otherwise than when this was asked last.
    pub async fn changed(&mut self) -> State {
        let _ = self.state.changed().await;
        self.state.borrow_and_update().clone()
    }

    /// What it said last.
    pub fn last_words(&self) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().map(|line| domain::shown(line)).collect::<Vec<_>>().join(" / ")
    }

    /// Ends it, and waits for that.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = timeout(limits::PROGRAM_ENDS * 2, &mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its process is killed with the task that holds it.
        self.task.abort();
    }
}

async fn supervise(program: Program, mut child: Child, told: watch::Sender<State>, mut stop: watch::Receiver<bool>, last: Last) {
    let mut tries = 0_u32;
    loop {
        let since = Instant::now();
        let ended = tokio::select! {
            ended = child.wait() => Some(ended),
            _ = stop.wait_for(|s| *s) => None,
        };
        let Some(ended) = ended else {
            end(&mut child).await;
            let _ = fs::remove_file(pid_file(&program));
            told.send_replace(State::Ended);
            return;
        };
        tries = if since.elapsed() >= limits::PROGRAM_STAYED { 1 } else { tries.saturating_add(1) };
        let mut why = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        loop {
            let pause = limits::PROGRAM_PAUSES.after(tries.saturating_sub(1));
            tracing::warn!(program = program.name, %why, tries, ?pause, "it ended, and is started again after a pause");
            told.send_replace(State::Down { why: why.clone(), tries, pause });
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.wait_for(|s| *s) => {
                    told.send_replace(State::Ended);
                    return;
                }
            }
            match spawn(&program, &last) {
                Ok(started) => {
                    child = started;
                    break;
                }
                Err(problem) => {
                    why = problem.to_string();
                    tries = tries.saturating_add(1);
                }
            }
        }
        told.send_replace(State::Up { pid: child.id().unwrap_or_default() });
    }
}

fn spawn(program: &Program, last: &Last) -> Result<Child, Problem> {
    let mut words = program.command.iter();
    let first = words.next().ok_or_else(|| Problem::internal("a program without a name"))?;
    let mut command = Command::new(first);
    command.args(words).current_dir(&program.dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    bare(command.as_std_mut());
    let mut child = command.spawn().map_err(|e| command_error(program.name, &e))?;
    write(&pid_file(program), &child.id().unwrap_or_default().to_string())?;
    if let Some(said) = child.stderr.take() {
        tokio::spawn(keep_log(said, program.dir.join(format!("{}.log", program.name)), last.clone()));
    }
    Ok(child)
}

/// Leaves a program of this process's environment only where programs, folders, certificates and proxies are: it is told everything else by
/// its arguments, and what this process was told, as the passphrase of a key, is not its business.
pub(super) fn bare(command: &mut std::process::Command) {
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| std::env::var_os(name).map(|value| (*name, value))));
}

/// What it keeps.
pub(super) const KEPT: [&str; 13] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

pub(super) fn command_error(name: &str, error: &std::io::Error) -> Problem {
    Problem::unavailable(format!("The program {name} cannot be started: {error}.")).next("Install it, or mend its rights.")
}

fn pid_file(program: &Program) -> PathBuf {
    program.dir.join(format!("{}.pid", program.name))
}

/// Told to end; killed where it does not.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).unwrap_or_default())) {
        let _ = kill_process(pid, Signal::TERM);
    }
    if timeout(limits::PROGRAM_ENDS, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// Kills one that a crash of ours left: by its id, where its command line still names its folder.
fn end_left_behind(program: &Program) {
    let Some(pid) = fs::read_to_string(pid_file(program)).ok().and_then(|text| text.trim().parse::<i32>().ok()) else { return };
    let names_it = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let folder = program.dir.as_os_str().as_encoded_bytes();
        !folder.is_empty() && line.windows(folder.len()).any(|part| part == folder)
    };
    let Some(id) = Pid::from_raw(pid).filter(|_| names_it()) else { return };
    tracing::warn!(program = program.name, pid, "one that was left behind is ended");
    let _ = kill_process(id, Signal::KILL);
    let until = std::time::Instant::now() + limits::PROGRAM_ENDS;
    while names_it() && std::time::Instant::now() < until {
        std::thread::sleep(limits::PROGRAM_LOOK_EVERY);
    }
}

/// Writes what it says into its log, and begins that anew when it is full; the one before is kept.
async fn keep_log(said: impl AsyncRead + Unpin, path: PathBuf, last: Last) {
    let mut lines = BufReader::new(said);
    let Ok((mut file, mut bytes)) = open_log(&path) else { return };
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end is cut, and goes on as the next.
        let most = u64::try_from(limits::PROGRAM_LINE_BYTES_MAX).unwrap_or(u64::MAX);
        match (&mut lines).take(most).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            last.push_back(String::from_utf8_lossy(&line).trim().to_owned());
            while last.len() > LAST_LINES {
                last.pop_front();
            }
        }
        if bytes >= limits::PROGRAM_LOG_BYTES_MAX {
            let _ = fs::rename(&path, path.with_extension("log.1"));
            match open_log(&path) {
                Ok(anew) => (file, bytes) = anew,
                Err(problem) => tracing::warn!(%problem, "a log was not begun anew"),
            }
        }
        // A full disk must not stop the program: what cannot be written is lost.
        if file.write_all(&line).is_ok() {
            bytes = bytes.saturating_add(u64::try_from(line.len()).unwrap_or_default());
        }
    }
}

fn open_log(path: &Path) -> Result<(File, u64), Problem> {
    let file = File::options().create(true).append(true).open(path).map_err(|e| unwritten(path, &e))?;
    let bytes = file.metadata().map(|m| m.len()).unwrap_or_default();
    Ok((file, bytes))
}
