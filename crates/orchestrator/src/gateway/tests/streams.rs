//! Calls that stream.

use super::{
    harness::{Bench, KEY, parts, post, until},
    upstream::{Upstream, events, fed, once},
};
use crate::gateway::{Patience, limits};
use bytes::Bytes;
use domain::{agent::ModelApi, money::Money, run::Reason, usage::Usage};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

pub(super) const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"usage\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"usage\":7}],\"error\":null,\"usage\":",
    "{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":40},\"output_tokens\":20}}}\n\n",
);
pub(super) const CHAT: &str = concat!(
    "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    ": keep-alive\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"prompt_tokens_details\":{\"cached_tokens\":40}}}\n\n",
    "data: [DONE]\n\n",
);
pub(super) const MESSAGES: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":60,\"cache_creation_input_tokens\":0,",
    "\"cache_read_input_tokens\":40,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":20}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

pub(super) const GEMINI: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}],\"usageMetadata\":{\"promptTokenCount\":100}}\n\n",
    "data: {\"candidates\":[{\"content\":{},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":90,\"toolUsePromptTokenCount\":10,",
    "\"cachedContentTokenCount\":40,\"candidatesTokenCount\":15,\"thoughtsTokenCount\":5}}\n\n",
);

pub(super) const USED: Usage = Usage {
    calls: 1,
    input_tokens: 100,
    cached_tokens: 40,
    output_tokens: 20,
    cache_written_tokens: 0,
    cost: Money::ZERO,
    unpriced_calls: 0,
};

pub(super) fn forms() -> [(ModelApi, &'static str, &'static str); 4] {
    [
        (ModelApi::Responses, "/v1/responses", RESPONSES),
        (ModelApi::Chat, "/v1/chat/completions", CHAT),
        (ModelApi::Messages, "/v1/messages", MESSAGES),
        (ModelApi::Gemini, "/v1beta/models/scripted-1:streamGenerateContent?alt=sse", GEMINI),
    ]
}

