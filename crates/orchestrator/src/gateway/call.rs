//! One call to the provider, from its sending until it is counted and journaled.
//!
//! A stream goes through chunk by chunk. The chunk that tells its end waits until the call is journaled: so an engine
//! cannot begin its next call on tokens that are not yet counted, and a crash forgets none that the engine saw end.

use super::{
    Client,
    count::{self, Tally},
    endpoint::Endpoint,
    headers, limits,
    redact::{Redactor, mask},
    refusal::{Body, Broken, Refusal, STOP, full},
    retry,
    route::{Route, Settled, Ticket},
    secret::Access,
};
use bytes::{Bytes, BytesMut};
use domain::{
    Problem,
    agent::{Model, ModelApi},
    money::Money,
    run::Reason,
    usage::Usage,
};
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::timeout,
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

/// A call that is ready to be sent.
pub(super) struct Outgoing {
    pub(super) ticket: Ticket,
    pub(super) slot: OwnedSemaphorePermit,
    pub(super) access: Access,
    pub(super) model: Model,
    pub(super) endpoint: Endpoint,
    pub(super) letter: Letter,
    /// Whether its content is kept.
    pub(super) keep: bool,
}

/// What is sent, as often as it takes.
pub(super) struct Letter {
    pub(super) client: Client,
    pub(super) url: reqwest::Url,
    /// As the engine sent them.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Letter {
    async fn send(&self, api: ModelApi, access: &Access) -> Result<reqwest::Response, reqwest::Error> {
        // That they can be made was seen before; without the key the provider says no.
        let headers = headers::to_provider(&self.headers, api, access).unwrap_or_default();
        self.client.0.post(self.url.clone()).headers(headers).body(self.body.clone()).send().await
    }
}

/// A call that is under way.
struct UnderWay {
    ticket: Ticket,
    _slot: OwnedSemaphorePermit,
    access: Arc<Access>,
    model: Model,
    endpoint: Endpoint,
    route: Arc<Route>,
    /// The request's body.
    sent_bytes: u64,
    /// The request, where the call's content is kept.
    kept: Option<Bytes>,
}

type Tell = oneshot::Sender<Response<Body>>;

/// One call that reached the provider and of which no more is known.
pub(super) const ONE_CALL: Usage =
    Usage { calls: 1, input_tokens: 0, cached_tokens: 0, cache_written_tokens: 0, output_tokens: 0, cost: Money::ZERO, unpriced_calls: 0 };

impl Outgoing {
    /// Carries it out and tells the answer. Where nobody waits for the answer any more, breaks it off.
    pub(super) async fn run(self, mut tell: Tell) {
        let route = Arc::clone(self.ticket.route());
        let (kept, sent_bytes) = (self.keep.then(|| self.letter.body.clone()), self.letter.body.len() as u64);
        let (letter, access) = (self.letter, Arc::new(self.access));
        let (model, endpoint) = (self.model, self.endpoint);
        let mut call = UnderWay { ticket: self.ticket, _slot: self.slot, access, model, endpoint, route, sent_bytes, kept };
        let patience = call.route.patience;
        let mut again = Again { left: patience.retry, tries: 1, renewed: false };
        let response = loop {
            call.ticket.sending();
            let answered = tokio::select! {
                biased;
                answered = timeout(patience.answer, letter.send(call.model.api, &call.access)) => answered,
                () = tell.closed() => return call.left().await,
            };
            match answered {
                Ok(Ok(response)) => match call.put_off(&mut again, &response).await {
                    Ok(Some(wait)) => tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        // Nothing is under way now: every attempt is in the journal.
                        () = tell.closed() => return call.ticket.not_sent(),
                    },
                    Ok(None) => return call.answered(response, tell).await,
                    Err(refusal) => break refusal.response(call.model.api),
                },
                Ok(Err(e)) if e.is_connect() => break call.unreachable(e),
                Ok(Err(e)) => {
                    break call.lost(StatusCode::BAD_GATEWAY, &format!("The connection broke before it answered: {}", cause(e))).await;
                }
                Err(_) => {
                    break call
                        .lost(StatusCode::GATEWAY_TIMEOUT, &format!("It did not answer within {} s.", patience.answer.as_secs_f32()))
                        .await;
                }
            }
        };
        // Nobody there any more to be told.
        let _ = tell.send(response);
    }
}

/// What is left of a call's patience.
struct Again {
    left: Duration,
    tries: u32,
    renewed: bool,
}

