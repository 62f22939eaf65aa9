//! Reads from a provider's answer what the call used, whether it came to its end, and whether it failed on the way.
//!
//! Sources: OpenAI's "Streaming events" of the Responses API and "The chat completion chunk object"; Anthropic's
//! "Streaming Messages"; Google's "GenerateContentResponse". What cannot be read counts as nothing: the call itself is always counted.

use super::{
    limits,
    sse::{Event, Reader},
};
use domain::{agent::ModelApi, usage::Usage};
use serde::Deserialize;
use serde_json::Value;

/// Follows one answer.
pub(super) struct Tally {
    api: ModelApi,
    reader: Reader,
    state: State,
}

#[derive(Default)]
struct State {
    tokens: Tokens,
    ended: bool,
    /// Chat only: the last choice was finished. Some providers send no `[DONE]` after it.
    finished: bool,
    failure: Option<String>,
}

/// As the wire forms name them; `uncached` and its cached parts apart as Anthropic counts them.
#[derive(Clone, Copy, Default)]
struct Tokens {
    input: u64,
    cache_written: u64,
    cache_read: u64,
    output: u64,
    /// Gemini tells apart what it thought, and what its tools brought.
    thought: u64,
    tools: u64,
    told: bool,
}

impl Tally {
    pub(super) fn new(api: ModelApi) -> Self {
        Self { api, reader: Reader::new(limits::EVENT_BYTES_MAX), state: State::default() }
    }

    /// The next chunk of a stream.
    pub(super) fn chunk(&mut self, chunk: &[u8]) {
        let (api, state) = (self.api, &mut self.state);
        self.reader.feed(chunk, &mut |event| state.event(api, &event));
    }

    /// The stream's end.
    pub(super) fn finish(&mut self) {
        let (api, state) = (self.api, &mut self.state);
        self.reader.finish(&mut |event| state.event(api, &event));
        state.ended |= state.finished;
    }

    /// A whole answer that did not stream.
    pub(super) fn whole(&mut self, body: &[u8]) {
        if let Ok(said) = serde_json::from_slice::<Said>(body) {
            self.state.tokens.take(self.api, said.usage.as_ref().or(said.usage_metadata.as_ref()));
            if said.status.as_deref() == Some("failed") || said.choices.is_none() && said.candidates.is_none() && said.error.is_some() {
                self.state.failure = Some(words(said.error.as_ref()));
            }
        }
        self.state.ended = true;
    }

    /// Whether the provider said that this was all.
    pub(super) fn ended(&self) -> bool {
        self.state.ended
    }

    /// What the provider said instead of an answer, within a stream that began well.
    pub(super) fn failure(&self) -> Option<&str> {
        self.state.failure.as_deref()
    }

    /// One call and its tokens, as far as the provider told them.
    pub(super) fn usage(&self) -> Usage {
        let t = self.state.tokens;
        let input_tokens = match self.api {
            ModelApi::Messages => t.input.saturating_add(t.cache_written).saturating_add(t.cache_read),
            ModelApi::Responses | ModelApi::Chat => t.input,
            ModelApi::Gemini => t.input.saturating_add(t.tools),
        };
        Usage {
            calls: 1,
            input_tokens,
            cached_tokens: t.cache_read,
            cache_written_tokens: t.cache_written,
            output_tokens: t.output.saturating_add(t.thought),
            ..Usage::default()
        }
    }

    /// Whether the provider told what was used.
    pub(super) fn told(&self) -> bool {
        self.state.tokens.told
    }
}

/// The few fields that matter, of any event or answer of the three forms.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(rename = "type", default)]
    kind: Option<Value>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    response: Option<Inner>,
    #[serde(default)]
    message: Option<Value>,
    #[serde(rename = "usageMetadata", default)]
    usage_metadata: Option<Value>,
    #[serde(default)]
    candidates: Option<Vec<Candidate>>,
}

#[derive(Deserialize)]
struct Candidate {
    #[serde(rename = "finishReason", default)]
    finish_reason: Option<Value>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    finish_reason: Option<Value>,
}

