//! Prices, budgets that runs share, calls that the provider puts off, and content that is kept.

use super::{
    harness::{Bench, KEY, MODEL, parts, say},
    upstream::{Upstream, events, json},
};
use crate::gateway::{Ledger, Line, Parts, Patience, Rules, plain_key};
use domain::{
    Timestamp,
    agent::ModelApi,
    money::Money,
    quota::Price,
    run::Reason,
    usage::{Budget, Usage},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const ANSWER: &str =
    r#"{"status":"completed","error":null,"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":40},"output_tokens":20}}"#;
/// May use some 1,100 tokens at the most.
const SMALL: &str = r#"{"max_output_tokens":20}"#;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn price() -> Price {
    Price { input: money("1"), cached_input: Some(money("0.5")), cache_write: None, output: money("10") }
}

/// A ledger over what calls of these parts record, and the parts with it.
fn shared(mut parts: Parts, ledger: &Arc<Ledger>, spent: &Arc<Mutex<Usage>>, rules: Rules) -> Parts {
    let spent = Arc::clone(spent);
    parts.ledger = Arc::clone(ledger);
    parts.rules = Arc::new(move || Ok(rules.clone()));
    parts.record = Arc::new(move |call| {
        let mut sum = spent.lock().unwrap();
        *sum = sum.plus(call.usage);
        Box::pin(async { Ok(()) })
    });
    parts
}

fn ledger() -> (Arc<Ledger>, Arc<Mutex<Usage>>) {
    let spent: Arc<Mutex<Usage>> = Arc::default();
    let read = Arc::clone(&spent);
    (Ledger::new(Arc::new(move |_| Ok(*read.lock().unwrap()))), spent)
}

fn line(budget: Budget) -> Line {
    Line { whose: "The org (today, UTC)".into(), id: "org/2026-11-27".into(), with: vec![], budget, raise: String::new() }
}

#[tokio::test]
async fn a_call_costs_what_the_providers_own_figures_and_the_price_say() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    let (ledger, spent) = ledger();
    let rules = Rules { price: Some(price()), at: Timestamp(86_399_000), ..Rules::default() };
    let bench = Bench::with(shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, rules));
    assert_eq!(bench.post("/responses", SMALL).await.status, 200);
    assert_eq!(bench.calls()[0].usage.cost.micros(), 60 + 20 + 200);
    assert_eq!(bench.calls()[0].admitted, Timestamp(86_399_000), "it counts in the day whose limits it had to fit");
    assert_eq!((bench.route.used().cost.micros(), bench.route.used().unpriced_calls), (280, 0));
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_figures_costs_what_was_held_for_it() {
    let upstream = Upstream::start(|_| events("data: {\"type\":\"response.created\"}\n\n")).await;
    let (ledger, spent) = ledger();
    let rules = Rules { price: Some(price()), ..Rules::default() };
    let bench = Bench::with(shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, rules));
    let body = r#"{"stream":true,"max_output_tokens":20}"#;
    let asked = format!("POST /responses HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    say(bench.raw_model(), asked.as_bytes()).await;
    let cost = bench.journaled(1).await[0].usage.cost.micros();
    assert!((1_224..2_000).contains(&cost), "{cost}");
}

#[tokio::test]
async fn runs_side_by_side_cannot_overspend_a_budget_that_they_share() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    let (ledger, spent) = ledger();
    // A call holds about 1,600 millionths, and costs 280.
    let budget = Budget { money: Some(money("0.003")), ..Budget::default() };
    let rules = Rules { price: Some(price()), lines: vec![line(budget)], ..Rules::default() };
    let benches: Vec<_> = (0..4)
        .map(|_| Arc::new(Bench::with(shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, rules.clone()))))
        .collect();
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let bench = Arc::clone(&benches[n % 4]);
            tokio::spawn(async move { bench.post("/responses", SMALL).await })
        })
        .collect();
    let mut done = 0;
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status.as_u16() {
            200 => done += 1,
            _ => assert_eq!(answer.json()["error"]["code"], "budget_spent", "{}", answer.body),
        }
    }
    let cost = spent.lock().unwrap().cost;
    assert!(cost <= money("0.003") && done >= 4, "{done} calls, {cost}");
    assert_eq!(upstream.seen().len(), done, "what was refused did not reach the provider");
    assert!(
        matches!(&*benches[0].route.fatal().borrow(), Some(Reason::BudgetSpent { message }) if message.starts_with("The org (today, UTC)"))
    );
}

