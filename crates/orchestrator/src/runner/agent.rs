//! An agent's work: the engine's turns, and the project's checks as feedback to it.

use super::{Job, checks, outlet};
use crate::below;
use domain::{
    limits::{FEEDBACK_ROUNDS_MAX, PERMISSION_WAIT_S},
    project::Check,
    run::{AgentJob, CheckResult, Reason, RunnerEvent, RunnerJob, TurnOutcome},
};
use engine::{Driver, DriverOrder, Launch, Session, Speaks};
use sandbox::{Sandbox, Spec};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Where the sandbox shows the worktree.
const WORK: &str = "/work";
/// Where the sandbox shows the engine's home.
const HOME: &str = "/home/agent";
/// The shell's exit code for a command that is not there.
pub(super) const NOT_FOUND: i32 = 127;
/// How many reports of the engine may wait.
const REPORTS_MAX: usize = 256;

/// Does the task; the worktree holds what was made, whatever the reason.
pub(super) async fn work(job: &Arc<Job>, orders: mpsc::Receiver<DriverOrder>) -> Reason {
    match try_work(job, orders).await {
        Ok(()) => Reason::Completed,
        Err(reason) => reason,
    }
}

async fn try_work(job: &Arc<Job>, mut orders: mpsc::Receiver<DriverOrder>) -> Result<(), Reason> {
    let RunnerJob::Agent(wanted) = &job.spec.job else { return Ok(()) };
    let AgentJob { prompt, checks, env, .. } = wanted.as_ref();
    let launch = prepare(job)?;
    let command = Spec {
        command: launch.command.clone(),
        env: environment(job, &launch, env),
        readonly: job.spec.tools.readonly.iter().cloned().chain(same_path(&launch)).collect(),
        shown: [&job.spec.tools.shown[..], &elsewhere(&launch)].concat(),
        ..job.sandbox_spec()
    };
    let heard = Arc::new(Heard::default());
    let (events, reports) = mpsc::channel(REPORTS_MAX);
    let relay = tokio::spawn(relay(job.clone(), reports, heard.clone()));
    let turns = async {
        let mut engine = Engine::start(job, &launch, command, events).await?;
        let mut prompt = prompt.clone();
        let mut round = 0;
        loop {
            engine.turn(&prompt, &mut orders).await?;
            let failed = feedback(job, checks, env).await?;
            // What is not installed no engine can mend.
            let mendable = failed.iter().any(|check| check.exit_code != Some(NOT_FOUND));
            let again = mendable && round < FEEDBACK_ROUNDS_MAX && engine.listens();
            let mut said = messages(&mut orders);
            if said.is_empty() && !again {
                // From here on whoever writes is told that it is too late.
                orders.close();
                said = messages(&mut orders);
                if said.is_empty() {
                    return Ok(());
                }
            }
            round += u32::from(again);
            let mut parts: Vec<String> = again.then(|| failed_prompt(&failed)).into_iter().collect();
            for (order, text) in said {
                job.link.report(RunnerEvent::MessageDelivered { order }).await;
                parts.push(text);
            }
            prompt = parts.join("\n\n");
        }
    };
    let outcome = tokio::select! {
        done = turns => done,
        reason = silence(job, &heard) => Err(reason),
    };
    job.sandboxes.kill().await;
    let _ = relay.await;
    outcome
}

/// Messages of people that came between two turns. Answers that came then are to questions that were withdrawn.
fn messages(orders: &mut mpsc::Receiver<DriverOrder>) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    while let Ok(order) = orders.try_recv() {
        if let DriverOrder::Message { order, text } = order {
            found.push((order, text));
        }
    }
    found
}

/// The engine's launch, with its home laid.
fn prepare(job: &Job) -> Result<Launch, Reason> {
    let RunnerJob::Agent(wanted) = &job.spec.job else {
        return Err(Reason::Internal { message: "not an agent's job".into() });
    };
    let AgentJob { engine, engines_dir, model, prompt, permissions, .. } = wanted.as_ref();
    let task = job.spec.task.as_ref().map(|t| t.task.as_str());
    let meshwork = sandbox::bridge_inside();
    let context = engine::Context {
        engines_dir,
        engine_inside: Some(engine::ENGINE_INSIDE),
        model: model.as_ref().map(|(name, api)| (name.as_str(), *api)),
        model_port: outlet::PORTS[0].1,
        context_port: outlet::PORTS[1].1,
        home: HOME,
        work: WORK,
        meshwork: &meshwork,
        task,
        prompt,
        permissions: *permissions,
    };
    let launch = engine::launch(engine, &context).map_err(|p| Reason::EngineMissing { message: p.to_string() })?;
    for (path, bytes) in &launch.home_files {
        lay(&job.spec.home, path, bytes).map_err(|e| Reason::Storage { message: e.to_string() })?;
    }
    Ok(launch)
}

