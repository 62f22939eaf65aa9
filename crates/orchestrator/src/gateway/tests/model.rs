//! Calls that do not stream: keys, names, budgets, failures.

use super::{
    harness::{Bench, KEY, MODEL, PLACEHOLDER, parts, post, storage_problem},
    upstream::{Upstream, json},
};
use crate::gateway::{Patience, plain_key};
use domain::{
    Problem,
    agent::ModelApi,
    money::Money,
    run::Reason,
    usage::{Budget, Usage},
};
use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};
use tokio::{net::TcpListener, sync::Notify};

const RESPONSES: &str = r#"{"id":"r","status":"completed","error":null,"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":40},"output_tokens":20}}"#;
const CHAT: &str = r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":40}}}"#;
const MESSAGES: &str =
    r#"{"type":"message","usage":{"input_tokens":60,"cache_creation_input_tokens":0,"cache_read_input_tokens":40,"output_tokens":20}}"#;

const USED: Usage = Usage {
    calls: 1,
    input_tokens: 100,
    cached_tokens: 40,
    output_tokens: 20,
    cache_written_tokens: 0,
    cost: Money::ZERO,
    unpriced_calls: 0,
};

#[tokio::test]
async fn the_key_goes_out_and_the_placeholder_stays_in_every_wire_form() {
    for (api, path, answer) in [
        (ModelApi::Responses, "/v1/responses", RESPONSES),
        (ModelApi::Chat, "/chat/completions", CHAT),
        (ModelApi::Messages, "/v1/messages", MESSAGES),
    ] {
        let upstream = Upstream::start(move |_| json(200, answer)).await;
        let bench = Bench::new(api, &upstream);
        let mut request = post(path, r#"{"input":"hi"}"#);
        for name in ["x-api-key", "api-key", "cookie", "proxy-authorization", "x-goog-api-key", "x-forwarded-for"] {
            request.headers_mut().append(name, PLACEHOLDER.parse().unwrap());
        }
        request.headers_mut().append("authorization", "Bearer second".parse().unwrap());
        request.headers_mut().insert("anthropic-beta", "context-1".parse().unwrap());
        let answer = super::harness::Answer::of(bench.send(request).await).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains(KEY) && !format!("{:?}", answer.headers).contains(KEY));

        let [seen] = &upstream.seen()[..] else { panic!("one call") };
        assert_eq!(seen.path, format!("/v1{}", path.trim_start_matches("/v1")));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap()["model"], MODEL);
        assert!(!format!("{:?}", seen.headers).contains(PLACEHOLDER), "{:?}", seen.headers);
        let values = |name: &str| seen.headers.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect::<Vec<_>>();
        match api {
            ModelApi::Messages => {
                assert_eq!(values("x-api-key"), [KEY]);
                assert_eq!(values("authorization"), [""; 0]);
                assert_eq!(values("anthropic-version"), ["2023-06-01"]);
            }
            _ => {
                assert_eq!(values("authorization"), [format!("Bearer {KEY}")]);
                assert_eq!(values("x-api-key"), [""; 0]);
            }
        }
        assert_eq!(values("anthropic-beta"), ["context-1"]);
        assert_eq!(values("accept-encoding"), ["identity"]);
        for gone in ["cookie", "api-key", "proxy-authorization", "x-goog-api-key", "x-forwarded-for"] {
            assert_eq!(values(gone), [""; 0], "{gone}");
        }
        assert_eq!(bench.route.used(), USED, "{api:?}");
        assert_eq!(bench.calls().iter().map(|c| (c.status, c.usage)).collect::<Vec<_>>(), [(200, USED)]);
        assert_eq!(bench.route.last_failure(), None);
    }
}