impl UnderWay {
    /// How long to wait before the call is sent again, if it is: the provider said when, or did not take a login's access,
    /// which is then renewed once. The attempt is journaled.
    async fn put_off(&mut self, again: &mut Again, response: &reqwest::Response) -> Result<Option<Duration>, Refusal> {
        let status = response.status();
        if again.tries >= limits::TRIES_MAX {
            return Ok(None);
        }
        let renews = status == StatusCode::UNAUTHORIZED && self.access.renewable && !again.renewed;
        let wait = if renews { Some(Duration::ZERO) } else { retry::wait(status, response.headers(), crate::clock::now()) };
        let Some(wait) = wait.filter(|wait| renews || *wait <= again.left) else { return Ok(None) };
        // Where the budgets that runs share have no room for a further attempt, the engine is told what the provider said.
        let one_more = self.ticket.one_more();
        if one_more.is_none() && !renews {
            return Ok(None);
        }
        let room = self.ticket.put_off(&self.model.name, status.as_u16()).await;
        if !room.map_err(|problem| Refusal::stop("not_journaled", &problem))? || one_more.is_none() {
            return Err(Refusal::new(STOP, "budget_spent", "The budgets of the run have no room to send the call again."));
        }
        if renews {
            self.access = Arc::new(self.route.key(Some(self.access.key.secret())).await?);
            again.renewed = true;
        }
        again.left = again.left.saturating_sub(wait);
        again.tries += 1;
        Ok(Some(wait))
    }

    /// Nobody waited for the answer.
    async fn left(self) {
        let used = self.ticket.estimated(ONE_CALL, self.sent_bytes, 0);
        // Not journaled: that ends the run.
        let _ = self.settle(0, used, false, vec![]).await;
    }

    async fn answered(self, provider: reqwest::Response, tell: Tell) {
        let status = provider.status();
        let kind = provider.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let streams = kind.trim_start().get(..17).is_some_and(|k| k.eq_ignore_ascii_case("text/event-stream"));
        if !status.is_success() {
            let _ = tell.send(self.refused(provider).await);
        } else if provider.headers().get(header::CONTENT_ENCODING).is_some_and(|v| v != "identity") {
            let why = "It compresses its answer although it was not asked to, so that its usage cannot be read.";
            let _ = tell.send(self.failed(status, why).await);
        } else if streams {
            self.stream(provider, tell).await;
        } else {
            let _ = tell.send(self.whole(provider).await);
        }
    }