/// What the launch wants to see at the host's own path; `/usr` is seen anyway.
fn same_path(launch: &Launch) -> impl Iterator<Item = PathBuf> {
    launch.readonly.iter().filter(|s| s.host == s.inside && !s.host.starts_with("/usr")).map(|s| s.host.clone())
}

fn elsewhere(launch: &Launch) -> Vec<(PathBuf, PathBuf)> {
    launch.readonly.iter().filter(|s| s.host != s.inside).map(|s| (s.host.clone(), s.inside.clone())).collect()
}

fn lay(home: &Path, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    // A home that an earlier run left may hold links.
    below::write(home, path, bytes, 0o600).map_err(|e| std::io::Error::other(format!("{path} cannot be laid into the engine's home: {e}")))
}

/// The engine's environment: its own, the brief's, and the toolchains, whose programs it finds as the checks do.
fn environment(job: &Job, launch: &Launch, brief: &[(String, String)]) -> Vec<(String, String)> {
    let (path, others): (Vec<_>, Vec<_>) = job.tools_env().into_iter().partition(|(name, _)| name == "PATH");
    let tools = path.into_iter().map(|(_, value)| value).next().unwrap_or_default();
    let own = launch.env.iter().map(|(name, value)| match name.as_str() {
        "PATH" => (name.clone(), format!("{value}:{tools}")),
        _ => (name.clone(), value.clone()),
    });
    own.chain(brief.iter().cloned()).chain(others).collect()
}

/// What was heard of the engine. While it waits for a person's answer, silence is normal.
#[derive(Debug, Default)]
struct Heard {
    reports: AtomicU64,
    questions: AtomicI64,
}