#[tokio::test]
async fn counting_tokens_counts_a_call_and_no_tokens() {
    let upstream = Upstream::start(|_| json(200, r#"{"input_tokens":5000}"#)).await;
    let bench = Bench::new(ModelApi::Messages, &upstream);
    assert_eq!(bench.post("/v1/messages/count_tokens", "{}").await.status, 200);
    assert_eq!(bench.route.used(), Usage { calls: 1, ..Usage::default() });
}

#[tokio::test]
async fn models_are_listed_without_asking_the_provider() {
    let upstream = Upstream::start(|_| json(500, "{}")).await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    let request = http::Request::get("/v1/models?client_version=1").body(http_body_util::Full::default()).unwrap();
    let answer = super::harness::Answer::of(bench.send(request).await).await;
    assert_eq!(answer.json()["data"][0]["id"], MODEL);
    assert!(upstream.seen().is_empty() && bench.calls().is_empty());
}

#[tokio::test]
async fn another_model_is_refused_in_the_providers_form() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    for (api, path, kind) in [
        (ModelApi::Responses, "/responses", "/error/type"),
        (ModelApi::Chat, "/chat/completions", "/error/type"),
        (ModelApi::Messages, "/messages", "/error/type"),
    ] {
        let bench = Bench::new(api, &upstream);
        let answer = bench.post(path, r#"{"model":"gpt-dear"}"#).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.json().pointer(kind).unwrap(), "permission_error");
        assert_eq!(answer.json()["type"] == "error", api == ModelApi::Messages);
        let text = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(text.contains(MODEL) && text.contains("gpt-dear"), "{text}");
        assert!(matches!(bench.route.last_failure(), Some(Reason::ModelFailed { message }) if message == text));
    }
    assert!(upstream.seen().is_empty());
}

/// A call that may use 1,100 tokens or so at the most; it uses 120.
const SMALL: &str = r#"{"max_output_tokens":20}"#;

#[tokio::test]
async fn a_spent_budget_stops_the_run_before_the_provider_is_asked() {
    for (budget, used, calls_left) in [
        (Budget { tokens: 1_000_000, calls: 3, money: None }, Usage { calls: 1, ..Usage::default() }, 2),
        (Budget { tokens: 1_300, calls: 100, money: None }, Usage::default(), 2),
        (Budget { tokens: 1_300, calls: 100, money: None }, Usage { calls: 1, input_tokens: 1_300, ..Usage::default() }, 0),
    ] {
        let upstream = Upstream::start(|_| json(200, RESPONSES)).await;
        let mut parts = parts(ModelApi::Responses, &upstream.base_url());
        (parts.budget, parts.used) = (budget, used);
        let bench = Bench::with(parts);
        let fatal = bench.route.fatal();
        for _ in 0..calls_left {
            assert_eq!(bench.post("/responses", SMALL).await.status, 200);
            assert_eq!(*fatal.borrow(), None);
        }
        let answer = bench.post("/responses", SMALL).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (400, Some("budget_spent")));
        assert!(matches!(&*fatal.borrow(), Some(Reason::BudgetSpent { .. })));
        assert!(matches!(bench.route.last_failure(), Some(Reason::BudgetSpent { .. })));
        assert_eq!(upstream.seen().len(), calls_left);
    }
}

#[tokio::test]
async fn the_next_call_waits_until_the_last_one_is_journaled() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(what)
    };
    let (called, entered, release) = (note("called"), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = Upstream::start(move |_| {
        called();
        json(200, RESPONSES)
    })
    .await;
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    let (journaled, at, go) = (note("journaled"), Arc::clone(&entered), Arc::clone(&release));
    parts.record = Arc::new(move |_| {
        let (journaled, at, go) = (journaled.clone(), Arc::clone(&at), Arc::clone(&go));
        Box::pin(async move {
            at.notify_one();
            go.notified().await;
            journaled();
            Ok(())
        })
    });
    let bench = Arc::new(Bench::with(parts));
    let call = |bench: Arc<Bench>| tokio::spawn(async move { bench.post("/responses", "{}").await.status });
    let first = call(Arc::clone(&bench));
    entered.notified().await;
    let second = call(Arc::clone(&bench));
    // The list of models passes by all this: once it was answered, the second call had its turn as well.
    let list = http::Request::get("/models").body(http_body_util::Full::default()).unwrap();
    assert_eq!(bench.send(list).await.status(), 200);
    assert!(!first.is_finished() && !second.is_finished());
    release.notify_one();
    assert_eq!(first.await.unwrap(), 200);
    entered.notified().await;
    release.notify_one();
    assert_eq!(second.await.unwrap(), 200);
    assert_eq!(*order.lock().unwrap(), ["called", "journaled", "called", "journaled"]);
}

