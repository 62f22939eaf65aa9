//! A scripted stand-in for a model provider, on a free loopback port.
//!
//! It speaks OpenAI Responses, OpenAI Chat Completions and Anthropic Messages, streamed and whole. What it answers is
//! steered by directives in the prompt (see [`directive`]), so that one sentence in a test decides what a real coding
//! engine does. It keeps a log of its calls in memory, with the key of each, and stops when dropped.

mod chat;
mod decide;
mod directive;
mod messages;
mod request;
mod responses;
mod stream;

pub use decide::Answer;
pub use directive::Directive;
pub use request::{Api, Asked, Tool};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::json;
use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Tokens that every call reports as read, cached ones among them.
pub const INPUT_TOKENS: u64 = 100;
/// Tokens that every call reports as read from a cache.
pub const CACHED_TOKENS: u64 = 40;
/// Tokens that every call reports as written.
pub const OUTPUT_TOKENS: u64 = 20;
/// How many calls are kept; a test that makes more has gone astray.
const CALLS_MAX: usize = 10_000;

/// One call, as the server saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The path that was called.
    pub path: String,
    /// The key that came with it, from whichever header.
    pub key: Option<String>,
    /// Which client called.
    pub user_agent: String,
    /// What was asked; none where the path or the body is of no known form.
    pub asked: Option<Asked>,
    /// The status that was answered.
    pub status: u16,
    /// What was answered, where a turn was.
    pub answer: Option<Answer>,
}

struct Shared {
    key: Option<String>,
    cwd: String,
    calls: Mutex<Vec<Call>>,
    limited_once: Mutex<HashSet<String>>,
}

/// The running server. Dropping it stops it.
pub struct ScriptedModel {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
}

impl ScriptedModel {
    /// Starts one that takes any key.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(None, "/work").await
    }

    /// Starts one that answers 401 to any key but this.
    pub async fn requiring(key: &str) -> anyhow::Result<Self> {
        Self::with(Some(key.to_owned()), "/work").await
    }

    /// Starts one. `cwd` is where relative files of `edit` and `write` lie for engines that want whole paths and do not
    /// say themselves where they work.
    pub async fn with(key: Option<String>, cwd: &str) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { key, cwd: cwd.to_owned(), calls: Mutex::default(), limited_once: Mutex::default() });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("bind the scripted model")?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().fallback(handle).with_state(shared.clone());
        tokio::spawn(async move {
            let server = axum::serve(listener, router).into_future();
            // Dropped rather than drained: a slow stream must not outlive its test.
            tokio::select! { _ = server => {}, _ = stopped => {} }
        });
        Ok(Self { addr, shared, stop: Some(stop) })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The provider's base address, as an agent's `model.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Every key that was seen.
    pub fn keys(&self) -> HashSet<String> {
        lock(&self.shared.calls).iter().filter_map(|call| call.key.clone()).collect()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut call = Call {
        path: uri.path().to_owned(),
        key: key_of(&headers),
        user_agent: text_of(&headers, header::USER_AGENT.as_str()).unwrap_or_default(),
        asked: None,
        status: 200,
        answer: None,
    };
    let response = respond(&shared, &method, &body, &mut call);
    call.status = response.status().as_u16();
    let mut calls = lock(&shared.calls);
    if calls.len() < CALLS_MAX {
        calls.push(call);
    }
    drop(calls);
    response
}

fn respond(shared: &Shared, method: &Method, body: &[u8], call: &mut Call) -> Response {
    if shared.key.is_some() && shared.key != call.key {
        return failure(StatusCode::UNAUTHORIZED, "Incorrect API key provided.", "invalid_api_key");
    }
    if method == Method::GET && call.path.ends_with("/models") {
        return Json(json!({"object": "list", "data": [{"id": "scripted-1", "object": "model", "created": 1, "owned_by": "tests"}]}))
            .into_response();
    }
    let asked = Api::of_path(&call.path).and_then(|api| Asked::read(api, body));
    let Some(asked) = asked else {
        return failure(StatusCode::NOT_FOUND, &format!("{method} {} is not scripted.", call.path), "not_found");
    };
    call.asked = Some(asked.clone());
    let mut directives = directive::read(&asked.prompt);
    if directives.contains(&Directive::Obey) {
        directives.extend(directive::read(&asked.all_results));
    }
    if let Some(refused) = refusal(shared, &asked.prompt, &directives) {
        return refused;
    }
    let answer = decide::decide(&asked, &directives, &shared.cwd);
    call.answer = Some(answer.clone());
    let id = lock(&shared.calls).len() as u64 + 1;
    let (whole, frames) = match asked.api {
        Api::Responses => responses::render(id, &asked, &answer),
        Api::Chat => chat::render(id, &asked, &answer),
        Api::Messages => messages::render(id, &asked, &answer),
    };
    if asked.streaming { stream::response(frames, &directives) } else { Json(whole).into_response() }
}

/// The failure that a directive asks for.
fn refusal(shared: &Shared, prompt: &str, directives: &[Directive]) -> Option<Response> {
    directives.iter().find_map(|directive| match directive {
        Directive::Fail { status } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(failure(status, &format!("Scripted failure {}.", status.as_u16()), "scripted"))
        }
        Directive::LimitOnce => lock(&shared.limited_once).insert(prompt.to_owned()).then(|| {
            let mut response = failure(StatusCode::TOO_MANY_REQUESTS, "Scripted rate limit.", "rate_limit_exceeded");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("0"));
            response
        }),
        _ => None,
    })
}

fn failure(status: StatusCode, message: &str, code: &str) -> Response {
    // One body for three providers: OpenAI reads `error.message` and `error.code`, Anthropic `type` and `error.type`.
    let body = json!({"type": "error", "error": {"message": message, "type": code, "code": code}});
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string())).into_response()
}

fn key_of(headers: &HeaderMap) -> Option<String> {
    let bearer = text_of(headers, "authorization").map(|value| value.strip_prefix("Bearer ").unwrap_or(&value).to_owned());
    bearer.or_else(|| text_of(headers, "x-api-key")).or_else(|| text_of(headers, "api-key"))
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