#[tokio::test]
async fn a_stream_passes_unchanged_and_is_counted_in_every_wire_form() {
    for (api, path, text) in forms() {
        let upstream = Upstream::start(move |_| events(text)).await;
        let bench = Bench::new(api, &upstream);
        let answer = bench.post(path, r#"{"stream":true}"#).await;
        assert_eq!((answer.body.as_str(), answer.broken), (text, false));
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        assert_eq!((bench.route.used(), bench.route.last_failure()), (USED, None), "{api:?}");
        assert_eq!(bench.calls().len(), 1);
    }
}

#[tokio::test]
async fn the_first_byte_arrives_long_before_the_last_is_made() {
    let (feed, response) = fed();
    let upstream = Upstream::start(once(response)).await;
    let bench = Bench::new(ModelApi::Messages, &upstream);
    let mut body = bench.send(post("/messages", r#"{"stream":true}"#)).await.into_body();
    // Each piece is waited for before the next one is made, so none can have been kept back.
    for piece in MESSAGES.split_inclusive("\n\n") {
        feed.send(Ok(Bytes::from(piece))).unwrap();
        let mut got = Vec::new();
        while got.len() < piece.len() {
            got.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(got, piece.as_bytes());
    }
    drop(feed);
    assert!(body.frame().await.is_none());
    assert_eq!(bench.route.used(), USED);
}

#[tokio::test]
async fn the_end_of_a_stream_is_seen_only_when_the_call_is_journaled() {
    for (api, path, text) in forms() {
        // The provider says its last word and keeps the connection open: only that word can end the call.
        let (feed, response) = fed();
        let upstream = Upstream::start(once(response)).await;
        let mut parts = parts(api, &upstream.base_url());
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (at, go) = (Arc::clone(&entered), Arc::clone(&release));
        parts.record = Arc::new(move |_| {
            let (at, go) = (Arc::clone(&at), Arc::clone(&go));
            Box::pin(async move {
                at.notify_one();
                go.notified().await;
                Ok(())
            })
        });
        let bench = Bench::with(parts);
        let mut body = bench.send(post(path, r#"{"stream":true}"#)).await.into_body();
        feed.send(Ok(Bytes::from(text))).unwrap();
        let mut reading = tokio::spawn(async move {
            let mut got = Vec::new();
            while got.len() < text.len() {
                got.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
            }
            got
        });
        tokio::time::timeout(Duration::from_secs(10), entered.notified()).await.expect("journaled at the provider's last word");
        assert_eq!(bench.route.used(), USED, "counted before it is journaled");
        assert!(futures::poll!(&mut reading).is_pending());
        release.notify_one();
        assert_eq!(reading.await.unwrap(), text.as_bytes());
    }
}

#[tokio::test]
async fn a_stream_that_stops_in_its_middle_is_counted_as_far_as_known_and_breaks_for_the_engine_too() {
    let begin = MESSAGES.split_inclusive("\n\n").next().unwrap();
    for breaks in [true, false] {
        let (feed, response) = fed();
        let upstream = Upstream::start(once(response)).await;
        let bench = Bench::new(ModelApi::Messages, &upstream);
        let mut body = bench.send(post("/messages", r#"{"stream":true}"#)).await.into_body();
        feed.send(Ok(Bytes::from(begin))).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), begin);
        if breaks {
            feed.send(Err(std::io::Error::other("gone"))).unwrap();
        }
        drop(feed);
        assert!(body.frame().await.unwrap().is_err(), "the engine must not take it for a whole answer");
        let call = &bench.journaled(1).await[0];
        let output_tokens = begin.len() as u64 / limits::BYTES_PER_TOKEN;
        assert_eq!(call.usage, Usage { calls: 1, input_tokens: 100, cached_tokens: 40, output_tokens, ..call.usage });
        let Some(Reason::ModelFailed { message }) = bench.route.last_failure() else { panic!() };
        assert!(message.contains("broke off"), "{message}");
    }
}

#[tokio::test]
async fn a_silent_stream_is_given_up() {
    let (feed, response) = fed();
    let upstream = Upstream::start(once(response)).await;
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    parts.patience = Patience { idle: Duration::from_millis(100), ..Patience::default() };
    let bench = Bench::with(parts);
    feed.send(Ok(Bytes::from(": hello\n\n"))).unwrap();
    let answer = bench.post("/responses", r#"{"stream":true}"#).await;
    assert!(answer.broken && answer.body == ": hello\n\n");
    assert!(matches!(bench.route.last_failure(), Some(Reason::ModelFailed { message }) if message.contains("nothing came for 0.1 s")));
    assert_eq!(bench.calls().len(), 1);
}

#[tokio::test]
async fn a_failure_within_a_stream_is_noted() {
    for (api, path, text) in [
        (
            ModelApi::Responses,
            "/responses",
            "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"x\",\"message\":\"overloaded\"},\"usage\":null}}\n\n",
        ),
        (ModelApi::Responses, "/responses", "event: error\ndata: {\"type\":\"error\",\"message\":\"overloaded\"}\n\n"),
        (ModelApi::Chat, "/chat/completions", "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"),
        (
            ModelApi::Messages,
            "/messages",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"overloaded\"}}\n\n",
        ),
    ] {
        let upstream = Upstream::start(move |_| events(text)).await;
        let bench = Bench::new(api, &upstream);
        let answer = bench.post(path, r#"{"stream":true}"#).await;
        assert_eq!(answer.body, text);
        let failure = bench.route.last_failure();
        assert!(matches!(&failure, Some(Reason::ModelFailed { message }) if message.contains("overloaded")), "{text}: {failure:?}");
        assert_eq!(bench.route.used().calls, 1);
    }
}

#[tokio::test]
async fn a_chat_stream_without_its_last_mark_is_whole_once_a_choice_was_finished() {
    let text = CHAT.replace("data: [DONE]\n\n", "");
    let upstream = Upstream::start(move |_| events(&text)).await;
    let bench = Bench::new(ModelApi::Chat, &upstream);
    assert!(!bench.post("/chat/completions", r#"{"stream":true}"#).await.broken);
    assert_eq!((bench.route.used(), bench.route.last_failure()), (USED, None));
}

#[tokio::test]
async fn an_engine_that_leaves_in_mid_stream_is_counted_and_the_provider_is_let_go() {
    let (feed, response) = fed();
    let upstream = Upstream::start(once(response)).await;
    let bench = Bench::new(ModelApi::Messages, &upstream);
    let mut body = bench.send(post("/messages", r#"{"stream":true}"#)).await.into_body();
    feed.send(Ok(Bytes::from(MESSAGES.split_inclusive("\n\n").next().unwrap()))).unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(bench.journaled(1).await[0].usage.input_tokens, 100);
    until(|| feed.is_closed() || feed.send(Ok(Bytes::from_static(b": more\n\n"))).is_err()).await;
}

#[tokio::test]
async fn an_engine_that_leaves_before_the_figures_is_counted_by_what_went_through() {
    for (api, path, text) in forms() {
        let (feed, response) = fed();
        let upstream = Upstream::start(once(response)).await;
        let bench = Bench::new(api, &upstream);
        let said = "x".repeat(4_000);
        let mut body = bench.send(post(path, &format!(r#"{{"stream":true,"said":"{said}"}}"#))).await.into_body();
        let first = text.split_inclusive("\n\n").next().unwrap();
        feed.send(Ok(Bytes::from(first))).unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        let used = bench.journaled(1).await[0].usage;
        let least = if matches!(api, ModelApi::Responses | ModelApi::Chat) { 1_000 } else { 100 };
        assert!((least..1_100).contains(&used.input_tokens), "{api:?}: {used:?}");
        assert!(used.output_tokens >= first.len() as u64 / limits::BYTES_PER_TOKEN, "{api:?}: {used:?}");
    }
}

#[tokio::test]
async fn a_slow_engine_holds_the_provider_back() {
    const PIECE: usize = 64 * 1024;
    const PIECES: u64 = 2_000;
    let made = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&made);
    let upstream = Upstream::start(move |_| {
        let count = Arc::clone(&count);
        let pieces = futures::stream::iter(0..PIECES).map(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Bytes::from_static(&[b':'; PIECE])
        });
        let end = futures::stream::iter([Bytes::from_static(b"\n\n"), Bytes::from_static(RESPONSES.as_bytes())]);
        let pieces = pieces.chain(end).map(Ok::<_, std::io::Error>);
        let body = axum::body::Body::from_stream(pieces);
        axum::response::Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    })
    .await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    let mut body = bench.send(post("/responses", r#"{"stream":true}"#)).await.into_body();
    let mut got = body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    // Plenty of turns for everybody: each is a whole exchange on another connection.
    for _ in 0..300 {
        let list = http::Request::get("/models").body(http_body_util::Full::default()).unwrap();
        bench.send(list).await.into_body().collect().await.unwrap();
    }
    let held = made.load(Ordering::SeqCst);
    assert!(held * (PIECE as u64) < 24 * 1024 * 1024, "{held} pieces were made for an engine that reads none");
    while let Some(frame) = body.frame().await {
        got += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(got as u64, PIECES * PIECE as u64 + 2 + RESPONSES.len() as u64, "and all of them come when it reads on");
}

#[tokio::test]
async fn a_compressed_answer_is_refused_because_it_cannot_be_counted() {
    let upstream = Upstream::start(|_| {
        let mut response = events(RESPONSES);
        response.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        response
    })
    .await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    assert_eq!(bench.post("/responses", r#"{"stream":true}"#).await.status, 502);
    assert_eq!(bench.calls().len(), 1);
}

#[tokio::test]
async fn a_key_that_the_provider_echoes_does_not_reach_the_engine() {
    let (head, tail) = KEY.split_at(9);
    let (feed, response) = fed();
    let upstream = Upstream::start(once(response)).await;
    let bench = Bench::new(ModelApi::Chat, &upstream);
    let mut body = bench.send(post("/chat/completions", r#"{"stream":true}"#)).await.into_body();
    feed.send(Ok(Bytes::from(format!("data: {head}")))).unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: ");
    feed.send(Ok(Bytes::from(format!("{tail} {KEY}!\n\ndata: [DONE]\n\n")))).unwrap();
    drop(feed);
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(rest, "[key] [key]!\n\ndata: [DONE]\n\n");
}
