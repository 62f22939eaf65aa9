//! After a start: every run that the journal knows as unfinished is found again, or ended with a reason and taken up anew.

use super::{
    checkpoints, end,
    reconcile::{self, Compared},
};
use crate::{fault::Fault, limits, org::Org};
use domain::{
    Problem,
    event::kind,
    run::{Run, RunState},
};
use std::sync::Arc;
use store::Order;

/// Looks at all runs of this device. What waits in the queue is the dispatcher's.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover(org: &Arc<Org>) -> Result<(), Problem> {
    if Fault::asked() == Fault::NoRecovery {
        return Ok(());
    }
    sandbox::sweep();
    let known: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    checkpoints::name_again(org, &known).await;
    reconcile::reconcile_all(org, &mut Compared::default()).await;
    let runs: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    let (open, ended): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|r| !r.state.ended());
    for run in open.into_iter().filter(|r| r.state.holds_slot() && r.device.as_ref() == Some(&org.device)) {
        super::resume(org, run);
    }
    // A crash between the end of a run and the clearing of its folder.
    org.blocking(|org| {
        end::remove_the_rest(org);
        Ok(())
    })
    .await?;
    for run in &ended {
        if let Err(problem) = end::clear_leftover(org, run).await {
            tracing::error!(run = %run.id, %problem, "what an ended run left could not be cleared away; it stays in the run's folder");
        }
    }
    checkpoints::sweep(org, &ended).await;
    // A crash between the end of a run and its being taken up again, or an orderly shutdown.
    for run in ended.into_iter().filter(|r| matches!(r.state, RunState::Lost | RunState::Evicted) && r.requester == org.device) {
        end::take_up_again(org, &run.id).await?;
    }
    Ok(())
}
