//! Waiting for a future on a thread, within or without a runtime: what is waited for is done by another thread.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};
use tokio::sync::mpsc;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Wakes this thread.
fn waker() -> Waker {
    Arc::new(Unpark(thread::current())).into()
}

/// Waits for a future.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = waker();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Waits for what comes next; pending once this moment is reached, ready with nothing once nothing can come any more.
pub(crate) fn receive<T>(from: &mut mpsc::Receiver<T>, until: Instant) -> Poll<Option<T>> {
    let waker = waker();
    loop {
        if let Poll::Ready(received) = from.poll_recv(&mut Context::from_waker(&waker)) {
            return Poll::Ready(received);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Pending;
        }
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_comes_is_received_and_the_wait_has_an_end() {
        let (sender, mut receiver) = mpsc::channel(1);
        assert!(receive::<u8>(&mut receiver, Instant::now() + Duration::from_millis(1)).is_pending());
        let later = thread::spawn(move || sender.blocking_send(7u8).unwrap());
        let far = Instant::now() + Duration::from_secs(60);
        assert_eq!(receive(&mut receiver, far), Poll::Ready(Some(7)));
        later.join().unwrap();
        assert_eq!(receive(&mut receiver, far), Poll::Ready(None));
    }
}
