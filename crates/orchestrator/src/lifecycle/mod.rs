//! A run's life on this device, from its lease to its end. One task drives one run; each step may be entered again after
//! a restart, because the journal says where the run was and the files say what was done.

mod commit;
mod end;
mod prepare;
mod publish;
pub(crate) mod reconcile;
pub mod recover;
mod runner_process;
mod start;
mod work;

use crate::{
    host::{Ended, Live},
    org::Org,
    tasks::Board,
};
use domain::{
    Problem, RunId,
    event::{Body, kind},
    manifest::Class,
    run::{CheckResult, Order, Reason, Run, RunState, RunnerEvent},
};
use std::sync::Arc;
use tokio::sync::mpsc;

pub(crate) use end::saved_before;
pub use start::secret;

/// Everything that the steps of one run share.
pub(crate) struct Drive {
    org: Arc<Org>,
    id: RunId,
    live: Arc<Live>,
    reports: mpsc::Receiver<RunnerEvent>,
    board: Board,
}

/// Why a run does not go on: the state in which it ends.
#[derive(Debug)]
pub(crate) struct Over {
    to: RunState,
    reason: Reason,
}

impl Over {
    fn failed(reason: Reason) -> Self {
        Self { to: RunState::Failed, reason }
    }

    fn lost(message: impl Into<String>) -> Self {
        Self { to: RunState::Lost, reason: Reason::Vanished { message: message.into() } }
    }
}

impl From<Problem> for Over {
    fn from(problem: Problem) -> Self {
        Self::failed(Reason::from_problem(&problem))
    }
}

/// Drives a leased run until it ends.
pub fn drive(org: &Arc<Org>, run: RunId) {
    let org = org.clone();
    org.tasks.clone().spawn(async move {
        let started = match start::start(&org, &run).await {
            Ok(drive) => drive,
            Err(over) => return end::end_unstarted(&org, &run, over).await,
        };
        go_on(started).await;
    });
}

/// Takes a run up whose runner may still be there.
pub(crate) fn resume(org: &Arc<Org>, run: Run) {
    let org = org.clone();
    org.tasks.clone().spawn(async move {
        if run.revision.is_some() {
            return end::end_unstarted(&org, &run.id, Over { to: RunState::Done, reason: Reason::Completed }).await;
        }
        match start::adopt(&org, &run).await {
            Ok(drive) => go_on(drive).await,
            Err(over) => end::end_unstarted(&org, &run.id, over).await,
        }
    });
}

async fn go_on(mut drive: Drive) {
    let over = match drive.steps().await {
        Ok(()) => Over { to: RunState::Done, reason: Reason::Completed },
        // Without its runner nothing can be signed: that is a loss, and no fault of the work.
        Err(over) if over.to == RunState::Failed && !runner_process::alive(&drive.org.dir.run(&drive.id)) => {
            Over::lost(format!("Its runner ended. {}", over.reason.text()))
        }
        Err(over) => over,
    };
    end::end(drive, over).await;
}

impl Drive {
    /// The run as the journal has it now.
    fn run(&self) -> Result<Run, Problem> {
        self.org
            .store
            .get(kind::RUN, self.id.as_str())?
            .ok_or_else(|| Problem::internal(format!("the run {} is not in the journal", self.id)))
    }

    async fn record(&self, body: Body) -> Result<(), Problem> {
        self.org.record(&self.org.device, vec![body]).await
    }

    async fn becomes(&self, to: RunState) -> Result<(), Problem> {
        self.record(Body::RunMoved { run: self.id.clone(), to, reason: None }).await
    }

    /// From wherever the run is to its end.
    async fn steps(&mut self) -> Result<(), Over> {
        let run = self.run()?;
        if run.state <= RunState::Preparing {
            self.prepare().await?;
            self.becomes(RunState::Working).await?;
        }
        let ended = self.work().await?;
        match run.class {
            Class::Ci => self.keep_results(ended).await,
            _ => self.hand_in(ended).await,
        }
    }

    /// Checks: their results are the run's result.
    async fn keep_results(&mut self, ended: Ended) -> Result<(), Over> {
        match ended.reason {
            Reason::Completed => {}
            reason @ Reason::Stopped { .. } => return Err(Over { to: RunState::Cancelled, reason }),
            reason @ Reason::Evicted { .. } => return Err(Over { to: RunState::Evicted, reason }),
            reason => return Err(Over::failed(reason)),
        }
        self.record(Body::ChecksEnded { run: self.id.clone(), checks: without_output(ended.checks) }).await?;
        Ok(())
    }

    /// An agent's work: made a commit, checked, published.
    async fn hand_in(&mut self, ended: Ended) -> Result<(), Over> {
        match ended.reason {
            Reason::Completed => {}
            reason @ Reason::Stopped { .. } => return Err(Over { to: RunState::Cancelled, reason }),
            reason @ Reason::Evicted { .. } => return Err(Over { to: RunState::Evicted, reason }),
            reason => return Err(Over::failed(reason)),
        }
        if self.run()?.state < RunState::Publishing {
            self.becomes(RunState::Verifying).await?;
        }
        let commit = self.commit().await?;
        if self.run()?.state < RunState::Publishing {
            self.verify(&commit).await?;
            self.becomes(RunState::Publishing).await?;
        }
        self.publish(commit).await
    }
}

/// Results as facts: what the checks printed is content, and stays in the run's log.
fn without_output(checks: Vec<CheckResult>) -> Vec<CheckResult> {
    checks.into_iter().map(|check| CheckResult { tail: String::new(), ..check }).collect()
}

/// Stops every live run, because the orchestrator closes: their work is saved, and goes on at the next start.
pub async fn stop_all(org: &Arc<Org>) {
    for live in org.hub.all() {
        let reason = Reason::Evicted { message: "The orchestrator was shut down.".into() };
        let _ = live.order(Order::Stop { reason });
    }
}

/// Ends a run's runner at once: the grace is over. Its work is saved from the files.
pub(crate) fn cut_off(org: &Org, run: &RunId) {
    runner_process::kill(&org.dir.run(run));
}
