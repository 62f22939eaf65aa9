//! Which runs are driven now, and how they are told to end; and those that have not ended although nothing drives them:
//! because their end could not be written, or what drove them broke.

use super::Over;
use crate::limits;
use domain::{
    RunId,
    run::{Reason, Run},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::watch;

/// The runs of an org that are driven, and those that are adrift.
#[derive(Debug, Default)]
pub struct Driven {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    driven: HashMap<RunId, watch::Sender<Option<Reason>>>,
    adrift: BTreeMap<RunId, Adrift>,
}

/// A run that nothing drives.
#[derive(Clone, Debug)]
pub(crate) struct Adrift {
    /// How it was to end, where that is known.
    pub(super) over: Option<Over>,
    /// What is known of how it came, in words.
    pub(super) message: String,
    next: Instant,
}

/// While it lives, a run is driven.
#[derive(Debug)]
pub(super) struct Guard {
    driven: Arc<Driven>,
    run: RunId,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.driven.state().driven.remove(&self.run);
    }
}

impl Driven {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a run is driven from now on; none where it is already. The receiver tells why it is to end.
    pub(super) fn begin(self: &Arc<Self>, run: &RunId) -> Option<(Guard, watch::Receiver<Option<Reason>>)> {
        let mut state = self.state();
        if state.driven.contains_key(run) {
            return None;
        }
        let (end, asked) = watch::channel(None);
        state.driven.insert(run.clone(), end);
        state.adrift.remove(run);
        Some((Guard { driven: self.clone(), run: run.clone() }, asked))
    }

    /// Whether something drives a run now.
    pub(super) fn drives(&self, run: &RunId) -> bool {
        self.state().driven.contains_key(run)
    }

    /// Tells what drives a run to end it. A person's word stands, whatever the device wants later.
    pub(crate) fn end(&self, run: &RunId, reason: &Reason) {
        if let Some(end) = self.state().driven.get(run) {
            end.send_if_modified(|asked| {
                let stands = matches!(asked, Some(Reason::Stopped { .. }));
                if !stands {
                    *asked = Some(reason.clone());
                }
                !stands
            });
        }
    }

    /// Tells everything that drives a run to end it.
    pub(super) fn end_all(&self, reason: &Reason) {
        let runs: Vec<RunId> = self.state().driven.keys().cloned().collect();
        runs.iter().for_each(|run| self.end(run, reason));
    }

    /// Notes that something about a run could not be finished; it is tried again after a while.
    pub(crate) fn later(&self, run: &Run, over: Option<Over>, message: String) {
        let next = Instant::now() + limits::ADRIFT_PAUSES.after(run.recovered);
        self.state().adrift.insert(run.id.clone(), Adrift { over, message, next });
    }

    /// Of a run of which nothing runs any more, and whose end could not be written yet: why, in words.
    pub(crate) fn unended(&self, run: &RunId) -> Option<String> {
        self.state().adrift.get(run).filter(|adrift| adrift.over.is_some()).map(|adrift| adrift.message.clone())
    }

    /// Of these runs, which hold a slot here, notes those that nothing drives. Returns those that are due, with others that
    /// something is to be finished of.
    pub(super) fn due(&self, holding: &[Run]) -> Vec<(RunId, Adrift)> {
        let mut state = self.state();
        for run in holding {
            // Between a lease and the moment when it is driven there is a moment: so none is taken up at the first look.
            if !state.driven.contains_key(&run.id) && !state.adrift.contains_key(&run.id) {
                let message = "What drove it ended before it did.".to_owned();
                state.adrift.insert(
                    run.id.clone(),
                    Adrift { over: None, message, next: Instant::now() + limits::ADRIFT_PAUSES.after(run.recovered) },
                );
            }
        }
        let now = Instant::now();
        state.adrift.iter().filter(|(_, adrift)| adrift.next <= now).map(|(run, adrift)| (run.clone(), adrift.clone())).collect()
    }

    /// Forgets that something of a run was to be finished.
    pub(super) fn settled(&self, run: &RunId) {
        self.state().adrift.remove(run);
    }
}
