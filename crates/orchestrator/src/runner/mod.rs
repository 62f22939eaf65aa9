//! The runner: the trusted process next to the engine (`meshwork agent`). It makes the run's key, drives the engine in its
//! sandbox, reports, carries orders out, and signs what it has checked itself. The key never leaves this process.

mod agent;
mod checks;
mod link;
mod mandate;
mod outlet;
mod report;
mod sandboxes;
mod sign;
mod tick;

use crate::limits;
use domain::{
    Problem, RunId,
    run::{CheckResult, Order, Reason, RunSpec, RunnerEvent, RunnerJob},
};
use identity::Key;
use link::{Address, Link, Wanted};
use mandate::Mandate;
use proto::run::Welcome;
use sandboxes::Sandboxes;
use sign::Signer;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

/// How a runner was started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The host's socket.
    pub socket: PathBuf,
    /// The run.
    pub run: RunId,
    /// The file that holds the run's secret.
    pub token_file: PathBuf,
    /// The lock that the org's process holds.
    pub org_lock: PathBuf,
    /// This executable: sandboxes show it as their bridge.
    pub executable: PathBuf,
}

/// What the job's parts share.
struct Job {
    spec: RunSpec,
    link: Link,
    sandboxes: Sandboxes,
    executable: PathBuf,
    forwards: Vec<sandbox::Forward>,
    /// What the worktree was before the engine.
    before: Option<tick::Before>,
    /// Why the job must end; set once.
    stop: watch::Sender<Option<Reason>>,
}

/// Runs one run, from its key to its end.
///
/// # Errors
/// When the secret cannot be read, or the host was never reached.
pub async fn run(start: Start) -> Result<(), Problem> {
    let token = std::fs::read_to_string(&start.token_file).map_err(|e| crate::data_dir::storage(&start.token_file, &e))?;
    let key = Arc::new(Key::generate()?);
    let Start { socket, run, token_file, org_lock, executable } = start;
    let address = Address { socket, run, token: token.into(), token_file, org_lock };
    let (link, wanted, welcome) = Link::start(address.clone(), key.public());
    // While the host lays the worktree. What keeps this machine from having sandboxes is said when one is wanted.
    let prepared = tokio::spawn(sandbox::prepare());
    let done = attached(executable, &address, key, (link, wanted, welcome)).await;
    let _ = prepared.await;
    sandbox::discard().await;
    done
}

/// What [`Link::start`] gives.
type Attached = (Link, mpsc::Receiver<Wanted>, oneshot::Receiver<Welcome>);

async fn attached(executable: PathBuf, address: &Address, key: Arc<Key>, (link, wanted, welcome): Attached) -> Result<(), Problem> {
    let welcome = tokio::time::timeout(limits::HOST_RETURN_WAIT, welcome).await;
    let Ok(Ok(welcome)) = welcome else { return Err(Problem::unavailable("The host did not say what to do.")) };
    let spec: RunSpec =
        serde_json::from_str(&welcome.spec_json).map_err(|e| Problem::invalid(format!("The host's run is not understood: {e}.")))?;
    let mandate = match Mandate::verify(&welcome, &spec, &address.run, &key.did()) {
        Ok(mandate) => Arc::new(mandate),
        Err(problem) => {
            decline(&link, wanted, &problem).await;
            return Ok(());
        }
    };
    let forwards = outlet::open(address, &spec.sockets)?.into_iter().map(|(port, socket)| sandbox::Forward { port, socket }).collect();
    let job = Arc::new(Job {
        link: link.clone(),
        sandboxes: Sandboxes::default(),
        executable,
        forwards,
        stop: watch::Sender::new(None),
        before: tick::Before::read(&spec),
        spec,
    });
    let (messages, orders) = mpsc::channel(limits::LOG_BATCH);
    let signer = Signer::new(key.clone(), mandate.clone(), &job.spec);
    let worker = tokio::spawn(work(job.clone(), orders, key, mandate));
    attend(&job, wanted, messages, signer).await;
    worker.abort();
    job.sandboxes.kill().await;
    link.lay_down().await;
    Ok(())
}

/// Without a mandate nothing is started and nothing is signed.
async fn decline(link: &Link, mut wanted: mpsc::Receiver<Wanted>, problem: &Problem) {
    let reason = Reason::Refused { message: format!("Its runner refused: {problem}") };
    link.report(RunnerEvent::WorkEnded { reason, checks: vec![] }).await;
    while let Some(wanted) = wanted.recv().await {
        match wanted {
            Wanted::Sign(_, done) => drop(done.send(Err(problem.clone()))),
            Wanted::Order(_, Order::Finish, done) => {
                let _ = done.send(Ok(()));
                let _ = tokio::time::timeout(limits::ORDER_WAIT, link.flushed()).await;
                return;
            }
            Wanted::Order(_, _, done) => drop(done.send(Err(problem.clone()))),
            Wanted::HostGone => return,
        }
    }
}

