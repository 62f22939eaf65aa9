//! The connections that live, so that those of whoever does not belong to the org any more can be cut.

use crate::limits;
use identity::certificate::Subject;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// All connections of a device, in either direction.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    all: HashMap<u64, (Subject, CancellationToken)>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({})", self.state().all.len())
    }
}

impl Connections {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a connection; none where there are too many.
    pub(crate) fn hold(&self, subject: &Subject) -> Option<Held> {
        let mut state = self.state();
        if state.all.len() >= limits::CONNECTIONS_MAX {
            return None;
        }
        let (number, cut) = (state.next, CancellationToken::new());
        state.next += 1;
        state.all.insert(number, (subject.clone(), cut.clone()));
        Some(Held { of: self.clone(), number, cut })
    }

    /// Cuts the connections of those whom `stays` does not name; says how many.
    pub fn cut_unless(&self, stays: impl Fn(&Subject) -> bool) -> usize {
        let gone: Vec<CancellationToken> =
            self.state().all.values().filter(|(subject, _)| !stays(subject)).map(|(_, cut)| cut.clone()).collect();
        gone.iter().for_each(CancellationToken::cancel);
        gone.len()
    }

    /// With whom there are connections now.
    pub fn subjects(&self) -> Vec<Subject> {
        self.state().all.values().map(|(subject, _)| subject.clone()).collect()
    }
}

/// A connection's place among those that live; given back when dropped.
pub(crate) struct Held {
    of: Connections,
    number: u64,
    cut: CancellationToken,
}

impl Held {
    /// Resolves when the connection is to be cut.
    pub(crate) fn cut(&self) -> WaitForCancellationFutureOwned {
        self.cut.clone().cancelled_owned()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.state().all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connection::{Connection, Peer};
    use std::time::Instant;
    use tokio::io::AsyncReadExt;

    fn device(seed: u8) -> Subject {
        Subject::Device { org: "crew".parse().unwrap(), did: identity::Key::from_seed(&[seed; 32]).did() }
    }

    #[tokio::test]
    async fn who_is_cut_off_reads_no_more_at_once_and_others_stay() {
        let all = Connections::default();
        let held = |seed| (device(seed), all.hold(&device(seed)).unwrap());
        let connect = |(subject, held)| {
            let (near, far) = tokio::io::duplex(64);
            (Connection::new(near, Peer { subject, since: Instant::now() }, held), far)
        };
        let ((mut gone, _far), (mut stays, mut peer)) = (connect(held(1)), connect(held(2)));
        let reading = tokio::spawn(async move { (gone.read_u8().await, gone) });
        tokio::task::yield_now().await;
        assert_eq!(all.cut_unless(|subject| *subject == device(2)), 1);
        let (read, gone) = reading.await.unwrap();
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
        tokio::io::AsyncWriteExt::write_u8(&mut peer, 7).await.unwrap();
        assert_eq!(stays.read_u8().await.unwrap(), 7);
        drop(gone);
        assert_eq!(all.subjects(), [device(2)]);
    }
}
