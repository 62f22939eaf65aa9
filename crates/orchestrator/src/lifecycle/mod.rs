//! A run's life on this device, from its lease to its end. One task drives one run; each step may be entered again after
//! a restart, because the journal says where the run was and the files say what was done.

pub(crate) mod adrift;
mod asked;
mod checkpoints;
mod commit;
mod driven;
mod end;
mod evict;
mod give_way;
mod gone;
mod handed;
pub(crate) mod kept;
mod lease;
mod messages;
mod outlasted;
mod prepare;
mod publish;
pub(crate) mod reconcile;
pub mod recover;
mod runner_process;
mod saved;
mod start;
mod waiting;
mod work;

use crate::{
    host::{Ended, Live},
    limits,
    org::Org,
    remote,
    tasks::Board,
};
use domain::{
    Problem, RunId,
    actor::Actor,
    event::{Body, kind},
    manifest::Class,
    run::{Reason, Run, RunState, RunnerEvent},
};
use identity::checked;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

pub(crate) use adrift::as_it_is;
pub(crate) use asked::ask_to_end;
pub(crate) use checkpoints::{drop_merged, keep as keep_checkpoints, prune as prune_checkpoints};
pub use driven::Driven;
pub(crate) use end::take_up_again;
pub(crate) use evict::{Evicting, evict, freeze, let_go};
pub(crate) use give_way::give_way;
pub(crate) use gone::{amiss, forget_gone, gone_there, unread};
pub(crate) use handed::Handed;
pub(crate) use lease::look_after;
pub(crate) use messages::text as message_text;
pub(crate) use saved::{BROUGHT, lies_here, saved_alone, saved_before, saved_by_anybody, saved_in, saved_somewhere, to_begin_with};
pub use start::secret;
pub(crate) use start::{delegated, delegation_ms, gateway_of, manifest, sealed, standby_gateway};

/// Everything that the steps of one run share.
pub(crate) struct Drive {
    org: Arc<Org>,
    id: RunId,
    live: Arc<Live>,
    reports: mpsc::Receiver<RunnerEvent>,
    board: Board,
    /// Why it is to end, once somebody asked for that.
    end: watch::Receiver<Option<Reason>>,
}

/// Why a run does not go on: the state in which it ends.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    to: RunState,
    reason: Reason,
    /// Whether waiting can help: a run that was not begun goes back into the queue then.
    passes: bool,
}

impl Over {
    fn done() -> Self {
        Self { to: RunState::Done, reason: Reason::Completed, passes: false }
    }

    fn failed(reason: Reason) -> Self {
        Self { to: RunState::Failed, reason, passes: false }
    }

    /// The end for this reason.
    fn because(reason: Reason) -> Self {
        Self { to: reason.ends_as(), reason, passes: false }
    }

    fn lost(message: impl Into<String>) -> Self {
        Self { to: RunState::Lost, reason: Reason::Vanished { message: message.into() }, passes: false }
    }
}

impl From<Problem> for Over {
    fn from(problem: Problem) -> Self {
        Self { passes: problem.passes(), ..Self::failed(Reason::from_problem(&problem)) }
    }
}

/// Drives a leased run until it ends.
pub fn drive(org: &Arc<Org>, run: RunId) {
    spawn(org, run, |org, id, end| async move {
        match start::start(&org, &id, end).await {
            Ok(drive) => go_on(drive).await,
            Err(over) => end::end_unstarted(&org, &id, over).await,
        }
    });
}

/// Takes a run up whose runner may still be there.
pub(crate) fn resume(org: &Arc<Org>, run: Run) {
    spawn(org, run.id.clone(), |org, id, end| async move {
        if run.revision.is_some() {
            return end::end_unstarted(&org, &id, Over::done()).await;
        }
        match start::adopt(&org, &run, end).await {
            Ok(drive) => go_on(drive).await,
            Err(over) => end::end_unstarted(&org, &id, over).await,
        }
    });
}

/// Ends a run whose end could not be written before.
fn finish_again(org: &Arc<Org>, run: Run, over: Over) {
    spawn(org, run.id, |org, id, _| async move { end::end_unstarted(&org, &id, over).await });
}

