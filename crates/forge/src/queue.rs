//! One writer per repository and key: concurrent writes with one key fail or lose objects.

use radicle::{crypto::PublicKey, identity::RepoId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The turns of all writers. A key's turn in one repository does not wait for other keys or repositories.
#[derive(Default)]
pub(crate) struct Queue(Mutex<HashMap<(RepoId, PublicKey), Turn>>);

type Turn = Arc<Mutex<()>>;

impl Queue {
    /// Runs `write` when it is this key's turn in this repository.
    pub(crate) fn turn<T>(&self, rid: RepoId, key: PublicKey, write: impl FnOnce() -> T) -> T {
        let mine = {
            let mut turns = lock(&self.0);
            // Keys of runs come and go; what nobody holds is forgotten.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry((rid, key)).or_default().clone()
        };
        let _held = lock(&mine);
        write()
    }
}

/// Takes a lock; a panic elsewhere while it was held changes nothing about what it guards here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
