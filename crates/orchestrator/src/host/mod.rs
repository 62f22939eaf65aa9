//! The host's side of a run: the `Run` service that runners speak, and what the orchestrator keeps of each live run.

mod live;
mod service;
mod tunnel;

pub use live::{Ended, Live, Welcome};
pub use service::{VERSION, serve};

use domain::RunId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The live runs of an org, by id.
#[derive(Debug, Default)]
pub struct Hub {
    runs: Mutex<HashMap<RunId, Arc<Live>>>,
}

impl Hub {
    /// A live run.
    pub fn get(&self, run: &RunId) -> Option<Arc<Live>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    /// Makes a run known to the service.
    pub fn insert(&self, live: Arc<Live>) {
        let before = self.runs.lock().unwrap_or_else(PoisonError::into_inner).insert(live.run.clone(), live);
        before.inspect(|live| live.over.cancel());
    }

    /// Forgets a run; its runner is turned away from then on.
    pub fn remove(&self, run: &RunId) {
        let before = self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        before.inspect(|live| live.over.cancel());
    }

    /// All live runs.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