/// Does something with a run that nothing else drives meanwhile.
fn spawn<F>(org: &Arc<Org>, id: RunId, steps: impl FnOnce(Arc<Org>, RunId, watch::Receiver<Option<Reason>>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some((guard, end)) = org.driven.begin(&id) else { return };
    let (steps, waking) = (steps(org.clone(), id.clone(), end), org.clone());
    org.tasks.spawn(async move {
        let _guard = guard;
        // Whoever asked for it is answered first, and not beside the start of a run.
        tokio::time::sleep(limits::ANSWER_FIRST).await;
        // Whoever asked before it was driven found nothing that drives it; whoever asks since tells this.
        if let Ok(Some(Run { ending: Some(reason), .. })) = waking.store.get::<Run>(kind::RUN, id.as_str()) {
            waking.driven.end(&id, &reason);
        }
        steps.await;
        waking.wake.notify_one();
    });
}

async fn go_on(mut drive: Drive) {
    let over = match drive.steps().await {
        Ok(()) => Over::done(),
        // Without its runner nothing can be signed: that is a loss, and no fault of the work.
        Err(over) if over.to == RunState::Failed && !over.passes && drive.runner_gone().await => {
            Over::lost(format!("Its runner ended. {}", over.reason.text()))
        }
        Err(over) => over,
    };
    let over = drive.as_wanted(over);
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

    /// Whether the runner is no more. One that dies lets go of its connection a moment before its process is gone, so what looks
    /// alive and is away gets the time to come back.
    async fn runner_gone(&self) -> bool {
        let folder = self.org.dir.run(&self.id);
        let known = self.live.welcome.borrow().is_some();
        if !known || !self.live.away() {
            return !runner_process::alive(&folder);
        }
        let mut connected = self.live.connected.subscribe();
        let back = async {
            while self.live.away() {
                if connected.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        let back = tokio::time::timeout(limits::RUNNER_RETURN_WAIT, start::while_alive(&folder, back)).await;
        back != Ok(Some(true))
    }

    /// Journals a fact. A disk that is full for a while is no fault of the run: it is waited for, within a limit, and until somebody
    /// asks for the end of the run.
    async fn record(&self, body: Body) -> Result<(), Problem> {
        self.record_as(&Actor::from(&self.org.device), body).await
    }

    async fn record_as(&self, actor: &Actor, body: Body) -> Result<(), Problem> {
        let begun = std::time::Instant::now();
        loop {
            match self.org.record(actor, vec![body.clone()]).await {
                Err(problem) if problem.passes() && begun.elapsed() < limits::JOURNAL_WAIT_MAX && !*self.org.closing.borrow() => {
                    tracing::warn!(run = %self.id, %problem, "a fact about a run could not be journaled; it is tried again");
                    tokio::select! {
                        () = tokio::time::sleep(limits::JOURNAL_PAUSE) => {}
                        _ = asked::asked(self.end.clone()) => return Err(problem),
                    }
                }
                done => return done,
            }
        }
    }

    async fn becomes(&self, to: RunState) -> Result<(), Problem> {
        self.record(Body::RunMoved { run: self.id.clone(), to, reason: None }).await
    }

    /// From wherever the run is to its end.
    async fn steps(&mut self) -> Result<(), Over> {
        let run = self.run()?;
        if run.state <= RunState::Preparing {
            self.prepare().await?;
            self.unless_asked()?;
            self.becomes(RunState::Working).await?;
        }
        crate::fault::dies_once();
        let ended = self.work().await?;
        match run.class {
            Class::Ci => self.keep_results(ended).await,
            _ => self.hand_in(ended).await,
        }
    }

    /// Checks: their results are the run's result.
    async fn keep_results(&mut self, ended: Ended) -> Result<(), Over> {
        completed(&ended)?;
        let run = self.run()?;
        let (log, made) = (self.live.log.clone(), ended.checks.clone());
        let signed = self.org.blocking(move |org| commit::signed_results(org, &run, &log, &made)).await?;
        let checks = checked::without_output(&ended.checks);
        self.record(Body::ChecksEnded { run: self.id.clone(), checks, signed: Some(signed) }).await?;
        Ok(())
    }

    /// An agent's work: made a commit, checked, published.
    async fn hand_in(&mut self, ended: Ended) -> Result<(), Over> {
        completed(&ended)?;
        let run = self.run()?;
        if run.state < RunState::Publishing {
            self.hear_orders(&run).await?;
            self.becomes(RunState::Verifying).await?;
        }
        let commit = self.commit().await?;
        if self.run()?.state < RunState::Publishing {
            self.verify(&commit).await?;
            self.hear_orders(&run).await?;
            self.unless_halted().await?;
            self.begin_publishing().await?;
        }
        self.publish(commit).await
    }

    /// Hears what is wanted of it: a person may have stopped it while this device was away, or slept.
    async fn hear_orders(&self, run: &Run) -> Result<(), Over> {
        let heard = async {
            remote::orders_heard(&self.org, run).await;
            Ok(())
        };
        self.or_asked(heard).await?;
        self.unless_asked()
    }
}

/// Whether the engine's part, or the checks, ended by themselves.
fn completed(ended: &Ended) -> Result<(), Over> {
    match &ended.reason {
        Reason::Completed => Ok(()),
        reason => Err(Over::because(reason.clone())),
    }
}

/// Stops every run, because the orchestrator closes: their work is saved, and goes on at the next start.
pub fn stop_all(org: &Org) {
    org.driven.end_all(&Reason::Evicted { message: "The orchestrator was shut down.".into() });
}

/// Ends a run's runner at once: the grace is over. Its work is saved from the files.
pub(crate) fn cut_off(org: &Org, run: &RunId) {
    runner_process::kill(&org.dir.run(run));
}