#[tokio::test]
async fn nothing_goes_on_when_a_call_cannot_be_journaled() {
    let upstream = Upstream::start(|_| json(200, RESPONSES)).await;
    let mut parts = parts(ModelApi::Chat, &upstream.base_url());
    parts.record = Arc::new(|_| Box::pin(async { Err(storage_problem()) }));
    let bench = Bench::with(parts);
    for _ in 0..2 {
        let answer = bench.post("/chat/completions", "{}").await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (400, Some("not_journaled")));
    }
    assert_eq!(upstream.seen().len(), 1);
    assert!(matches!(&*bench.route.fatal().borrow(), Some(Reason::Storage { .. })));
}

#[tokio::test]
async fn a_refused_key_ends_the_run_and_names_the_credential() {
    for status in [401, 403] {
        let upstream = Upstream::start(move |_| json(status, &format!(r#"{{"error":{{"message":"bad key {KEY}"}}}}"#))).await;
        let bench = Bench::new(ModelApi::Responses, &upstream);
        let answer = bench.post("/responses", "{}").await;
        assert_eq!(answer.status, 400, "engines ask again at {status}");
        let reason = bench.route.fatal().borrow().clone();
        let Some(Reason::ModelFailed { message }) = reason else { panic!("{reason:?}") };
        assert!(message.contains("“main”") && message.contains(&status.to_string()), "{message}");
        assert!(!message.contains(KEY) && !answer.body.contains(KEY));
        assert_eq!(bench.calls()[0].status, status);
        assert_eq!(bench.route.used().calls, 1);
    }
}

#[tokio::test]
async fn a_busy_or_broken_provider_is_passed_on_as_it_is() {
    for status in [429, 500, 503, 529] {
        let upstream = Upstream::start(move |_| {
            let mut response = json(status, r#"{"error":{"message":"slow  down\n please"}}"#);
            for (name, value) in [("retry-after", "7"), ("x-ratelimit-remaining-tokens", "0"), ("set-cookie", "a=b"), ("x-echo", KEY)] {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        })
        .await;
        let bench = Bench::new(ModelApi::Messages, &upstream);
        let answer = bench.post("/messages", "{}").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["retry-after"], "7");
        assert_eq!(answer.headers["x-ratelimit-remaining-tokens"], "0");
        assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("x-echo"));
        assert_eq!(answer.json()["error"]["message"], "slow  down\n please");
        let Some(Reason::ModelFailed { message }) = bench.route.last_failure() else { panic!() };
        assert!(message.contains(&status.to_string()) && message.contains("slow down please"), "{message}");
        assert!(message.contains("wait") && !message.contains("credential"), "the key is not what is wrong: {message}");
        assert_eq!(*bench.route.fatal().borrow(), None);
        assert_eq!(bench.calls()[0].status, status);
    }
}

#[tokio::test]
async fn a_later_success_clears_the_failure() {
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => json(500, "oops"),
        _ => json(200, RESPONSES),
    })
    .await;
    let bench = Bench::new(ModelApi::Responses, &upstream);
    assert_eq!(bench.post("/responses", "{}").await.status, 500);
    assert!(bench.route.last_failure().is_some());
    assert_eq!(bench.post("/responses", "{}").await.status, 200);
    assert_eq!(bench.route.last_failure(), None);
    assert_eq!(bench.route.used(), USED.plus(Usage { calls: 1, ..Usage::default() }));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Upstream::start(|_| json(200, RESPONSES)).await;
    let to = format!("http://{}/steal", elsewhere.address);
    let upstream = Upstream::start(move |_| {
        let mut response = json(307, "");
        response.headers_mut().insert("location", to.parse().unwrap());
        response
    })
    .await;
    let bench = Bench::new(ModelApi::Messages, &upstream);
    let answer = bench.post("/messages", "{}").await;
    assert_eq!(answer.status, 400);
    assert!(!answer.headers.contains_key("location"));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_said_and_not_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let bench = Bench::with(parts(ModelApi::Responses, &base_url));
    let answer = bench.post("/responses", "{}").await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (502, Some("provider_unreachable")));
    let Some(Reason::ModelFailed { message }) = bench.route.last_failure() else { panic!() };
    assert!(message.contains("refused"), "{message}");
    assert_eq!((bench.calls().len(), bench.route.used()), (0, Usage::default()));
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up_and_counted() {
    // It accepts and then says nothing: a listener whose backlog takes the connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut parts = parts(ModelApi::Responses, &format!("http://{}/v1", listener.local_addr().unwrap()));
    parts.patience = Patience { answer: Duration::from_millis(100), ..Patience::default() };
    let bench = Bench::with(parts);
    assert_eq!(bench.post("/responses", "{}").await.status, 504);
    assert_eq!(bench.calls().iter().map(|c| (c.status, c.usage.calls)).collect::<Vec<_>>(), [(0, 1)]);
    assert!(bench.calls()[0].duration_ms >= 100);
}

#[tokio::test]
async fn an_engine_that_leaves_before_the_answer_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::with(parts(ModelApi::Responses, &format!("http://{}/v1", listener.local_addr().unwrap())));
    let mut engine = bench.raw_model();
    tokio::io::AsyncWriteExt::write_all(&mut engine, b"POST /responses HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    drop(engine);
    let used = bench.journaled(1).await[0].usage;
    assert_eq!(used, Usage { calls: 1, input_tokens: used.input_tokens, ..Usage::default() });
    assert!((1..10).contains(&used.input_tokens), "what was sent counts: {used:?}");
    // The call is broken off at the provider too.
    let mut said = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut provider, &mut said).await.unwrap();
}