/// Does the job within its wall time, and says how it ended.
async fn work(job: Arc<Job>, orders: mpsc::Receiver<engine::DriverOrder>, key: Arc<Key>, mandate: Arc<Mandate>) {
    let wall = std::time::Duration::from_secs(job.spec.limits.wall_s);
    let mut stop = job.stop.subscribe();
    let doing = async {
        match &job.spec.job {
            RunnerJob::Agent(_) => (agent::work(&job, orders).await, vec![]),
            RunnerJob::Checks { checks } => match checks::all(&job, checks, &[]).await {
                Ok(results) => (Reason::Completed, results),
                Err(reason) => (reason, vec![]),
            },
        }
    };
    let (reason, checks) = tokio::select! {
        done = doing => done,
        () = sandboxes::running_time(&job.sandboxes, wall) => (Reason::TookTooLong { seconds: job.spec.limits.wall_s }, vec![]),
        stopped = stop.wait_for(Option::is_some) => {
            let reason = stopped.ok().and_then(|r| r.clone()).unwrap_or(Reason::Completed);
            (reason, vec![])
        }
    };
    // Nothing of the engine may be left when the worktree is read.
    job.sandboxes.kill().await;
    let reason = job.tick(reason);
    if reason == Reason::Completed {
        job.link.work_is_done(mandate.until());
    }
    let reason = attest(&job, reason, &checks, &key, &mandate).await;
    job.link.report(RunnerEvent::WorkEnded { reason, checks }).await;
}

/// Has the run's key say what the checks said, where they came to an end.
async fn attest(job: &Job, reason: Reason, checks: &[CheckResult], key: &Key, mandate: &Mandate) -> Reason {
    if reason != Reason::Completed || !matches!(job.spec.job, RunnerJob::Checks { .. }) {
        return reason;
    }
    let signed = mandate.attest(key, checks).and_then(|envelope| serde_json::to_value(&envelope).map_err(Problem::internal));
    match signed {
        Ok(envelope) => {
            job.link.report(RunnerEvent::ChecksSigned { envelope }).await;
            reason
        }
        Err(problem) => Reason::from_problem(&problem),
    }
}

/// Carries out what the host wants, until the run is over.
async fn attend(job: &Arc<Job>, mut wanted: mpsc::Receiver<Wanted>, messages: mpsc::Sender<engine::DriverOrder>, mut signer: Signer) {
    while let Some(wanted) = wanted.recv().await {
        match wanted {
            Wanted::Sign(request, done) => {
                let _ = done.send(signer.sign(&request));
            }
            Wanted::Order(_, Order::Finish, done) => {
                let _ = done.send(Ok(()));
                let _ = tokio::time::timeout(limits::ORDER_WAIT, job.link.flushed()).await;
                return;
            }
            Wanted::Order(id, order, done) => {
                let _ = done.send(carry_out(job, id, order, &messages).await);
            }
            // The worktree stays, and what could not be reported: the next host saves both.
            Wanted::HostGone => return,
        }
    }
}

/// Why a message is refused whose agent could never read it.
pub(crate) fn no_reader() -> Problem {
    Problem::conflict("Its agent is a plain command, which reads no messages.").next("Stop the run, say it in the task, and run it again.")
}

async fn carry_out(job: &Arc<Job>, id: u64, order: Order, messages: &mpsc::Sender<engine::DriverOrder>) -> Result<(), Problem> {
    let refused = |error| match error {
        TrySendError::Full(_) => Problem::conflict("The agent has too many messages waiting.").next("Wait until its turn ends."),
        TrySendError::Closed(_) => {
            Problem::conflict("It came too late: the agent's work is over.").next("Say it in a review of its patch, or run the task again.")
        }
    };
    match order {
        Order::Message { .. } if job.spec.reads_no_messages() => Err(no_reader()),
        Order::Message { text } => messages.try_send(engine::DriverOrder::Message { order: id, text }).map_err(refused),
        Order::Answer { question, option } => messages.try_send(engine::DriverOrder::Answer { question, option }).map_err(refused),
        Order::Pause => {
            // One that is frozen already is asked again where it has to leave: that is no news.
            let was_frozen = job.sandboxes.frozen();
            job.sandboxes.freeze().await?;
            if !was_frozen {
                job.link.report_at_once(&RunnerEvent::Paused);
            }
            Ok(())
        }
        Order::Resume => {
            job.sandboxes.thaw().await?;
            job.link.report_at_once(&RunnerEvent::Resumed);
            Ok(())
        }
        Order::Stop { reason } => {
            job.stop.send_if_modified(|stop| {
                let first = stop.is_none();
                if first {
                    *stop = Some(reason);
                }
                first
            });
            Ok(())
        }
        Order::Finish => Ok(()),
    }
}