#[tokio::test]
async fn limits_that_no_longer_count_are_read_anew_before_a_call_is_let_through() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    let (ledger, spent) = ledger();
    let mut parts = shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, Rules::default());
    let (asked, terms) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&ledger));
    let count = Arc::clone(&asked);
    parts.rules = Arc::new(move || {
        let (lines, read) = (vec![line(Budget::default())], terms.terms());
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            // Just after they were read.
            terms.renew();
        }
        Ok(Rules { price: Some(price()), lines, terms: read, ..Rules::default() })
    });
    assert_eq!(Bench::with(parts).post("/responses", SMALL).await.status, 200);
    assert_eq!((asked.load(Ordering::SeqCst), upstream.seen().len()), (2, 1));
}

#[tokio::test]
async fn what_others_may_soon_leave_is_waited_for_but_not_without_end() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    for more_comes in [true, false] {
        let (ledger, spent) = ledger();
        let mut parts = shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, Rules::default());
        parts.patience = Patience { shares: Duration::from_secs(if more_comes { 20 } else { 1 }), ..Patience::default() };
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        parts.rules = Arc::new(move || {
            let short = count.fetch_add(1, Ordering::SeqCst) < 2 || !more_comes;
            let budget = Budget { calls: u64::from(!short), ..Budget::default() };
            Ok(Rules { price: Some(price()), lines: vec![line(budget)], short, ..Rules::default() })
        });
        let bench = Bench::with(parts);
        let answer = bench.post("/responses", SMALL).await;
        let ended = bench.route.fatal().borrow().is_some();
        let wanted = if more_comes { (200, false) } else { (400, true) };
        assert_eq!((answer.status.as_u16(), ended), wanted, "{}", answer.body);
        assert!(asked.load(Ordering::SeqCst) > 2, "it is looked again and again");
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn an_unknown_price_is_refused_where_there_is_a_budget_of_money() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    for whole in [true, false] {
        let budget = Budget { money: Some(money("1000")), ..Budget::default() };
        let (ledger, spent) = ledger();
        let rules = Rules { lines: if whole { vec![line(budget)] } else { vec![] }, ..Rules::default() };
        let mut parts = shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, rules);
        parts.budget = if whole { Budget::default() } else { budget };
        let answer = Bench::with(parts).post("/responses", SMALL).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (400, Some("budget_spent")));
        assert!(answer.body.contains("price of this model is not known"), "{}", answer.body);
    }
    assert!(upstream.seen().is_empty());
    let (ledger, spent) = ledger();
    let bench = Bench::with(shared(parts(ModelApi::Responses, &upstream.base_url()), &ledger, &spent, Rules::default()));
    assert_eq!(bench.post("/responses", SMALL).await.status, 200);
    assert_eq!((bench.route.used().unpriced_calls, bench.route.used().cost), (1, Money::ZERO), "without such a budget it is told");
}

#[tokio::test]
async fn a_model_that_the_org_does_not_let_be_used_is_refused() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    parts.rules = Arc::new(|| Ok(Rules { forbidden: Some("The org lets other models be used.".into()), ..Rules::default() }));
    let answer = Bench::with(parts).post("/responses", SMALL).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (403, Some("model_not_allowed")));
    assert!(upstream.seen().is_empty());
}

/// A provider that puts the first calls off.
async fn putting_off(status: u16, headers: &'static [(&'static str, &'static str)], times: usize) -> Upstream {
    let asked = AtomicUsize::new(0);
    Upstream::start(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) >= times {
            return json(200, ANSWER);
        }
        let mut response = json(status, r#"{"error":{"message":"later"}}"#);
        headers.iter().for_each(|(name, value)| drop(response.headers_mut().insert(*name, value.parse().unwrap())));
        response
    })
    .await
}

