//! Takes up runs that have not ended although nothing drives them. Looks at the journal and at what is driven; may run at
//! any time.

use super::{Over, driven::Adrift, end};
use crate::{limits, org::Org};
use domain::{
    Problem, RunId,
    event::{Body, kind},
    run::Run,
};
use std::sync::Arc;

/// Takes up, of the runs that have not ended, those that nothing drives.
pub(crate) async fn take_up(org: &Arc<Org>, active: &[Run]) {
    let holding = |r: &&Run| r.state.holds_slot() && r.device.as_ref() == Some(&org.device);
    let holding: Vec<Run> = active.iter().filter(holding).cloned().collect();
    for (run, adrift) in org.driven.due(&holding) {
        if let Err(problem) = one(org, &run, &adrift).await {
            tracing::warn!(%run, %problem, "a run could not be taken up yet; it is tried again");
            if let Ok(Some(run)) = org.store.get::<Run>(kind::RUN, run.as_str()) {
                org.driven.later(&run, adrift.over, adrift.message);
            }
        }
    }
}

async fn one(org: &Arc<Org>, id: &RunId, adrift: &Adrift) -> Result<(), Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else {
        org.driven.settled(id);
        return Ok(());
    };
    if run.state.ended() {
        end::clear_leftover(org, &run).await?;
        end::take_up_again(org, id).await?;
        org.driven.settled(id);
        return Ok(());
    }
    if !run.state.holds_slot() {
        org.driven.settled(id);
        return Ok(());
    }
    // Written first: what cannot be journaled yet does not count as a try.
    org.record(&org.device, vec![Body::RunRecovered { run: id.clone(), message: adrift.message.clone() }]).await?;
    tracing::warn!(run = %id, times = run.recovered + 1, adrift.message, "a run that nothing drove is taken up");
    match &adrift.over {
        _ if run.recovered >= limits::RECOVERIES_MAX => end::give_up(org, run, &adrift.message).await?,
        Some(over) => super::finish_again(org, run, over.clone()),
        None => super::resume(org, run),
    }
    Ok(())
}

impl Over {
    /// How a run ends that was taken up too often.
    pub(super) fn given_up(message: &str) -> Self {
        let message = format!("It was taken up {} times, and could not be ended in order. {message}", limits::RECOVERIES_MAX);
        Self::failed(domain::run::Reason::Internal { message })
    }
}