impl State {
    fn event(&mut self, api: ModelApi, event: &Event<'_>) {
        let Some(data) = event.data else {
            // Too large to be read: its name alone tells whether it was the last.
            self.ended |= ends(api, event.name);
            return;
        };
        if api == ModelApi::Chat && data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return;
        }
        let Ok(said) = serde_json::from_slice::<Said>(data) else {
            self.ended |= ends(api, event.name);
            return;
        };
        let kind = said.kind.as_ref().and_then(Value::as_str).unwrap_or(event.name);
        self.ended |= ends(api, kind);
        self.finished |= said.choices.iter().flatten().any(|c| c.finish_reason.is_some());
        self.finished |= said.candidates.iter().flatten().any(|c| c.finish_reason.is_some());
        self.tokens.take(api, said.usage.as_ref().or(said.usage_metadata.as_ref()));
        // Gemini says nothing after its last piece, which tells both.
        self.ended |= api == ModelApi::Gemini && self.finished && said.usage_metadata.is_some();
        if let Some(inner) = &said.response {
            self.tokens.take(api, inner.usage.as_ref());
        }
        if kind == "message_start" {
            self.tokens.take(api, said.message.as_ref().and_then(|m| m.get("usage")));
        }
        if kind == "response.failed" {
            self.failure = Some(words(said.response.as_ref().and_then(|r| r.error.as_ref())));
        } else if kind == "error" || (matches!(api, ModelApi::Chat | ModelApi::Gemini) && said.error.is_some()) {
            self.failure = Some(words(said.error.as_ref().or(said.message.as_ref())));
            self.ended = true;
        }
    }
}

fn ends(api: ModelApi, kind: &str) -> bool {
    match api {
        ModelApi::Responses => matches!(kind, "response.completed" | "response.incomplete" | "response.failed"),
        ModelApi::Messages => kind == "message_stop",
        ModelApi::Chat | ModelApi::Gemini => false,
    }
}

impl Tokens {
    /// Later figures take the place of earlier ones: where a stream tells several, they are sums up to then.
    fn take(&mut self, api: ModelApi, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let mut told = false;
        let mut set = |into: &mut u64, path: &str| {
            if let Some(n) = usage.pointer(path).and_then(Value::as_u64) {
                (*into, told) = (n, true);
            }
        };
        match api {
            ModelApi::Responses => {
                set(&mut self.input, "/input_tokens");
                set(&mut self.cache_read, "/input_tokens_details/cached_tokens");
                set(&mut self.output, "/output_tokens");
            }
            ModelApi::Chat => {
                set(&mut self.input, "/prompt_tokens");
                set(&mut self.cache_read, "/prompt_tokens_details/cached_tokens");
                set(&mut self.output, "/completion_tokens");
            }
            ModelApi::Messages => {
                set(&mut self.input, "/input_tokens");
                set(&mut self.cache_written, "/cache_creation_input_tokens");
                set(&mut self.cache_read, "/cache_read_input_tokens");
                set(&mut self.output, "/output_tokens");
            }
            ModelApi::Gemini => {
                set(&mut self.input, "/promptTokenCount");
                set(&mut self.tools, "/toolUsePromptTokenCount");
                set(&mut self.cache_read, "/cachedContentTokenCount");
                set(&mut self.output, "/candidatesTokenCount");
                set(&mut self.thought, "/thoughtsTokenCount");
            }
        }
        self.told |= told;
    }
}

/// A provider's error in words: its message, or whatever it is.
fn words(error: Option<&Value>) -> String {
    match error {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.get("message").and_then(Value::as_str).map_or_else(|| value.to_string(), str::to_owned),
        None => "It gave no reason.".into(),
    }
}

/// The words of an error page: its message where it is one of the three forms, else its beginning.
pub(super) fn error_words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        error: Option<Value>,
        #[serde(default)]
        message: Option<Value>,
    }
    match serde_json::from_slice::<Page>(body) {
        Ok(page) if page.error.is_some() || page.message.is_some() => words(page.error.as_ref().or(page.message.as_ref())),
        _ => String::from_utf8_lossy(&body[..body.len().min(4 * limits::QUOTE_CHARS_MAX)]).into_owned(),
    }
}
