//! A running sandbox: started, watched, frozen, thawed, ended.

use crate::{
    control::{Control, Word},
    disk, doctor,
    enforce::enforcement,
    keeper::{Keeper, Shared},
    limits, refusals,
    spec::Spec,
    stage::{Body, Stage},
};
use domain::{Kind, Problem};
use rustix::{
    fd::OwnedFd,
    process::{Pid, Signal},
};
use std::{
    collections::BTreeSet,
    io::Read,
    process::ChildStderr as StdStderr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

/// The command's standard streams: pipes, so whoever does not read holds the command up.
#[derive(Debug)]
pub struct Stdio {
    /// Its input.
    pub stdin: ChildStdin,
    /// Its output.
    pub stdout: ChildStdout,
    /// Its errors.
    pub stderr: ChildStderr,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The limit that ended it (memory, disk), in words.
    pub limit: Option<String>,
}

impl Ended {
    /// Whether it ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0) && self.limit.is_none()
    }
}

/// A command in a sandbox. Dropping it kills everything inside.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    ended: watch::Receiver<Option<Ended>>,
    stdio: Mutex<Option<Stdio>>,
    violations: Mutex<Option<mpsc::Receiver<String>>>,
    ready_us: u64,
    limits: String,
}

/// What is known when the command has started.
struct Birth {
    init: OwnedFd,
    init_pid: Pid,
    ready_us: u64,
}

/// A prepared stage that the next sandbox takes.
static SPARE: Mutex<Option<Stage>> = Mutex::new(None);

/// Prepares the next sandbox of this process as far as is possible without knowing its job; [`Sandbox::spawn`] is quicker
/// then. Worth calling while something else is waited for. Says what keeps this machine from having sandboxes at all.
pub async fn prepare() -> Result<(), Problem> {
    let stage = Stage::make().await?;
    let before = SPARE.lock().unwrap_or_else(|e| e.into_inner()).replace(stage);
    drop(before);
    Ok(())
}

/// Ends what [`prepare`] made and nobody took: before the program ends, since a static is never dropped.
pub async fn discard() {
    let spare = SPARE.lock().unwrap_or_else(|e| e.into_inner()).take();
    if let Some(stage) = spare {
        let _ = tokio::task::spawn_blocking(move || drop(stage)).await;
    }
}

async fn stage() -> Result<Stage, Problem> {
    let spare = SPARE.lock().unwrap_or_else(|e| e.into_inner()).take();
    match spare.filter(Stage::waits) {
        Some(stage) => Ok(stage),
        None => Stage::make().await,
    }
}

impl Sandbox {
    /// Makes a sandbox and starts its command. Returns when the forwarded ports accept and the command runs. Problems: what
    /// the spec asks for cannot be; the sandbox cannot work on this machine; the command cannot be executed.
    pub async fn spawn(spec: Spec) -> Result<Self, Problem> {
        let begun = Instant::now();
        spec.check()?;
        let bounds = spec.bounds();
        let mut stage = stage().await?;
        stage.go(&spec, bounds)?;
        let Stage { mut body, control, .. } = stage;
        let control = Control::new(control.ok_or_else(|| Problem::internal("a stage was used twice"))?).map_err(Problem::internal)?;
        let pipes = (body.child.stdin.take(), body.child.stdout.take(), body.child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err(Problem::internal("a sandbox without its streams")) };

        let (tell, violations) = mpsc::channel(limits::VIOLATIONS_MAX + 16);
        let program = spec.command.first().map(String::as_str).unwrap_or_default();
        let birth = timeout(Duration::from_millis(limits::READY_MS), birth(&control, begun, &tell, program)).await;
        let birth = match birth {
            Ok(Ok(Some(birth))) => birth,
            Ok(Ok(None)) => return Err(complaint(body, stderr)),
            Ok(Err(problem)) => return Err(problem),
            Err(_) => return Err(Problem::new(Kind::Timeout, format!("The sandbox was not ready within {} s.", limits::READY_MS / 1000))),
        };
        let stdio = Stdio {
            stdin: ChildStdin::from_std(stdin).map_err(Problem::internal)?,
            stdout: ChildStdout::from_std(stdout).map_err(Problem::internal)?,
            stderr: ChildStderr::from_std(stderr).map_err(Problem::internal)?,
        };
        let shared = Arc::new(Shared::new(control, body.leaf.clone(), birth.init, birth.init_pid));
        let (end, ended) = watch::channel(None);
        let disk = disk::Watch::new([spec.work, spec.home].into_iter().chain(spec.caches).collect(), bounds.disk_bytes);
        let keeper = Keeper { body, shared: shared.clone(), bounds, disk, violations: tell, ended: end, told: BTreeSet::new(), end: None };
        tokio::spawn(keeper.keep());
        Ok(Self {
            shared,
            ended,
            stdio: Mutex::new(Some(stdio)),
            violations: Mutex::new(Some(violations)),
            ready_us: birth.ready_us,
            limits: enforcement()?.words(),
        })
    }

    /// Microseconds from the call of `spawn` until the bridge accepted.
    pub fn ready_us(&self) -> u64 {
        self.ready_us
    }