#[tokio::test]
async fn a_missing_or_odd_credential_is_said_without_its_value() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    for key in ["", "two words", "line\nbreak", "schlüssel"] {
        let mut parts = parts(ModelApi::Responses, &upstream.base_url());
        parts.key = plain_key(move || Ok(key.into()));
        let bench = Bench::with(parts);
        let answer = bench.post("/responses", "{}").await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (400, Some("no_credential")), "{key:?}");
        assert!(answer.body.contains("main") && (key.is_empty() || !answer.body.contains(key)));
    }
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    parts.key = plain_key(|| Err(Problem::not_found("There is no credential “main”.")));
    let bench = Bench::with(parts);
    assert_eq!(bench.post("/responses", "{}").await.status, 400);
    assert!(matches!(&*bench.route.fatal().borrow(), Some(Reason::ModelFailed { message }) if message.contains("“main”")));
    assert!(upstream.seen().is_empty());
    assert_eq!(bench.route.used(), Usage::default());
}

#[tokio::test]
async fn an_editors_last_newline_is_no_part_of_the_key() {
    let upstream = Upstream::start(|_| json(200, "{}")).await;
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    parts.key = plain_key(|| Ok(format!("{KEY}\n").into()));
    assert_eq!(Bench::with(parts).post("/responses", "{}").await.status, 200);
    assert_eq!(upstream.seen()[0].headers["authorization"], format!("Bearer {KEY}"));
}
