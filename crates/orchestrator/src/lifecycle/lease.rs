//! Leases of the runs that this device executes: renewed while the runner is heard of, and enforced when it is not. While a run
//! is being started and prepared this device itself holds it.

use crate::{clock, fault, org::Org};
use domain::{
    Timestamp,
    event::Body,
    lease::{self, Beat},
    run::{Reason, Run, RunState},
};
use std::{sync::Arc, time::Duration};

/// Looks after the leases of these runs.
pub(crate) async fn look_after(org: &Arc<Org>, active: &[Run]) {
    let (now, lease_ms) = (clock::now(), fault::lease_ms());
    for run in active.iter().filter(|r| r.state.holds_slot() && r.device.as_ref() == Some(&org.device)) {
        let Some(live) = org.hub.get(&run.id) else { continue };
        let silent = if run.state <= RunState::Preparing { Some(Duration::ZERO) } else { live.silent_for() };
        // One that was just adopted has a time of its own to come back in.
        let Some(silent) = silent else { continue };
        let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
        match lease::beat(run.lease_until, silent_ms, now, lease_ms) {
            Beat::Over => {
                tracing::warn!(run = %run.id, ?silent, "the runner was not heard of for the time of its lease");
                org.driven.end(&run.id, &Reason::RunnerSilent { seconds: silent.as_secs() });
            }
            Beat::Renew(until) => renew(org, run, until).await,
            Beat::Lasts => {}
        }
    }
}

/// Journals that a lease goes on.
async fn renew(org: &Arc<Org>, run: &Run, until: Timestamp) {
    let renewed = Body::LeaseRenewed { run: run.id.clone(), until };
    if let Err(problem) = org.record(&org.device, vec![renewed]).await {
        tracing::warn!(run = %run.id, %problem, "a lease could not be renewed; it is tried again");
    }
}
