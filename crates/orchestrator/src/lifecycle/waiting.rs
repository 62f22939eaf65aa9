//! A run that must not go on for now, because its gateway is away or a stop order halts it: frozen, so that nothing of it fails
//! meanwhile; its work is saved; and it goes on when nothing holds it any more.

use super::{Drive, Over, asked::asked, end};
use crate::{host::Live, limits, org::Org, stops};
use domain::{
    Problem, RunId,
    event::{Body, kind},
    run::{Order, Reason, Run, RunState},
    stop::Stop,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Looks after a run that works. Returns how it ends when something held it for as long as a lease.
pub(super) async fn held(org: Arc<Org>, run: RunId, live: Arc<Live>) -> Over {
    let never = watch::Sender::new(false);
    let mut missing = live.away.as_ref().map_or_else(|| never.subscribe(), |away| away.missing());
    let mut stops = org.stops.subscribe();
    // Frozen before this process began: it is let go, unless something still holds it.
    let mut frozen = held_before(&org, &run);
    loop {
        if !std::mem::take(&mut frozen) {
            let stop = cause(&org, &run, &mut missing, &mut stops).await;
            if let Err(problem) = freeze_and_save(&org, &run, &live, stop.as_ref()).await {
                tracing::warn!(%run, %problem, "a run that is held could not be saved; it stays as it is");
            }
        }
        let lease = Duration::from_millis(crate::fault::lease_ms());
        if tokio::time::timeout(lease, free(&org, &run, &mut missing, &mut stops)).await.is_err() {
            return Over::because(Reason::Evicted { message: format!("It was held for {} s.", lease.as_secs()) });
        }
        if let Err(problem) = thaw(&org, &run, &live).await {
            tracing::warn!(%run, %problem, "a run that nothing holds any more does not go on");
        }
    }
}

/// Waits until something holds the run: a stop order, or, where it is none, the gateway's absence.
async fn cause(org: &Org, run: &RunId, missing: &mut watch::Receiver<bool>, stops: &mut watch::Receiver<Vec<Stop>>) -> Option<Stop> {
    loop {
        stops.mark_unchanged();
        if let Some(stop) = halted(org, run) {
            return Some(stop);
        }
        tokio::select! {
            _ = stops.changed() => {}
            () = stays_away(missing) => return None,
        }
    }
}

/// Waits until the gateway was away for a while.
async fn stays_away(missing: &mut watch::Receiver<bool>) {
    loop {
        if missing.wait_for(|missing| *missing).await.is_err() {
            return std::future::pending().await;
        }
        if tokio::time::timeout(limits::GATEWAY_GRACE, missing.wait_for(|missing| !missing)).await.is_err() {
            return;
        }
    }
}

/// Waits until nothing holds the run.
async fn free(org: &Org, run: &RunId, missing: &mut watch::Receiver<bool>, stops: &mut watch::Receiver<Vec<Stop>>) {
    loop {
        stops.mark_unchanged();
        let away = *missing.borrow_and_update();
        if !away && halted(org, run).is_none() {
            return;
        }
        tokio::select! {
            _ = stops.changed() => {}
            gone = missing.changed() => if gone.is_err() {
                return std::future::pending().await;
            },
        }
    }
}

fn held_before(org: &Org, run: &RunId) -> bool {
    let run: Option<Run> = org.store.get(kind::RUN, run.as_str()).ok().flatten();
    run.is_some_and(|run| run.paused && matches!(run.reason, Some(Reason::Halted { .. } | Reason::WaitsForGateway { .. })))
}

fn halted(org: &Org, run: &RunId) -> Option<Stop> {
    let run: Run = org.store.get(kind::RUN, run.as_str()).ok().flatten()?;
    stops::halting(org, &run)
}

/// Why a run waits that a stop order halts.
pub(crate) fn halt(stop: &Stop) -> Reason {
    Reason::Halted { by: stop.by.clone(), what: stop.order.scope.text(), why: stop.order.why.clone() }
}

impl Drive {
    /// Waits while a stop order halts the run, or until somebody asks for its end.
    pub(super) async fn unless_halted(&self) -> Result<(), Over> {
        let mut stops = self.org.stops.subscribe();
        loop {
            stops.mark_unchanged();
            let Some(stop) = halted(&self.org, &self.id) else { return Ok(()) };
            let state = self.run()?.state;
            self.record(Body::RunMoved { run: self.id.clone(), to: state, reason: Some(halt(&stop)) }).await?;
            tokio::select! {
                _ = stops.changed() => {}
                over = asked(self.end.clone()) => return Err(over),
            }
        }
    }
}

async fn freeze_and_save(org: &Arc<Org>, id: &RunId, live: &Live, stop: Option<&Stop>) -> Result<(), Problem> {
    live.order_and_wait(Order::Pause).await?;
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(()) };
    let reason = stop.map_or_else(|| Reason::WaitsForGateway { device: run.requester.clone() }, halt);
    org.record(&org.device, vec![Body::RunMoved { run: id.clone(), to: RunState::Working, reason: Some(reason) }]).await?;
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
