//! Giving the machine back: runs are frozen, saved and ended, and what does not free processor and memory in time is cut off. Whoever
//! wants it, the owner's word, the machine's own condition or more important work, comes here.

use super::{Asked, ask_to_end, cut_off};
use crate::{dispatch, org::Org};
use domain::{Kind, Problem, RunId, actor::Actor, run::Reason};
use std::{sync::Arc, time::Duration};

/// Runs that are being sent away.
#[derive(Debug, Default)]
pub(crate) struct Evicting {
    /// Those that are frozen, saved and ended.
    pub(crate) runs: Vec<RunId>,
    /// How many are being published, and end by themselves in a moment.
    pub(crate) publishing: usize,
}

/// Asks for the end of these runs, and returns when that is journaled and what drives them was told: they freeze at once.
///
/// # Errors
/// When the journal cannot be written.
pub(crate) async fn evict(org: &Arc<Org>, by: &Actor, runs: &[RunId], reason: &Reason) -> Result<Evicting, Problem> {
    let mut evicting = Evicting::default();
    for id in runs {
        match ask_to_end(org, by, id, reason.clone()).await {
            Ok(Asked::Publishing) => evicting.publishing += 1,
            // It has no room here any more; what it begins later is another matter.
            Ok(Asked::Waits | Asked::Dequeued) => {}
            Ok(Asked::Ending) => evicting.runs.push(id.clone()),
            // It ended by itself meanwhile.
            Err(problem) if problem.kind == Kind::Conflict => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(evicting)
}

impl Evicting {
    /// Returns when they use neither processor nor memory any more: after the grace their runners are ended.
    pub(crate) async fn free_within(&self, org: &Arc<Org>, grace: Duration) {
        let all = futures::future::join_all(self.runs.iter().map(|id| no_longer_computes(org, id)));
        if tokio::time::timeout(grace, all).await.is_err() {
            self.runs.iter().for_each(|id| cut_off(org, id));
        }
    }
}

/// Returns when nothing of a run uses processor or memory any more.
async fn no_longer_computes(org: &Arc<Org>, id: &RunId) {
    let ended = dispatch::until_ended(org, id);
    match org.hub.get(id) {
        Some(live) => {
            let mut engine = live.ended.subscribe();
            tokio::select! {
                _ = ended => {}
                _ = engine.wait_for(Option::is_some) => {}
            }
        }
        None => drop(ended.await),
    }
}
