//! Events of an engine on their way to the runner: words are gathered, tool calls that say the same twice become one, and
//! what is over the log's limit is counted and dropped.

use crate::limits::{BATCH_BYTES_MAX, BATCH_TIME, LOG_BYTES_MAX};
use domain::run::RunnerEvent;
use tokio::{sync::mpsc, time::Instant};

/// Words or thoughts.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Voice {
    Message,
    Thought,
    Stdout,
    Stderr,
}

/// Gathers events. Sending waits while the receiver is behind.
pub(crate) struct Batch {
    events: mpsc::Sender<RunnerEvent>,
    words: Option<(Voice, String)>,
    /// Tool calls of which only the output went on.
    tools: Vec<RunnerEvent>,
    due: Option<Instant>,
    room_bytes: u64,
    dropped_bytes: u64,
}

/// Roughly what an event costs in the log apart from its texts.
const EVENT_BYTES: u64 = 64;

impl Batch {
    pub(crate) fn new(events: mpsc::Sender<RunnerEvent>) -> Self {
        Self { events, words: None, tools: Vec::new(), due: None, room_bytes: LOG_BYTES_MAX, dropped_bytes: 0 }
    }

    /// When what is gathered is to be sent.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Words, in whatever pieces they come.
    pub(crate) async fn say(&mut self, voice: Voice, text: &str) {
        if self.words.as_ref().is_some_and(|(before, _)| *before != voice) || !self.tools.is_empty() {
            self.flush().await;
        }
        let mut left = text;
        while !left.is_empty() {
            let (_, gathered) = self.words.get_or_insert_with(|| (voice, String::new()));
            let room = BATCH_BYTES_MAX.saturating_sub(gathered.len()).max(4);
            let end = (0..=room.min(left.len())).rev().find(|at| left.is_char_boundary(*at)).unwrap_or(left.len());
            gathered.push_str(&left[..end]);
            left = &left[end..];
            if gathered.len() + 4 > BATCH_BYTES_MAX {
                self.flush().await;
            }
        }
        if self.words.is_some() {
            self.due.get_or_insert_with(|| Instant::now() + BATCH_TIME);
        }
    }

    /// An event that engines send often: bounded by the log's limit.
    pub(crate) async fn event(&mut self, event: RunnerEvent) {
        if let RunnerEvent::Tool { id, title, status, .. } = &event
            && title.is_empty()
            && matches!(status.as_str(), "" | "in_progress")
        {
            // Engines send a running command's output again and again: the last one counts.
            let same = self.tools.iter().position(|held| matches!(held, RunnerEvent::Tool { id: before, .. } if before == id));
            if let Some(at) = same {
                self.tools.remove(at);
            } else if self.words.is_some() {
                self.flush().await;
            }
            self.tools.push(event);
            self.due.get_or_insert_with(|| Instant::now() + BATCH_TIME);
            if self.tools.len() > 64 {
                self.flush().await;
            }
            return;
        }
        self.flush().await;
        self.bounded(event).await;
    }

    /// An event that is always sent.
    pub(crate) async fn always(&mut self, event: RunnerEvent) {
        self.flush().await;
        self.send(event).await;
    }

    /// Sends what is gathered.
    pub(crate) async fn flush(&mut self) {
        self.due = None;
        if let Some((voice, text)) = self.words.take().filter(|(_, text)| !text.is_empty()) {
            let event = match voice {
                Voice::Message => RunnerEvent::Message { text },
                Voice::Thought => RunnerEvent::Thought { text },
                Voice::Stdout => RunnerEvent::Log { stream: "stdout".into(), text },
                Voice::Stderr => RunnerEvent::Log { stream: "stderr".into(), text },
            };
            self.bounded(event).await;
        }
        for event in std::mem::take(&mut self.tools) {
            self.bounded(event).await;
        }
    }

    /// Sends what is gathered, and says how much was dropped since it was last said.
    pub(crate) async fn settle(&mut self) {
        self.flush().await;
        let dropped_bytes = std::mem::take(&mut self.dropped_bytes);
        if dropped_bytes > 0 {
            self.send(RunnerEvent::Truncated { dropped_bytes }).await;
        }
    }

    async fn bounded(&mut self, event: RunnerEvent) {
        let bytes = EVENT_BYTES.saturating_add(text_bytes(&event));
        if bytes > self.room_bytes {
            self.dropped_bytes = self.dropped_bytes.saturating_add(bytes);
        } else {
            self.room_bytes -= bytes;
            self.send(event).await;
        }
    }

    async fn send(&mut self, event: RunnerEvent) {
        // A receiver that is gone has stopped the run: there is nobody to tell.
        let _ = self.events.send(event).await;
    }
}

fn text_bytes(event: &RunnerEvent) -> u64 {
    let bytes = match event {
        RunnerEvent::Message { text } | RunnerEvent::Thought { text } | RunnerEvent::Log { text, .. } => text.len(),
        RunnerEvent::Tool { id, title, output, .. } => id.len() + title.len() + output.len(),
        RunnerEvent::Plan { steps } => steps.iter().map(|step| step.text.len() + 32).sum(),
        _ => 0,
    };
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(fill: impl AsyncFnOnce(&mut Batch)) -> Vec<RunnerEvent> {
        let (events, mut received) = mpsc::channel(100_000);
        let mut batch = Batch::new(events);
        fill(&mut batch).await;
        batch.settle().await;
        drop(batch);
        let mut all = Vec::new();
        while let Some(event) = received.recv().await {
            all.push(event);
        }
        all
    }

    fn tool(title: &str, status: &str, output: &str) -> RunnerEvent {
        RunnerEvent::Tool { id: "1".into(), title: title.into(), status: status.into(), output: output.into() }
    }

    #[tokio::test]
    async fn words_are_gathered_and_keep_their_place_among_tools() {
        let events = sent(async |batch| {
            for word in ["one ", "two ", "three"] {
                batch.say(Voice::Message, word).await;
            }
            batch.say(Voice::Thought, "hm").await;
            batch.event(tool("ls", "in_progress", "")).await;
            batch.event(tool("", "", "a")).await;
            batch.event(tool("", "in_progress", "a b")).await;
            batch.event(tool("", "completed", "a b c")).await;
        })
        .await;
        let message = RunnerEvent::Message { text: "one two three".into() };
        let thought = RunnerEvent::Thought { text: "hm".into() };
        let tools = [tool("ls", "in_progress", ""), tool("", "in_progress", "a b"), tool("", "completed", "a b c")];
        assert_eq!(events[..2], [message, thought]);
        assert_eq!(events[2..], tools);
    }

    #[tokio::test]
    async fn what_is_over_the_limit_is_counted() {
        let text = "ä".repeat(1 << 20);
        let total = LOG_BYTES_MAX / (2 << 20) + 2;
        let events = sent(async |batch| {
            for _ in 0..total {
                batch.say(Voice::Message, &text).await;
            }
            batch.always(RunnerEvent::Paused).await;
        })
        .await;
        let kept: usize = events.iter().map(|event| if let RunnerEvent::Message { text } = event { text.len() } else { 0 }).sum();
        assert!(kept as u64 <= LOG_BYTES_MAX && kept as u64 > LOG_BYTES_MAX / 2);
        assert!(events.contains(&RunnerEvent::Paused));
        assert!(matches!(events.last(), Some(RunnerEvent::Truncated { dropped_bytes }) if *dropped_bytes > 1 << 20));
    }
}
