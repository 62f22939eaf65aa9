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
    let mut hold = Hold::new(org, run, live);
    loop {
        if !hold.begun {
            hold.begin().await;
        }
        let lease = Duration::from_millis(crate::fault::lease_ms());
        if tokio::time::timeout(lease, hold.last()).await.is_err() {
            return Over::because(Reason::Evicted { message: format!("It was held for {} s.", lease.as_secs()) });
        }
        hold.end().await;
    }
}

/// A run that works, and what holds it.
struct Hold {
    org: Arc<Org>,
    run: RunId,
    live: Arc<Live>,
    /// Whether the run's gateway is away.
    missing: watch::Receiver<bool>,
    stops: watch::Receiver<Vec<Stop>>,
    /// What `missing` hears where the gateway is here.
    _never: watch::Sender<bool>,
    /// Whether it is held, and not let go yet.
    begun: bool,
    /// Whether it is frozen for that.
    frozen: bool,
}

impl Hold {
    fn new(org: Arc<Org>, run: RunId, live: Arc<Live>) -> Self {
        let never = watch::Sender::new(false);
        let missing = live.away.as_ref().map_or_else(|| never.subscribe(), |away| away.missing());
        let stops = org.stops.subscribe();
        let mut hold = Self { org, run, live, missing, stops, _never: never, begun: false, frozen: false };
        // Held before this process began: it is let go, unless something still holds it.
        if let Some(run) = hold.run() {
            let held = matches!(run.reason, Some(Reason::Halted { .. } | Reason::WaitsForGateway { .. }));
            hold.begun = held && run.state == RunState::Working;
            hold.frozen = hold.begun && run.paused;
        }
        hold.live.note_held(hold.begun);
        hold
    }

    fn run(&self) -> Option<Run> {
        self.org.store.get(kind::RUN, self.run.as_str()).ok().flatten()
    }

    /// Whether something holds the run now.
    fn holds(&self) -> bool {
        let away = *self.missing.borrow();
        away || halted(&self.org, &self.run).is_some()
    }

    /// Waits until something holds the run, and says what.
    async fn begin(&mut self) {
        let stop = self.cause().await;
        let Some(run) = self.run() else { return };
        self.begun = true;
        let reason = stop.as_ref().map_or_else(|| Reason::WaitsForGateway { device: run.requester.clone() }, stops::halt);
        // Before it is frozen: so whoever takes it up after a crash knows that it is to be let go.
        if let Err(problem) = self.tell(Some(reason)).await {
            tracing::warn!(run = %self.run, %problem, "why a run is held could not be noted");
        }
    }

    /// Waits for a stop order, or, where it is none, the gateway's absence.
    async fn cause(&mut self) -> Option<Stop> {
        loop {
            self.stops.mark_unchanged();
            if let Some(stop) = halted(&self.org, &self.run) {
                return Some(stop);
            }
            tokio::select! {
                _ = self.stops.changed() => {}
                () = stays_away(&mut self.missing) => return None,
            }
        }
    }

    /// Freezes and saves the run, and waits until nothing holds it.
    async fn last(&mut self) {
        // First: whoever froze it for another reason does not let it go from now on.
        self.live.note_held(true);
        while !self.frozen && self.holds() {
            match self.live.order_and_wait(Order::Pause).await {
                Ok(()) => {
                    self.frozen = true;
                    self.save().await;
                }
                Err(problem) => {
                    tracing::warn!(run = %self.run, %problem, "a run that is held could not be frozen; it is tried again");
                    tokio::time::sleep(limits::REMOTE_PAUSE).await;
                }
            }
        }
        self.free().await;
    }