    /// How its limits are enforced, in words.
    pub fn limits(&self) -> &str {
        &self.limits
    }

    /// The standard streams; once.
    pub fn take_stdio(&self) -> Option<Stdio> {
        self.stdio.lock().unwrap_or_else(|e| e.into_inner()).take()
    }

    /// Sentences about what was stopped; once. Bounded; what does not fit is dropped. Everything is in the channel by the
    /// time that [`Sandbox::wait`] returns.
    pub fn take_violations(&self) -> Option<mpsc::Receiver<String>> {
        self.violations.lock().unwrap_or_else(|e| e.into_inner()).take()
    }

    /// Waits until the command ended and everything inside is gone.
    pub async fn wait(&self) -> Ended {
        let mut ended = self.ended.clone();
        let seen = ended.wait_for(Option::is_some).await.map(|seen| seen.clone());
        // The keeper went with its runtime, which kills.
        seen.ok().flatten().unwrap_or(Ended { code: None, signal: Some(libc::SIGKILL), limit: None })
    }

    /// Freezes everything inside. When this returns, nothing inside runs.
    pub async fn freeze(&self) -> Result<(), Problem> {
        let frozen = match &self.shared.leaf {
            Some(_) => timeout(Duration::from_millis(limits::FREEZE_MS), self.freeze_group()).await,
            None => timeout(Duration::from_millis(limits::FREEZE_MS), self.stop(true)).await,
        };
        frozen.unwrap_or_else(|_| {
            let _ = self.shared.leaf.as_ref().map(|leaf| leaf.set_frozen(false));
            Err(Problem::new(Kind::Timeout, format!("The sandbox could not be frozen within {} ms.", limits::FREEZE_MS)))
        })
    }

    async fn freeze_group(&self) -> Result<(), Problem> {
        let Some(leaf) = &self.shared.leaf else { return Ok(()) };
        loop {
            if self.shared.doomed() {
                let _ = leaf.set_frozen(false);
                return Err(over());
            }
            // Asked again and again: version 1 may lag behind processes that fork meanwhile.
            leaf.set_frozen(true).map_err(|_| over())?;
            if leaf.frozen() && !self.shared.doomed() {
                return Ok(());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Without control groups the bridge stops all others.
    async fn stop(&self, stopped: bool) -> Result<(), Problem> {
        let mut state = self.shared.stopped.subscribe();
        self.shared.control.say(if stopped { &Word::Stop } else { &Word::Go }).map_err(|_| over())?;
        let mut ended = self.ended.clone();
        tokio::select! {
            _ = state.wait_for(|now| *now == stopped) => Ok(()),
            _ = ended.wait_for(Option::is_some) => Err(over()),
        }
    }

    /// Lets everything inside go on.
    pub async fn thaw(&self) -> Result<(), Problem> {
        match &self.shared.leaf {
            Some(leaf) => leaf.set_frozen(false).map_err(|_| over()),
            None => self.stop(false).await,
        }
    }

    /// Asks the command, and what is in its process group, to end (SIGTERM).
    pub fn terminate(&self) {
        self.shared.signal(Signal::TERM);
    }

    /// Kills everything inside, frozen or not. When this returns it is all gone.
    pub async fn kill(&self) -> Ended {
        self.shared.strike();
        self.wait().await
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.ended.borrow().is_none() {
            self.shared.strike();
        }
    }
}

fn over() -> Problem {
    Problem::conflict("The sandbox has ended already.")
}

/// Hears the bridge until the command runs. None: it never spoke, and bubblewrap's own words are worth more.
async fn birth(control: &Control, begun: Instant, tell: &mpsc::Sender<String>, program: &str) -> Result<Option<Birth>, Problem> {
    let mut birth = None;
    loop {
        let Some(heard) = control.hear().await.map_err(Problem::internal)? else { return Ok(None) };
        match heard.word {
            Word::Ready => {
                let ready_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                birth = heard.fd.zip(heard.pid).map(|(init, init_pid)| Birth { init, init_pid, ready_us });
            }
            Word::Listener => heard.fd.into_iter().for_each(|fd| refusals::answer(fd, tell.clone())),
            Word::Unwatched => tracing::info!("this kernel does not tell of refused system calls; they are refused all the same"),
            Word::Started => return Ok(birth),
            Word::Failed(why) if birth.is_some() => {
                return Err(Problem::not_found(format!("“{}” cannot be started in the sandbox.", domain::shown(program)))
                    .because(why)
                    .next("Check the agent's command (meshwork agent list), and that it is installed where the sandbox sees it: in /usr, or in a folder of `toolchains` in .meshwork/project.toml."));
            }
            Word::Failed(why) => return Err(Problem::unavailable("The bridge of the sandbox cannot work.").because(why)),
            _ => {}
        }
    }
}

/// Bubblewrap's own words about why it did not work, with what can be done.
fn complaint(body: Body, stderr: StdStderr) -> Problem {
    // After this everything that could write is gone, so reading ends.
    drop(body);
    let mut text = String::new();
    let _ = stderr.take(limits::COMPLAINT_BYTES_MAX as u64).read_to_string(&mut text);
    doctor::unable(text.trim())
}
