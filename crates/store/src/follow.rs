//! Following the journal: every event once, in order, however slow the reader is.

use crate::{
    Store,
    chain::{Recorded, Seq},
    limits, problem,
};
use domain::Problem;
use std::collections::VecDeque;
use tokio::sync::broadcast::{self, error::RecvError};

/// A reader of the journal that waits at its end.
pub struct Follower {
    store: Store,
    live: broadcast::Receiver<Recorded>,
    at: Seq,
    backlog: VecDeque<Recorded>,
    /// Whether the journal may hold more than what comes live.
    behind: bool,
}

impl Follower {
    pub(crate) fn new(store: Store, after: Seq) -> Self {
        // First the subscription, then the reading: so nothing can fall between.
        let live = store.subscribe();
        Self { store, live, at: after, backlog: VecDeque::new(), behind: true }
    }

    /// The number after which the next event comes: what to remember for going on later.
    pub fn at(&self) -> Seq {
        self.at
    }

    /// The next event; waits until there is one. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// When the journal cannot be read, or is closed.
    pub async fn next(&mut self) -> Result<Recorded, Problem> {
        loop {
            if let Some(recorded) = self.backlog.pop_front() {
                self.at = recorded.seq;
                return Ok(recorded);
            }
            if self.behind {
                self.backlog = self.store.events(self.at, limits::FOLLOW_BATCH)?.into();
                self.behind = !self.backlog.is_empty();
                continue;
            }
            match self.live.recv().await {
                Ok(recorded) if recorded.seq <= self.at => {}
                Ok(recorded) if recorded.seq.0 == self.at.0 + 1 => {
                    self.at = recorded.seq;
                    return Ok(recorded);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Err(problem::writer_gone()),
            }
        }
    }
}
