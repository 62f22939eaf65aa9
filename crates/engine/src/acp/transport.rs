//! What an engine writes, line by line, before the protocol sees it.
//!
//! The protocol's crate reads as fast as it can and queues without bound, so the bounds are kept here: a line has a length,
//! lines that are no messages are counted and shown, and reading stops while the driver is busy.

use super::client::Incoming;
use crate::{
    limits::{LINE_BYTES_MAX, NOISE_BYTES_MAX, cut},
    line::{Line, Lines},
};
use domain::run::Reason;
use futures::Stream;
use std::sync::{Arc, OnceLock};
use tokio::{
    io::AsyncRead,
    sync::{mpsc, watch},
};

/// What went wrong on the wire; the first fault counts.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<OnceLock<Reason>>);

impl Fault {
    pub(super) fn set(&self, reason: Reason) {
        // A later fault only follows from the first.
        let _ = self.0.set(reason);
    }

    pub(super) fn get(&self) -> Option<Reason> {
        self.0.get().cloned()
    }
}

struct Reader<R> {
    lines: Lines<R>,
    noise_bytes: usize,
    noise: mpsc::Sender<Incoming>,
    open: watch::Receiver<bool>,
    fault: Fault,
}

/// The messages that an engine writes. Reading waits while `open` is false.
pub(super) fn messages<R: AsyncRead + Send + Unpin + 'static>(
    stdout: R,
    noise: mpsc::Sender<Incoming>,
    open: watch::Receiver<bool>,
    fault: Fault,
) -> impl Stream<Item = std::io::Result<String>> + Send + 'static {
    let reader = Reader { lines: Lines::new(stdout, LINE_BYTES_MAX), noise_bytes: 0, noise, open, fault };
    futures::stream::unfold(reader, |mut reader| async move { reader.next().await.transpose().map(|line| (line, reader)) })
}

impl<R: AsyncRead + Unpin> Reader<R> {
    async fn next(&mut self) -> std::io::Result<Option<String>> {
        loop {
            // The reader and the handlers share a task: after each line the handlers get their turn, and may close the gate.
            tokio::task::yield_now().await;
            if self.open.wait_for(|open| *open).await.is_err() {
                return Ok(None);
            }
            match self.lines.next().await? {
                None => return Ok(None),
                Some(Line::Whole(line)) if is_message(&line) => return Ok(Some(line)),
                Some(Line::Whole(line)) if looks_like_message(&line) => {
                    return Err(self.broken(format!("it wrote a message that is no JSON: {}", cut(&line, 200))));
                }
                Some(Line::Piece(line)) if looks_like_message(&line) => {
                    return Err(self.broken(format!("it wrote a message of more than {LINE_BYTES_MAX} bytes: {}", cut(&line, 100))));
                }
                Some(Line::Whole(line) | Line::Piece(line)) => self.noise(line).await?,
            }
        }
    }

    /// Lines that are no messages at all: engines print warnings. Shown, and bounded.
    async fn noise(&mut self, line: String) -> std::io::Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        self.noise_bytes = self.noise_bytes.saturating_add(line.len());
        if self.noise_bytes > NOISE_BYTES_MAX {
            return Err(self.broken(format!("it wrote more than {NOISE_BYTES_MAX} bytes that are no messages, as: {}", cut(&line, 100))));
        }
        // The driver may be gone already; then nobody reads on either.
        let _ = self.noise.send(Incoming::Noise(line)).await;
        Ok(())
    }

    fn broken(&self, message: String) -> std::io::Error {
        let message = crate::failure::sentence(&message);
        self.fault.set(Reason::EngineProtocol { message });
        std::io::Error::other("the engine broke the protocol")
    }
}

fn looks_like_message(line: &str) -> bool {
    line.trim_start().starts_with('{')
}

fn is_message(line: &str) -> bool {
    looks_like_message(line) && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}
