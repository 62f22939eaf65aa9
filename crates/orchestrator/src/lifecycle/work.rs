//! Working: the runner's reports become facts, until the engine's part ends, a person stops it, or the runner is lost.

use super::{Drive, Over, asked::asked, evict, waiting::held};
use crate::{host::Ended, limits};
use domain::{
    actor::Actor,
    event::Body,
    run::{Order, Reason, RunState, RunnerEvent},
};

impl Drive {
    /// Follows the runner until the engine's part has ended.
    pub(super) async fn work(&mut self) -> Result<Ended, Over> {
        let (mut ended, mut connected, mut fatal) = (self.live.ended.subscribe(), self.live.connected.subscribe(), self.live.route.fatal());
        let (folder, mut over_budget, mut told) = (self.org.dir.run(&self.id), false, None);
        let mut held = std::pin::pin!(held(self.org.clone(), self.id.clone(), self.live.clone()));
        loop {
            let done = ended.borrow_and_update().clone();
            if let Some(done) = done {
                self.take_reports().await?;
                return Ok(self.with_cause(done));
            }
            let gone = !*connected.borrow_and_update();
            tokio::select! {
                over = asked(self.end.clone()), if told.is_none() => {
                    if over.to == RunState::Lost {
                        return Err(over);
                    }
                    self.tell_to_end(&over);
                    told = Some((over, tokio::time::Instant::now() + limits::STOP_WAIT));
                }
                over = &mut held, if told.is_none() => {
                    self.tell_to_end(&over);
                    told = Some((over, tokio::time::Instant::now() + limits::STOP_WAIT));
                }
                // A runner that does not end its work when it is told to is ended itself.
                over = too_late(&told), if told.is_some() => return Err(over),
                report = self.reports.recv() => if let Some(report) = report { self.report(report).await? },
                _ = ended.changed() => {}
                _ = connected.changed() => {}
                // A runner that is away comes back, or is lost.
                waited = super::start::while_alive(&folder, tokio::time::sleep(limits::RUNNER_RETURN_WAIT)), if gone => {
                    let what = if waited.is_some() { "hangs" } else { "ended" };
                    return Err(Over::lost(format!("Its runner {what}.{}", self.runner_said())));
                }
                _ = fatal.changed(), if !over_budget => {
                    over_budget = true;
                    let reason = fatal.borrow_and_update().clone();
                    if let Some(reason) = reason {
                        let _ = self.live.order(Order::Stop { reason });
                    }
                }
            }
        }
    }

    /// Frozen first where the machine is wanted back, so that the processor is free at once whatever saving takes.
    fn tell_to_end(&self, over: &Over) {
        if over.to == RunState::Evicted {
            let _ = self.live.order(Order::Pause);
        }
        let _ = self.live.order(Order::Stop { reason: over.reason.clone() });
    }

    /// What the runner cannot know: why its model calls failed.
    fn with_cause(&self, ended: Ended) -> Ended {
        let unsure = matches!(ended.reason, Reason::EngineFailed { .. } | Reason::ModelFailed { .. } | Reason::EngineProtocol { .. });
        match self.live.route.last_failure().filter(|_| unsure) {
            Some(reason) => Ended { reason, ..ended },
            None => ended,
        }
    }

    async fn take_reports(&mut self) -> Result<(), Over> {
        while let Ok(report) = self.reports.try_recv() {
            self.report(report).await?;
        }
        Ok(())
    }

    /// Most reports stay in the run's log; some are facts for the journal.
    async fn report(&self, report: RunnerEvent) -> Result<(), Over> {
        let run = self.id.clone();
        let body = match report {
            RunnerEvent::Asked { question } => Body::QuestionAsked { run, question },
            RunnerEvent::Answered { id, option } => {
                let by = self.live.answered_by(&id).unwrap_or_else(|| Actor::from(&self.org.device));
                return Ok(self.record_as(&by, Body::QuestionAnswered { run, question: id, option }).await?);
            }
            RunnerEvent::MessageDelivered { order } => Body::MessageDelivered { run, order },
            RunnerEvent::Violation { what } => Body::SandboxStopped { run, what },
            RunnerEvent::Paused => Body::RunPaused { run, paused: true },
            RunnerEvent::Resumed => {
                // Before a person can pause it: after a crash it stays so then.
                evict::forget_frozen(&self.org.dir.run(&run));
                Body::RunPaused { run, paused: false }
            }
            _ => return Ok(()),
        };
        Ok(self.record(body).await?)
    }
}

/// Returns the end that a runner was told of, when it did not come in time.
async fn too_late(told: &Option<(Over, tokio::time::Instant)>) -> Over {
    match told {
        Some((over, until)) => {
            tokio::time::sleep_until(*until).await;
            over.clone()
        }
        None => std::future::pending().await,
    }
}
