//! The sandboxes of a run: the engine's, and those of its checks. They are frozen, thawed and killed together.

use domain::{Kind, Problem};
use sandbox::Sandbox;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How often the running time is looked at: how exact wall time and silence are.
const TICK: Duration = Duration::from_millis(500);

/// Sandboxes that are alive.
#[derive(Debug)]
pub(super) struct Sandboxes {
    alive: Mutex<Vec<Arc<Sandbox>>>,
    frozen: watch::Sender<bool>,
    checking: AtomicUsize,
}

/// While it lives, silence of the engine is expected: its work is being checked.
pub(super) struct Checking<'a>(&'a AtomicUsize);

impl Drop for Checking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Sandboxes {
    fn default() -> Self {
        Self { alive: Mutex::default(), frozen: watch::Sender::new(false), checking: AtomicUsize::new(0) }
    }
}

impl Sandboxes {
    fn all(&self) -> Vec<Arc<Sandbox>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds one; when the run is frozen it is frozen at once.
    pub(super) async fn add(&self, sandbox: Arc<Sandbox>) -> Result<(), Problem> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).push(sandbox.clone());
        if *self.frozen.borrow() { unless_ended(sandbox.freeze().await) } else { Ok(()) }
    }

    /// Forgets one that ended.
    pub(super) fn remove(&self, sandbox: &Arc<Sandbox>) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).retain(|s| !Arc::ptr_eq(s, sandbox));
    }

    /// Freezes all, or none: where one cannot be frozen, all go on.
    pub(super) async fn freeze(&self) -> Result<(), Problem> {
        self.frozen.send_replace(true);
        for sandbox in self.all() {
            if let Err(problem) = unless_ended(sandbox.freeze().await) {
                if let Err(also) = self.thaw().await {
                    tracing::warn!(problem = %also, "a sandbox could not be thawed again");
                }
                return Err(problem);
            }
        }
        Ok(())
    }

    /// Lets all go on. Also where one cannot be thawed the run's time counts again: others of it may work.
    pub(super) async fn thaw(&self) -> Result<(), Problem> {
        let mut done = Ok(());
        for sandbox in self.all() {
            done = done.and(unless_ended(sandbox.thaw().await));
        }
        self.frozen.send_replace(false);
        done
    }

    /// Notes that checks run.
    pub(super) fn begin_checking(&self) -> Checking<'_> {
        self.checking.fetch_add(1, Ordering::Relaxed);
        Checking(&self.checking)
    }

    /// How many checks run.
    pub(super) fn checking(&self) -> usize {
        self.checking.load(Ordering::Relaxed)
    }

    /// Whether the run is frozen.
    pub(super) fn frozen(&self) -> bool {
        *self.frozen.borrow()
    }

    /// Kills all, frozen or not. When this returns nothing of them is left.
    pub(super) async fn kill(&self) {
        for sandbox in self.all() {
            sandbox.kill().await;
        }
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// What has ended needs neither: a plain command's sandbox is kept here while its work is checked.
fn unless_ended(outcome: Result<(), Problem>) -> Result<(), Problem> {
    outcome.or_else(|problem| if problem.kind == Kind::Conflict { Ok(()) } else { Err(problem) })
}

/// Returns after this much time in which the run was not frozen.
pub(super) async fn running_time(sandboxes: &Sandboxes, time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        tokio::time::sleep(TICK.min(left)).await;
        if !sandboxes.frozen() {
            left = left.saturating_sub(TICK);
        }
    }
}
