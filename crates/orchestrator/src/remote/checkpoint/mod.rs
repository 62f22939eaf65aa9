//! Saved work on its way between devices. Whoever asked for a run brings its checkpoint over as soon as it hears of it; so the device
//! that executed it may go, and any device may go on: it gets the checkpoint from the one that asks. `give` tells, `bring` hears.

mod bring;
mod give;

pub(crate) use bring::{bring_saved, receive};
pub(super) use give::give;

use super::lock;
use crate::{limits, org::Org};
use domain::{Did, RunId, run::LeftBehind};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, watch};

/// What is remembered of checkpoints that move, while the process lives.
#[derive(Debug)]
pub(crate) struct Moving {
    /// How many more may be given at once.
    giving: Arc<Semaphore>,
    /// Runs that ended here with saved work which their requester has not got yet, and since when.
    owed: watch::Sender<BTreeMap<RunId, Instant>>,
    /// By the run that is to go on: the saved work that was not to be had, and when that was found out.
    left: Mutex<HashMap<RunId, (LeftBehind, Instant)>>,
}

impl Default for Moving {
    fn default() -> Self {
        let giving = Arc::new(Semaphore::new(limits::CHECKPOINTS_AT_ONCE));
        Self { giving, owed: watch::Sender::new(BTreeMap::new()), left: Mutex::default() }
    }
}

impl Moving {
    /// Notes that a run was saved here which another device asked for; what is old is forgotten: that device is away.
    pub(crate) fn owe(&self, run: &RunId) {
        self.owed.send_modify(|owed| {
            owed.retain(|_, since| since.elapsed() < limits::CHECKPOINT_AGAIN);
            owed.insert(run.clone(), Instant::now());
        });
    }

    /// Notes that it was given.
    fn given(&self, run: &RunId) {
        self.owed.send_if_modified(|owed| owed.remove(run).is_some());
    }

    /// Notes that the saved work which a run was to go on from cannot be had.
    pub(crate) fn leave(&self, run: &RunId, left: LeftBehind) {
        let mut all = lock(&self.left);
        if all.len() >= limits::LEFT_BEHIND_MAX {
            // Whoever has it is asked once too often.
            all.clear();
        }
        all.insert(run.clone(), (left, Instant::now()));
    }

    /// What a run goes on without, and how long ago that was found out.
    pub(crate) fn left(&self, run: &RunId) -> Option<(LeftBehind, Duration)> {
        lock(&self.left).get(run).map(|(left, at)| (left.clone(), at.elapsed()))
    }
}

/// Returns when the devices that asked for what ended here lately have its saved work, or do not get it in time: for a device that closes.
pub(crate) async fn farewell(org: &Arc<Org>) {
    let owed = &org.remote.moving.owed;
    owed.send_modify(|owed| owed.retain(|_, since| since.elapsed() < limits::CHECKPOINT_AGAIN));
    if owed.borrow().is_empty() {
        return;
    }
    let mut watched = owed.subscribe();
    if tokio::time::timeout(limits::CHECKPOINT_FAREWELL, watched.wait_for(BTreeMap::is_empty)).await.is_err() {
        tracing::warn!("saved work of runs that others asked for was not brought away in time; it stays here");
    }
    tokio::time::sleep(limits::CHECKPOINT_LAST_BYTES).await;
}

/// Whether a device answered the last time, or nobody tried.
pub(crate) fn may_answer(org: &Org, device: &Did) -> bool {
    lock(&org.remote.reach).get(device).is_none_or(|reach| reach.reachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_waited_for_until_it_was_given() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let moving = Moving::default();
        moving.owe(&run);
        assert_eq!(moving.owed.borrow().len(), 1);
        moving.given(&run);
        assert!(moving.owed.borrow().is_empty());
    }
}