    /// A status that says no.
    async fn refused(self, provider: reqwest::Response) -> Response<Body> {
        let status = provider.status();
        let headers = headers::to_engine(provider.headers(), &self.access);
        let body = match collect(provider, limits::ERROR_BYTES_MAX, self.route.patience.idle).await {
            Collected::Whole(body) | Collected::TooLarge(body) => body,
            Collected::Broken(_) => Bytes::new(),
        };
        let body = Bytes::from(mask(&body, self.access.key.bytes()));
        let said = quoted(&count::error_words(&body));
        let name = self.model.credential.clone();
        let (text, ends_run) = match status.as_u16() {
            // The provider's own words are left out: some quote parts of the key.
            401 => (format!("does not accept the credential “{name}” (401)."), true),
            403 => (format!("forbids the call with the credential “{name}” (403): {said}"), true),
            300..=399 => (format!("answers {status} and wants to lead elsewhere: give its final address."), true),
            404 => (format!("knows no such model or address (404): {said}"), false),
            _ => (format!("answers {status}: {said}"), false),
        };
        let text = format!("{} {text}", self.provider());
        let end = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
        let reason = Reason::ModelFailed { message: format!("{text}{end} {}", Reason::model_advice(status.as_u16())) };
        // Counting tokens is an extra that not every key may do.
        if ends_run && self.endpoint.generates() {
            self.route.end_run(reason);
        } else {
            self.route.failed(reason);
        }
        let api = self.model.api;
        if let Err(problem) = self.settle(status.as_u16(), ONE_CALL, false, vec![]).await {
            return Refusal::stop("not_journaled", &problem).response(api);
        }
        if ends_run {
            return Refusal::new(STOP, "provider_refused", text).response(api);
        }
        let mut response = Response::new(full(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// An answer that is all there before the engine gets it.
    async fn whole(self, provider: reqwest::Response) -> Response<Body> {
        let status = provider.status();
        let headers = headers::to_engine(provider.headers(), &self.access);
        let body = match collect(provider, limits::ANSWER_BYTES_MAX, self.route.patience.idle).await {
            Collected::Whole(body) => body,
            Collected::TooLarge(_) => {
                let why = format!("Its answer is larger than {} MiB.", limits::ANSWER_BYTES_MAX / (1024 * 1024));
                return self.failed(status, &why).await;
            }
            Collected::Broken(why) => return self.failed(status, &why).await,
        };
        let mut tally = Tally::new(self.model.api);
        if self.endpoint.generates() {
            tally.whole(&body);
        }
        self.conclude(&tally);
        let (api, access) = (self.model.api, Arc::clone(&self.access));
        let masked = Bytes::from(mask(&body, access.key.bytes()));
        // Counting tokens costs none.
        let told = tally.told() || !self.endpoint.generates();
        let content = self.content(&masked);
        if let Err(problem) = self.settle(status.as_u16(), tally.usage(), told, content).await {
            return Refusal::stop("not_journaled", &problem).response(api);
        }
        let mut response = Response::new(full(masked));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// An answer that comes in events.
    async fn stream(self, provider: reqwest::Response, tell: Tell) {
        let (send, chunks) = mpsc::channel(limits::CHUNKS_WAITING_MAX);
        let body = StreamBody::new(ReceiverStream::new(chunks).map(|chunk: Result<Bytes, Broken>| chunk.map(Frame::data)));
        let mut response = Response::new(BodyExt::boxed_unsync(body));
        *response.headers_mut() = headers::to_engine(provider.headers(), &self.access);
        // Should nobody wait any more, the channel is closed, which the pump sees at once.
        let _ = tell.send(response);
        let redactor = Redactor::new(Arc::clone(&self.access));
        Pump { redactor, tally: Tally::new(self.model.api), bytes: 0, said: BytesMut::new(), call: Some(self), send }.run(provider).await;
    }

    /// Notes whether what came was an answer.
    fn conclude(&self, tally: &Tally) {
        match tally.failure() {
            Some(words) => self.note_failure(&format!("It broke off: {}", self.quoted(words))),
            None => self.route.succeeded(),
        }
    }

    fn quoted(&self, words: &str) -> String {
        quoted(&String::from_utf8_lossy(&mask(words.as_bytes(), self.access.key.bytes())))
    }

    /// The provider could not be reached: nothing to count.
    fn unreachable(self, e: reqwest::Error) -> Response<Body> {
        let text = format!("{} cannot be reached: {}", self.provider(), cause(e));
        self.route.failed(Reason::ModelFailed { message: text.clone() });
        self.ticket.not_sent();
        Refusal::new(StatusCode::BAD_GATEWAY, "provider_unreachable", text).response(self.model.api)
    }

    /// The provider never answered.
    async fn lost(self, status: StatusCode, why: &str) -> Response<Body> {
        let refusal = Refusal::new(status, "provider_failed", format!("{} failed. {why}", self.provider()));
        self.note_failure(why);
        self.settle_and_refuse(0, refusal).await
    }

    /// The provider answered with something that cannot be passed on.
    async fn failed(self, status: StatusCode, why: &str) -> Response<Body> {
        let refusal = Refusal::new(StatusCode::BAD_GATEWAY, "provider_failed", format!("{} failed. {why}", self.provider()));
        self.note_failure(why);
        self.settle_and_refuse(status.as_u16(), refusal).await
    }

    async fn settle_and_refuse(self, status: u16, refusal: Refusal) -> Response<Body> {
        let api = self.model.api;
        match self.settle(status, ONE_CALL, false, vec![]).await {
            Ok(()) => refusal.response(api),
            Err(problem) => Refusal::stop("not_journaled", &problem).response(api),
        }
    }

    fn note_failure(&self, why: &str) {
        self.route.failed(Reason::ModelFailed { message: format!("{} failed. {why}", self.provider()) });
    }

    async fn settle(self, status: u16, usage: Usage, told: bool, content: Vec<Bytes>) -> Result<(), Problem> {
        self.ticket.settle(&self.model.name, Settled { status, usage, told, content }).await
    }

    /// Request and answer, where they are kept.
    fn content(&self, answer: &Bytes) -> Vec<Bytes> {
        self.kept.iter().flat_map(|request| [request.clone(), answer.clone()]).collect()
    }

    fn provider(&self) -> String {
        let host = self.route.model().and_then(|(_, url)| url.host_str()).unwrap_or_default();
        format!("The provider {host}")
    }
}

/// Carries one stream from the provider to the engine, counting what passes.
struct Pump {
    /// Until it is settled.
    call: Option<UnderWay>,
    tally: Tally,
    redactor: Redactor,
    send: mpsc::Sender<Result<Bytes, Broken>>,
    bytes: u64,
    /// What the engine got, where the call's content is kept.
    said: BytesMut,
}

/// How a stream ended.
enum End {
    /// As it should.
    Whole,
    /// The engine went away.
    Left,
    /// Too early.
    Early(String),
}

impl Pump {
    async fn run(mut self, mut provider: reqwest::Response) {
        let end = self.carry(&mut provider).await;
        // No token more is wanted of the provider.
        drop(provider);
        match end {
            Ok(End::Whole | End::Left) => {}
            Ok(End::Early(why)) => {
                if let Some(call) = &self.call {
                    call.note_failure(&format!("Its answer broke off: {why}"));
                }
                let _ = self.settle().await;
                let _ = self.send.send(Err(Broken)).await;
            }
            // Not journaled: the engine must not see the end.
            Err(_) => drop(self.send.send(Err(Broken)).await),
        }
        let _ = self.settle().await;
    }

    async fn carry(&mut self, provider: &mut reqwest::Response) -> Result<End, Problem> {
        let idle = self.call.as_ref().map_or(limits::STREAM_IDLE, |call| call.route.patience.idle);
        loop {
            let chunk = tokio::select! {
                biased;
                () = self.send.closed() => return Ok(End::Left),
                chunk = timeout(idle, provider.chunk()) => chunk,
            };
            let out = match chunk {
                Ok(Ok(Some(chunk))) => self.pass(chunk).await?,
                Ok(Ok(None)) => return self.ended(idle).await,
                Ok(Err(e)) => return Ok(End::Early(cause(e))),
                Err(_) => return Ok(End::Early(format!("nothing came for {} s.", idle.as_secs_f32()))),
            };
            if self.bytes > limits::STREAM_BYTES_MAX {
                return Ok(End::Early(format!("it is larger than {} MiB.", limits::STREAM_BYTES_MAX / (1024 * 1024))));
            }
            if !self.forward(out, idle).await {
                return Ok(End::Left);
            }
        }
    }

    /// Looks at a chunk before it goes on; journals the call when this chunk ends it.
    async fn pass(&mut self, chunk: Bytes) -> Result<Bytes, Problem> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        self.tally.chunk(&chunk);
        let out = self.redactor.push(chunk);
        let keeps = self.call.as_ref().is_some_and(|call| call.kept.is_some());
        if keeps && self.said.len() + out.len() <= limits::ANSWER_BYTES_MAX {
            self.said.extend_from_slice(&out);
        }
        if self.tally.ended() {
            self.settle().await?;
        }
        Ok(out)
    }

    async fn ended(&mut self, idle: Duration) -> Result<End, Problem> {
        self.tally.finish();
        if !self.tally.ended() {
            return Ok(End::Early("the stream stopped before its end.".into()));
        }
        self.settle().await?;
        let rest = self.redactor.finish();
        Ok(if self.forward(rest, idle).await { End::Whole } else { End::Left })
    }

    /// Whether the engine took it.
    async fn forward(&self, out: Bytes, idle: Duration) -> bool {
        out.is_empty() || matches!(timeout(idle, self.send.send(Ok(out))).await, Ok(Ok(())))
    }

    /// Counts and journals the call, once.
    async fn settle(&mut self) -> Result<(), Problem> {
        let Some(call) = self.call.take() else { return Ok(()) };
        let ended = self.tally.ended();
        let mut used = self.tally.usage();
        if ended {
            call.conclude(&self.tally);
        } else {
            // Figures come last: leaving just before them must not be free.
            used = call.ticket.estimated(used, call.sent_bytes, self.bytes);
        }
        let content = call.content(&self.said.split().freeze());
        call.settle(StatusCode::OK.as_u16(), used, self.tally.told() && ended, content).await
    }
}

enum Collected {
    Whole(Bytes),
    /// Its beginning.
    TooLarge(Bytes),
    Broken(String),
}

/// Reads a body up to a limit.
async fn collect(mut provider: reqwest::Response, limit_bytes: usize, idle: Duration) -> Collected {
    let mut body = BytesMut::new();
    loop {
        match timeout(idle, provider.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Collected::Whole(body.freeze()),
            Ok(Err(e)) => return Collected::Broken(format!("Its answer broke off: {}", cause(e))),
            Err(_) => return Collected::Broken(format!("Nothing more came for {} s.", idle.as_secs_f32())),
        }
        if body.len() > limit_bytes {
            body.truncate(limit_bytes);
            return Collected::TooLarge(body.freeze());
        }
    }
}

/// The innermost cause, without the address: it may hold more than a host.
fn cause(e: reqwest::Error) -> String {
    let e = e.without_url();
    let mut cause: &dyn Error = &e;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{}.", cause.to_string().trim_end_matches('.'))
}

/// A provider's words, fit for one line.
fn quoted(words: &str) -> String {
    let clean: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut short: String = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if short.chars().count() > limits::QUOTE_CHARS_MAX {
        short = short.chars().take(limits::QUOTE_CHARS_MAX).collect::<String>() + "…";
    }
    if short.is_empty() { "it gave no reason.".into() } else { short }
}