    async fn save(&self) {
        let Some(run) = self.run() else { return };
        let saved = self.org.blocking(move |org| end::save(org, &run)).await;
        let noted = match saved.map(|saved| saved.checkpoint) {
            Ok(Some(commit)) => self.org.record(&self.org.device, vec![Body::RunCheckpointed { run: self.run.clone(), commit }]).await,
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = noted {
            tracing::warn!(run = %self.run, %problem, "a run that is held could not be saved; it stays as it is");
        }
    }

    /// Waits until nothing holds the run.
    async fn free(&mut self) {
        loop {
            self.stops.mark_unchanged();
            self.missing.mark_unchanged();
            if !self.holds() {
                return;
            }
            self.note_other().await;
            tokio::select! {
                _ = self.stops.changed() => {}
                gone = self.missing.changed() => if gone.is_err() {
                    return std::future::pending().await;
                },
            }
        }
    }

    /// Lets the run go on, unless a person paused it; where something holds it again meanwhile, it is held still.
    async fn end(&mut self) {
        // First: who takes a pause back meanwhile is seen below, or lets it go.
        self.live.note_held(false);
        while !self.live.stays_paused() {
            if self.holds() {
                return;
            }
            // Whatever comes of the order: who holds it again freezes it again.
            self.frozen = false;
            match self.live.order_and_wait(Order::Resume).await {
                Ok(()) => {
                    self.goes_on().await;
                    break;
                }
                Err(problem) => {
                    tracing::warn!(run = %self.run, %problem, "a run that nothing holds any more does not go on; it is tried again");
                    tokio::time::sleep(limits::REMOTE_PAUSE).await;
                }
            }
        }
        // Last: until then, whoever takes it up after a crash lets it go.
        match self.tell(None).await {
            Ok(()) => (self.begun, self.frozen) = (false, false),
            Err(problem) => {
                tracing::warn!(run = %self.run, %problem, "that a run goes on could not be noted; it is tried again");
                tokio::time::sleep(limits::REMOTE_PAUSE).await;
            }
        }
    }

    /// Waits until the journal knows that the run is not frozen any more: else a person would seem to have paused it.
    async fn goes_on(&self) {
        let known = async {
            while self.run().is_some_and(|run| run.paused) {
                tokio::time::sleep(limits::REMOTE_PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(limits::REMOTE_PAUSE_MAX, known).await;
    }

    /// Notes what holds the run now, where that is not what is known of it any more: another order, or only the gateway's absence.
    async fn note_other(&self) {
        let away = *self.missing.borrow();
        let known = self.run().filter(|run| !(away && matches!(run.reason, Some(Reason::WaitsForGateway { .. }))));
        let Some(run) = known else { return };
        let is_halted = stops::halting(&self.org, &run).is_some();
        let gateway = || (away && !is_halted).then(|| Reason::WaitsForGateway { device: run.requester.clone() });
        let Some(reason) = stops::halts_instead(&self.org, &run).or_else(gateway) else { return };
        if let Err(problem) = self.tell(Some(reason)).await {
            tracing::warn!(run = %self.run, %problem, "what holds a run now could not be noted");
        }
    }

    async fn tell(&self, reason: Option<Reason>) -> Result<(), Problem> {
        self.org.record(&self.org.device, vec![Body::RunMoved { run: self.run.clone(), to: RunState::Working, reason }]).await
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

fn halted(org: &Org, run: &RunId) -> Option<Stop> {
    let run: Run = org.store.get(kind::RUN, run.as_str()).ok().flatten()?;
    stops::halting(org, &run)
}

impl Drive {
    /// Waits while a stop order halts the run, or until somebody asks for its end.
    pub(super) async fn unless_halted(&self) -> Result<(), Over> {
        let mut stops = self.org.stops.subscribe();
        loop {
            stops.mark_unchanged();
            let Some(stop) = halted(&self.org, &self.id) else { return Ok(()) };
            let state = self.run()?.state;
            self.record(Body::RunMoved { run: self.id.clone(), to: state, reason: Some(stops::halt(&stop)) }).await?;
            tokio::select! {
                _ = stops.changed() => {}
                over = asked(self.end.clone()) => return Err(over),
            }
        }
    }
}