fn patient(upstream: &Upstream) -> Parts {
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    parts.patience = Patience { retry: Duration::from_secs(1), ..Patience::default() };
    parts
}

#[tokio::test]
async fn a_call_that_the_provider_puts_off_is_sent_again_when_it_says() {
    let upstream = putting_off(429, &[("retry-after-ms", "30")], 2).await;
    let bench = Bench::with(patient(&upstream));
    assert_eq!(bench.post("/responses", SMALL).await.status, 200);
    assert_eq!(bench.calls().iter().map(|c| c.status).collect::<Vec<_>>(), [429, 429, 200], "every attempt is in the journal");
    assert_eq!(bench.route.used().calls, 3);
}

#[tokio::test]
async fn a_call_is_sent_again_only_within_bounds() {
    for (status, headers, times, sent) in [
        (429, &[("retry-after", "2")][..], 1, 1),
        (500, &[], 1, 1),
        (429, &[("retry-after-ms", "1"), ("x-should-retry", "false")], 1, 1),
        (503, &[("retry-after-ms", "1")], 100, 4),
    ] {
        let upstream = putting_off(status, headers, times).await;
        let bench = Bench::with(patient(&upstream));
        let answer = bench.post("/responses", SMALL).await;
        assert_eq!((answer.status.as_u16(), upstream.seen().len()), (status, sent), "{headers:?}");
    }
    let upstream = putting_off(429, &[("retry-after-ms", "1")], 100).await;
    let mut parts = patient(&upstream);
    parts.budget.calls = 2;
    assert_eq!(Bench::with(parts).post("/responses", SMALL).await.status, 400, "the budget counts attempts too");
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn a_call_that_is_put_off_spends_no_more_of_a_shared_budget_than_there_is() {
    let upstream = putting_off(429, &[("retry-after-ms", "1")], 100).await;
    let (ledger, spent) = ledger();
    let rules = Rules { lines: vec![line(Budget { calls: 3, ..Budget::default() })], ..Rules::default() };
    let bench = Bench::with(shared(patient(&upstream), &ledger, &spent, rules));
    assert_eq!(bench.post("/responses", SMALL).await.status, 429, "what the provider said, for the engine to decide");
    let attempts = (upstream.seen().len(), bench.journaled(3).await.len(), spent.lock().unwrap().calls);
    assert_eq!(attempts, (3, 3, 3), "a fourth would be beyond the budget");
}

#[tokio::test]
async fn what_a_run_used_through_another_device_counts_from_when_it_is_heard_of() {
    let upstream = Upstream::start(|_| json(200, ANSWER)).await;
    // What was heard of each: of the device that asked for the run, and of the one that stands in for it.
    let heard: [Arc<Mutex<Usage>>; 2] = Default::default();
    let gateway = |other: &Arc<Mutex<Usage>>| {
        let (mut parts, other) = (parts(ModelApi::Responses, &upstream.base_url()), Arc::clone(other));
        parts.budget.calls = 10;
        parts.elsewhere = Arc::new(move || *other.lock().unwrap());
        Bench::with(parts)
    };
    let (asked, stands_in) = (gateway(&heard[1]), gateway(&heard[0]));
    // It is cut off after one call, and back when the other has let through four.
    for (bench, calls, told) in [(&asked, 1, &heard[0]), (&stands_in, 4, &heard[1]), (&asked, 5, &heard[0])] {
        for _ in 0..calls {
            assert_eq!(bench.post("/responses", SMALL).await.status, 200);
        }
        *told.lock().unwrap() = bench.route.used();
    }
    for bench in [&asked, &stands_in] {
        let answer = bench.post("/responses", SMALL).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (400, Some("budget_spent")));
        assert!(answer.body.contains("made 10 of its 10 model calls"), "{}", answer.body);
    }
    assert_eq!(upstream.seen().len(), 10);
}

