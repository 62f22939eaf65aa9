//! Server-sent events of a streamed answer: sent in order, slowly or broken off where a directive says so.

use super::directive::Directive;
use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

/// How long a stream that breaks off waits, so that its first half is on the wire.
const FLUSH: Duration = Duration::from_millis(50);

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    name: Option<String>,
    data: String,
    is_word: bool,
}

impl Frame {
    /// With a name and data.
    pub(super) fn named(name: &str, data: &Value) -> Self {
        Self { name: Some(name.to_owned()), data: data.to_string(), is_word: false }
    }

    /// With data alone.
    pub(super) fn unnamed(data: &Value) -> Self {
        Self { name: None, data: data.to_string(), is_word: false }
    }

    /// The mark at the end of OpenAI's chat streams.
    pub(super) fn done() -> Self {
        Self { name: None, data: "[DONE]".into(), is_word: false }
    }

    /// The same, as one of the words over which a slow answer is spread.
    pub(super) fn word(mut self) -> Self {
        self.is_word = true;
        self
    }

    fn bytes(&self) -> Bytes {
        let name = self.name.as_ref().map(|name| format!("event: {name}\n")).unwrap_or_default();
        Bytes::from(format!("{name}data: {}\n\n", self.data))
    }
}

/// A text in words, each with the space behind it.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// Sends the frames.
pub(super) fn response(mut frames: Vec<Frame>, directives: &[Directive]) -> Response {
    let breaks = directives.contains(&Directive::StopMidstream);
    if breaks {
        frames.truncate(frames.len().div_ceil(2));
    }
    let words = frames.iter().filter(|frame| frame.is_word).count().max(1);
    let time = directives.iter().find_map(|directive| match directive {
        Directive::Slow { time } => Some(*time),
        _ => None,
    });
    let pause = time.unwrap_or_default() / u32::try_from(words).unwrap_or(u32::MAX);
    let stream = futures::stream::unfold(frames.into_iter(), move |mut left| async move {
        let Some(frame) = left.next() else {
            if !breaks {
                return None;
            }
            // An error aborts the connection instead of ending the chunked body, as a provider that dies does. What came
            // before leaves the server's buffer only while the body has nothing ready.
            tokio::time::sleep(FLUSH).await;
            return Some((Err(std::io::Error::other("scripted break")), left));
        };
        if frame.is_word && pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
        }
        Some((Ok(frame.bytes()), left))
    });
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")], Body::from_stream(stream)).into_response()
}
