//! One reader of the journal for everybody who watches: each event is written as text once, and what piles up within
//! [`limits::JOIN`] goes out together. A watcher that is behind reads the journal by itself until it has caught up.

use crate::limits;
use axum::body::Bytes;
use domain::Problem;
use orchestrator::org::{Recorded, Seq, Store};
use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::{sync::broadcast, time::Instant};

/// Events that follow each other, as they go over the wire.
#[derive(Clone, Debug)]
struct Frame {
    first: u64,
    last: u64,
    text: Bytes,
}

/// The one reader of an org's journal; it reads while somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Fan {
    live: Mutex<Weak<broadcast::Sender<Frame>>>,
}

impl Fan {
    /// A watcher that gets everything after this number.
    pub(crate) fn watch(&self, store: &Store, after: u64) -> Watcher {
        let sender = self.sender(store);
        // First the subscription, then the reading: so nothing can fall between. What came before the reader began is read here.
        Watcher { live: sender.subscribe(), _sender: sender, store: store.clone(), at: after, behind: true }
    }

    /// The reader that runs, or a new one.
    fn sender(&self, store: &Store) -> Arc<broadcast::Sender<Frame>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = live.upgrade() {
            return running;
        }
        let sender = Arc::new(broadcast::Sender::new(limits::FRAMES_BUFFERED));
        *live = Arc::downgrade(&sender);
        // From where the journal ends now, and not once the reader has its turn: whoever is here then has read up to now alone.
        tokio::spawn(read(store.clone(), store.last(), live.clone()));
        sender
    }
}

/// Follows the journal until nobody watches.
async fn read(store: Store, after: Seq, to: Weak<broadcast::Sender<Frame>>) {
    let mut follower = store.follow(after);
    let mut sent = Instant::now();
    while to.strong_count() > 0 {
        let Ok(next) = tokio::time::timeout(limits::KEEP_ALIVE, follower.next()).await else { continue };
        let Ok(first) = next else { return };
        let (number, mut last, mut text) = (first.seq.0, first.seq.0, String::new());
        write_event(&mut text, &first);
        // The first after a pause goes at once; the others wait for the end of their window.
        let until = sent + limits::JOIN;
        while text.len() < limits::FRAME_BYTES_MAX {
            let Ok(Ok(more)) = tokio::time::timeout_at(until, follower.next()).await else { break };
            last = more.seq.0;
            write_event(&mut text, &more);
        }
        sent = Instant::now();
        let Some(to) = to.upgrade() else { return };
        let _ = to.send(Frame { first: number, last, text: text.into() });
    }
}

fn write_event(text: &mut String, recorded: &Recorded) {
    let data = serde_json::to_string(recorded).unwrap_or_default();
    let _ = write!(text, "id: {}\nevent: journal\ndata: {data}\n\n", recorded.seq);
}

/// One who watches.
pub(crate) struct Watcher {
    live: broadcast::Receiver<Frame>,
    /// Keeps the reader going.
    _sender: Arc<broadcast::Sender<Frame>>,
    store: Store,
    at: u64,
    behind: bool,
}

impl Watcher {
    /// What to send next; waits until there is something.
    ///
    /// # Errors
    /// When the journal cannot be read, or is closed.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Problem> {
        loop {
            if self.behind {
                let events = self.store.events(Seq(self.at), limits::CATCH_UP_EVENTS)?;
                if let Some(last) = events.last() {
                    self.at = last.seq.0;
                    let mut text = String::new();
                    events.iter().for_each(|e| write_event(&mut text, e));
                    return Ok(text.into());
                }
                self.behind = false;
            }
            match self.live.recv().await {
                Ok(frame) if frame.last <= self.at => {}
                Ok(frame) if frame.first == self.at + 1 => {
                    self.at = frame.last;
                    return Ok(frame.text);
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Problem::new(domain::Kind::Unavailable, "The journal is closed.").next("Start `meshwork up` again."));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::event::{Body, Event, VERSION};
    use futures::FutureExt;
    use orchestrator::org::Signer;
    use std::time::Duration;

    #[tokio::test]
    async fn what_comes_before_the_reader_has_its_first_turn_is_seen_by_who_had_caught_up() {
        let dir = tempfile::tempdir().unwrap();
        let device: domain::Did = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw".parse().unwrap();
        let store = Store::open(dir.path(), Signer { device: device.clone(), sign: Arc::new(|_| Ok([0; 64])) }).unwrap();
        let fan = Fan::default();
        let mut watcher = fan.watch(&store, store.last().0);
        // Looked at without giving way: the reader had no turn yet.
        assert!(watcher.next().now_or_never().is_none(), "there is nothing new");
        let body = Body::OrgMoved { commit: "a".repeat(40).parse().unwrap() };
        let event = Event { version: VERSION, at: domain::Timestamp(0), actor: device, via: None, told: None, body };
        store.append_blocking(vec![event]).unwrap();
        let seen = tokio::time::timeout(Duration::from_secs(10), watcher.next()).await;
        assert!(String::from_utf8_lossy(&seen.unwrap().unwrap()).contains("org_moved"));
    }
}