impl Heard {
    fn note(&self, event: &RunnerEvent) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        match event {
            RunnerEvent::Asked { .. } => drop(self.questions.fetch_add(1, Ordering::Relaxed)),
            RunnerEvent::Answered { .. } => drop(self.questions.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// Passes the engine's reports on, and notes that something was heard.
async fn relay(job: Arc<Job>, mut reports: mpsc::Receiver<RunnerEvent>, heard: Arc<Heard>) {
    while let Some(event) = reports.recv().await {
        heard.note(&event);
        job.link.report(event).await;
    }
}

/// Returns when nothing was heard for too long; time in which the run was frozen does not count.
async fn silence(job: &Job, heard: &Heard) -> Reason {
    let seconds = job.spec.limits.silence_s;
    loop {
        let before = heard.reports.load(Ordering::Relaxed);
        super::sandboxes::running_time(&job.sandboxes, Duration::from_secs(seconds)).await;
        let expected = job.sandboxes.checking() > 0 || heard.questions.load(Ordering::Relaxed) > 0;
        if heard.reports.load(Ordering::Relaxed) == before && !expected {
            return Reason::Silent { seconds };
        }
    }
}

/// Runs the checks in a sandbox equal to the engine's. Returns those that failed.
async fn feedback(job: &Arc<Job>, checks: &[Check], env: &[(String, String)]) -> Result<Vec<CheckResult>, Reason> {
    let _checking = job.sandboxes.begin_checking();
    let results = checks::all(job, checks, env).await?;
    Ok(results.into_iter().filter(|r| !r.passed).collect())
}

fn failed_prompt(failed: &[CheckResult]) -> String {
    let mut text = "The project's checks failed. Mend what is wrong, within the task. Output of the failed checks:\n".to_owned();
    for check in failed {
        text.push_str(&format!("\n### {}\n{}\n", check.name, check.tail));
    }
    text
}

/// An engine in its sandbox.
enum Engine {
    /// One that converses.
    Acp { driver: Box<Driver>, sandbox: Arc<Sandbox> },
    /// A plain command, for one turn.
    Plain { sandbox: Arc<Sandbox>, events: mpsc::Sender<RunnerEvent>, done: bool },
}

impl Engine {
    async fn start(job: &Arc<Job>, launch: &Launch, command: Spec, events: mpsc::Sender<RunnerEvent>) -> Result<Self, Reason> {
        let begun = Instant::now();
        let sandbox = checks::spawn(job, command).await?;
        job.link.report(RunnerEvent::SandboxReady { ready_us: sandbox.ready_us(), limits: sandbox.limits().to_owned() }).await;
        tracing::debug!(elapsed_us = begun.elapsed().as_micros(), "sandbox ready");
        if launch.speaks == Speaks::Plain {
            return Ok(Self::Plain { sandbox, events, done: false });
        }
        let stdio = sandbox.take_stdio().ok_or_else(|| Reason::Internal { message: "a sandbox without streams".into() })?;
        let last = tokio::spawn(errors(job.clone(), stdio.stderr));
        let RunnerJob::Agent(wanted) = &job.spec.job else {
            return Err(Reason::Internal { message: "not an agent's job".into() });
        };
        let session = Session {
            cwd: WORK.into(),
            mcp_url: Some(format!("http://127.0.0.1:{}/mcp", outlet::PORTS[1].1)),
            resume: wanted.session.clone().filter(|_| launch.resumes),
            mode: launch.mode.clone(),
            permissions: wanted.permissions,
            permission_wait: Duration::from_secs(PERMISSION_WAIT_S),
            failure: launch.failure.clone(),
        };
        match Driver::start(stdio.stdin, stdio.stdout, session, events).await {
            Ok(driver) => Ok(Self::Acp { driver: Box::new(driver), sandbox }),
            Err(reason) => {
                let ended = sandbox.kill().await;
                let said = last.await.unwrap_or_default();
                Err(explained(reason, &ended, &said))
            }
        }
    }

    /// Whether a further prompt makes sense.
    fn listens(&self) -> bool {
        matches!(self, Self::Acp { .. })
    }

    async fn turn(&mut self, prompt: &str, orders: &mut mpsc::Receiver<DriverOrder>) -> Result<(), Reason> {
        match self {
            Self::Acp { driver, sandbox } => match driver.turn(prompt, orders).await {
                TurnOutcome::Ended => Ok(()),
                TurnOutcome::Cancelled => Err(Reason::EngineFailed { message: "It cancelled its turn.".into() }),
                TurnOutcome::Failed { reason } => Err(limit_of(sandbox).await.unwrap_or(reason)),
            },
            Self::Plain { done: true, .. } => Ok(()),
            Self::Plain { sandbox, events, done } => {
                *done = true;
                let stdio = sandbox.take_stdio().ok_or_else(|| Reason::Internal { message: "a sandbox without streams".into() })?;
                drop(stdio.stdin);
                let ended = sandbox.clone();
                let code = async move { ended.wait().await.code };
                match engine::plain(prompt, stdio.stdout, stdio.stderr, code, events.clone()).await {
                    TurnOutcome::Ended => Ok(()),
                    TurnOutcome::Cancelled => Err(Reason::EngineFailed { message: "It was cancelled.".into() }),
                    TurnOutcome::Failed { reason } => Err(limit_of(sandbox).await.unwrap_or(reason)),
                }
            }
        }
    }
}

/// Whether a limit of the sandbox ended the engine: that explains more than a broken pipe does.
async fn limit_of(sandbox: &Arc<Sandbox>) -> Option<Reason> {
    let ended = tokio::time::timeout(Duration::from_millis(500), sandbox.wait()).await.ok()?;
    ended.limit.map(|message| Reason::SandboxLimit { message })
}

fn explained(reason: Reason, ended: &sandbox::Ended, said: &str) -> Reason {
    match &ended.limit {
        Some(message) => Reason::SandboxLimit { message: message.clone() },
        None => engine::explain_exit(reason, ended.code, said),
    }
}

/// What the engine writes beside the protocol goes to the log. Returns the end of it.
async fn errors(job: Arc<Job>, mut from: impl tokio::io::AsyncRead + Unpin) -> String {
    let (mut piece, mut last) = (vec![0; 8 * 1024], String::new());
    while let Some(count) = tokio::io::AsyncReadExt::read(&mut from, &mut piece).await.ok().filter(|n| *n > 0) {
        let text = String::from_utf8_lossy(&piece[..count]).into_owned();
        job.link.report(RunnerEvent::Log { stream: "stderr".into(), text: text.clone() }).await;
        last = text;
    }
    last
}
