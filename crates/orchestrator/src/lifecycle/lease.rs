//! Leases of the runs that this device executes: renewed while the runner is heard of, and enforced when it is not. While a run
//! is being started and prepared this device itself holds it.

use crate::{clock, fault, org::Org};
use domain::{
    event::Body,
    run::{Reason, Run, RunState},
};
use std::{sync::Arc, time::Duration};

/// Looks after the leases of these runs.
pub(crate) async fn look_after(org: &Arc<Org>, active: &[Run]) {
    let lease = Duration::from_millis(fault::lease_ms());
    for run in active.iter().filter(|r| r.state.holds_slot() && r.device.as_ref() == Some(&org.device)) {
        let Some(live) = org.hub.get(&run.id) else { continue };
        let silent = if run.state <= RunState::Preparing { Some(Duration::ZERO) } else { live.silent_for() };
        match silent {
            Some(silent) if silent > lease => {
                tracing::warn!(run = %run.id, ?silent, "the runner was not heard of for the time of its lease");
                org.driven.end(&run.id, &Reason::RunnerSilent { seconds: silent.as_secs() });
            }
            Some(silent) => renew(org, run, lease.saturating_sub(silent), lease).await,
            // It was just adopted, and has a time of its own to come back in.
            None => {}
        }
    }
}

/// Journals that a lease goes on, once half of it is over.
async fn renew(org: &Arc<Org>, run: &Run, left: Duration, lease: Duration) {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let now = clock::now();
    if run.lease_until.is_some_and(|until| until > now.plus_ms(millis(lease / 2))) {
        return;
    }
    let renewed = Body::LeaseRenewed { run: run.id.clone(), until: now.plus_ms(millis(left)) };
    if let Err(problem) = org.record(&org.device, vec![renewed]).await {
        tracing::warn!(run = %run.id, %problem, "a lease could not be renewed; it is tried again");
    }
}
