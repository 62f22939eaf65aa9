//! The task's mark: engines tick as they like, so the runner puts the file right when the engine is done.

use super::Job;
use crate::below;
use domain::{
    Oid,
    run::{Reason, RunSpec, RunnerJob},
};
use forge::{BaseTree, ImportLimits, tree_of};

/// The largest `tasks.md` that is put right.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What was in the fresh clone, read before any engine could touch it.
pub(super) struct Before {
    base: BaseTree,
    from: Oid,
}

impl Before {
    /// Reads it; none where the job is no agent's.
    pub(super) fn read(spec: &RunSpec) -> Option<Self> {
        let RunnerJob::Agent(job) = &spec.job else { return None };
        let git = spec.work.join(".git");
        let from = BaseTree::read(&git, &job.from).ok()?.tree().ok()?;
        Some(Self { base: BaseTree::read(&git, &job.base).ok()?, from })
    }
}

impl Job {
    /// Ticks the task, where the work was done and changed something; says otherwise.
    pub(super) fn tick(&self, reason: Reason) -> Reason {
        let RunnerJob::Agent(job) = &self.spec.job else { return reason };
        if reason != Reason::Completed {
            return reason;
        }
        let (work, tick) = (&self.spec.work, &job.tick);
        // The plan is people's: whatever the engine did to it is put back.
        let text = tick.before.as_bytes();
        if text.is_empty() {
            return reason;
        }
        let odd = |error| Reason::EngineFailed { message: format!("It put something else in the place of {}: {error}.", tick.path) };
        let own = match below::read(work, &tick.path, FILE_BYTES_MAX) {
            Ok(own) => own,
            Err(error) => return odd(error),
        };
        if let Err(error) = below::write(work, &tick.path, text, 0o644) {
            return odd(error);
        }
        let touched = own.as_deref() != Some(text);
        let edited = own.is_some_and(|own| spec::reapply(text, &spec::ticked(text, &own)).text != own);
        let now = self.before.as_ref().and_then(|before| Some((before, tree_of(work, &before.base, &ImportLimits::default()).ok()?)));
        if now.is_some_and(|(before, now)| now.tree == before.from) {
            return Reason::NothingChanged { put_back: touched.then(|| tick.path.clone()) };
        }
        match spec::tick(text, &tick.task).map(|ticked| below::write(work, &tick.path, &ticked, 0o644)) {
            Ok(Ok(())) if edited => tracing::warn!(path = tick.path, "what the engine changed in its plan was put back"),
            Ok(Ok(())) => {}
            Ok(Err(error)) => return odd(error),
            Err(problem) => tracing::warn!(%problem, "the task's mark could not be set"),
        }
        reason
    }
}