#[tokio::test]
async fn a_call_that_is_put_off_is_not_sent_again_once_the_rest_was_used_through_another_device() {
    let upstream = putting_off(429, &[("retry-after-ms", "1")], 100).await;
    let (mut parts, asked) = (patient(&upstream), AtomicUsize::new(0));
    parts.budget.calls = 4;
    // Heard of while the first attempt is under way.
    parts.elsewhere = Arc::new(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Usage::default(),
        _ => Usage { calls: 2, ..Usage::default() },
    });
    assert_eq!(Bench::with(parts).post("/responses", SMALL).await.status, 400);
    assert_eq!(upstream.seen().len(), 2, "two here and two there are all");
}

#[tokio::test]
async fn content_is_kept_only_where_the_org_says_so_and_never_with_the_key() {
    let said =
        format!("data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{KEY}\"}}\n\ndata: {{\"type\":\"response.completed\"}}\n\n");
    for keep_content in [true, false] {
        let text = said.clone();
        let upstream = Upstream::start(move |_| events(&text)).await;
        let mut parts = parts(ModelApi::Responses, &upstream.base_url());
        parts.rules = Arc::new(move || Ok(Rules { keep_content, ..Rules::default() }));
        let bench = Bench::with(parts);
        assert_eq!(bench.post("/responses", r#"{"stream":true,"input":"hello"}"#).await.status, 200);
        let content: Vec<String> = bench.calls()[0].content.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        match &content[..] {
            [] => assert!(!keep_content),
            [request, answer] => {
                assert!(keep_content && request.contains("hello") && answer.contains("response.completed"), "{content:?}");
                assert!(answer.contains("[key]") && !answer.contains(KEY), "{answer}");
            }
            _ => panic!("{content:?}"),
        }
    }
}

#[tokio::test]
async fn gemini_has_its_own_paths_and_its_own_header() {
    let answer = r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":40,"candidatesTokenCount":15,"thoughtsTokenCount":5}}"#;
    let upstream = Upstream::start(move |_| json(200, answer)).await;
    let base = format!("http://{}", upstream.address);
    let bench = Bench::with(parts(ModelApi::Gemini, &base));
    let path = format!("/v1beta/models/{MODEL}:generateContent?key=placeholder");
    assert_eq!(bench.post(&path, r#"{"contents":[]}"#).await.status, 200);
    let seen = &upstream.seen()[0];
    assert_eq!(seen.path, format!("/v1beta/models/{MODEL}:generateContent"));
    assert_eq!(seen.headers["x-goog-api-key"], KEY);
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!((bench.route.used().input_tokens, bench.route.used().output_tokens), (100, 20));
    for (path, status, code) in [
        ("/v1beta/models/dear-1:generateContent", 403, "PERMISSION_DENIED"),
        ("/v1beta/models/../x:generateContent", 403, "PERMISSION_DENIED"),
        ("/v1beta/models/scripted-1:embedContent", 404, "NOT_FOUND"),
        ("/v1beta/files", 404, "NOT_FOUND"),
    ] {
        let answer = bench.post(path, "{}").await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["status"].as_str()), (status, Some(code)), "{path}");
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_login_that_is_refused_is_renewed_once_and_the_call_goes_on() {
    let upstream = Upstream::start(|seen| match seen.headers["authorization"].to_str().unwrap() {
        "Bearer new-access" => json(200, ANSWER),
        _ => json(401, "{}"),
    })
    .await;
    let mut parts = parts(ModelApi::Responses, &upstream.base_url());
    parts.key = Arc::new(|refused| {
        let key = if refused.is_some() { "new-access" } else { "old-access" };
        Box::pin(
            async move { Ok(crate::gateway::Granted { renewable: true, ..crate::gateway::Granted::from(identity::Secret::from(key)) }) },
        )
    });
    let bench = Bench::with(parts);
    assert_eq!(bench.post("/responses", SMALL).await.status, 200);
    assert_eq!(bench.calls().iter().map(|c| c.status).collect::<Vec<_>>(), [401, 200]);
    // A plain key is not asked for again.
    let upstream = Upstream::start(|_| json(401, "{}")).await;
    let mut parts = super::harness::parts(ModelApi::Responses, &upstream.base_url());
    parts.key = plain_key(|| Ok("old".into()));
    assert_eq!(Bench::with(parts).post("/responses", SMALL).await.status, 400);
    assert_eq!(upstream.seen().len(), 1);
}
