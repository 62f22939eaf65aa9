//! What the tests of this crate share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod context_server;
pub mod fake;
pub mod real;

use domain::run::RunnerEvent;
use tokio::sync::mpsc;

/// Takes all events that are there, and those that still come until the sender is gone.
pub async fn rest(mut events: mpsc::Receiver<RunnerEvent>) -> Vec<RunnerEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.recv().await {
        all.push(event);
    }
    all
}

/// All words of the agent.
pub fn words(events: &[RunnerEvent]) -> String {
    events.iter().filter_map(|event| if let RunnerEvent::Message { text } = event { Some(text.as_str()) } else { None }).collect()
}
