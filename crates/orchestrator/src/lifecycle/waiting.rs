//! A run whose gateway is away: frozen, so that nothing of it fails meanwhile; its work is saved; and it goes on when the gateway is back.

use super::{Over, end};
use crate::{host::Live, limits, org::Org};
use domain::{
    Problem, RunId,
    event::{Body, kind},
    run::{Order, Reason, Run, RunState},
};
use std::{sync::Arc, time::Duration};

/// Looks after a run that needs the gateway of another device. Returns how it ends when that stayed away for as long as a lease.
pub(super) async fn gateway_missing(org: Arc<Org>, run: RunId, live: Arc<Live>) -> Over {
    let Some(away) = &live.away else { return std::future::pending().await };
    let mut missing = away.missing();
    loop {
        if missing.wait_for(|missing| *missing).await.is_err() {
            return std::future::pending().await;
        }
        if tokio::time::timeout(limits::GATEWAY_GRACE, missing.wait_for(|missing| !missing)).await.is_ok() {
            continue;
        }
        if let Err(problem) = freeze_and_save(&org, &run, &live).await {
            tracing::warn!(%run, %problem, "a run whose gateway is away could not be saved; it stays as it is");
        }
        let lease = Duration::from_millis(crate::fault::lease_ms());
        if tokio::time::timeout(lease, missing.wait_for(|missing| !missing)).await.is_err() {
            let message = format!("Its requester's gateway was away for {} s.", lease.as_secs());
            return Over::because(Reason::Evicted { message });
        }
        if let Err(problem) = thaw(&org, &run, &live).await {
            tracing::warn!(%run, %problem, "a run whose gateway is back does not go on");
        }
    }
}

async fn freeze_and_save(org: &Arc<Org>, id: &RunId, live: &Live) -> Result<(), Problem> {
    live.order_and_wait(Order::Pause).await?;
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(()) };
    let reason = Some(Reason::WaitsForGateway { device: run.requester.clone() });
    org.record(&org.device, vec![Body::RunMoved { run: id.clone(), to: RunState::Working, reason }]).await?;
    let saved = org.blocking(move |org| end::save(org, &run)).await?;
    match saved.checkpoint {
        Some(commit) => org.record(&org.device, vec![Body::RunCheckpointed { run: id.clone(), commit }]).await,
        None => Ok(()),
    }
}

async fn thaw(org: &Arc<Org>, id: &RunId, live: &Live) -> Result<(), Problem> {
    org.record(&org.device, vec![Body::RunMoved { run: id.clone(), to: RunState::Working, reason: None }]).await?;
    live.order_and_wait(Order::Resume).await
}
