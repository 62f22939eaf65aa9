//! The driver against agents that behave, and against agents that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use domain::{
    agent::PermissionMode,
    run::{PlanStep, Reason, RunnerEvent, TurnOutcome},
};
use engine::{DriverOrder, FailureRules, limits};
use serde_json::{Value, json};
use std::time::Duration;
use support::{fake::*, rest, words};

fn failed(outcome: TurnOutcome) -> Reason {
    match outcome {
        TurnOutcome::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn protocol(reason: &Reason) -> &str {
    match reason {
        Reason::EngineProtocol { message } => message,
        other => panic!("{other:?}"),
    }
}

/// One turn to its end, and what was reported of it.
async fn one_turn(end: tokio::io::DuplexStream) -> (TurnOutcome, Vec<RunnerEvent>) {
    let (mut driver, events, _orders, mut received) = start(end, session()).await.open();
    let outcome = driver.turn("Do it.", &mut received).await;
    drop(driver);
    (outcome, rest(events).await)
}

#[tokio::test]
async fn a_turn_becomes_events_in_their_order() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        assert_eq!(prompt["params"]["prompt"][0]["text"], "Do it.");
        fake.update(json!({"sessionUpdate": "plan", "entries": [{"content": "read", "priority": "high", "status": "in_progress"}]})).await;
        fake.say("I ").await;
        fake.say("begin.").await;
        fake.update(json!({"sessionUpdate": "tool_call", "toolCallId": "t1", "title": "ls", "status": "in_progress"})).await;
        let done = json!([{"type": "content", "content": {"type": "text", "text": "a b"}}]);
        fake.update(json!({"sessionUpdate": "tool_call_update", "toolCallId": "t1", "status": "completed", "content": done})).await;
        fake.update(json!({"sessionUpdate": "something_new", "x": 1})).await;
        fake.update(json!({"sessionUpdate": "usage_update", "used": 5, "size": 10})).await;
        let usage = json!({"totalTokens": 30, "inputTokens": 20, "outputTokens": 10, "cachedReadTokens": 4});
        fake.answer(&prompt, json!({"stopReason": "end_turn", "usage": usage})).await;
        fake
    };
    let drives = async {
        let (mut driver, events, _orders, mut received) = start(end, session()).await.open();
        assert_eq!(driver.turn("Do it.", &mut received).await, TurnOutcome::Ended);
        assert_eq!((driver.usage().input_tokens, driver.usage().cached_tokens, driver.usage().output_tokens), (20, 4, 10));
        drop(driver);
        rest(events).await
    };
    let (_fake, events) = tokio::join!(plays, drives);
    let tool = |title: &str, status: &str, output: &str| RunnerEvent::Tool {
        id: "t1".into(),
        title: title.into(),
        status: status.into(),
        output: output.into(),
    };
    assert_eq!(
        events,
        [
            RunnerEvent::EngineReady { name: "fake 1".into(), session: "s1".into(), replay: false },
            RunnerEvent::TurnStarted { turn: 1, prompt: "Do it.".into() },
            RunnerEvent::Plan { steps: vec![PlanStep { text: "read".into(), status: "in_progress".into() }] },
            RunnerEvent::Message { text: "I begin.".into() },
            tool("ls", "in_progress", ""),
            tool("", "completed", "a b"),
            RunnerEvent::Context { used: 5, size: 10 },
            RunnerEvent::TurnEnded { outcome: TurnOutcome::Ended },
        ]
    );
}

#[tokio::test]
async fn an_engine_that_exits_at_once_has_failed() {
    let (fake, end) = pipe();
    drop(fake);
    let reason = start(end, session()).await.driver.err().unwrap();
    assert!(matches!(&reason, Reason::EngineFailed { message } if message.contains("closed its output")), "{reason:?}");
    assert!(matches!(engine::explain_exit(reason, Some(127), "sh: codex: not found"), Reason::EngineMissing { .. }));
}

#[tokio::test]
async fn an_engine_that_ends_in_the_middle_of_a_turn_has_failed() {
    let (mut fake, end) = pipe();
    let plays = async move {
        fake.open().await;
        fake.expect("session/prompt").await;
        fake.say("half a wo").await;
        drop(fake);
    };
    let ((), (outcome, events)) = tokio::join!(plays, one_turn(end));
    assert!(matches!(failed(outcome), Reason::EngineFailed { .. }));
    assert_eq!(words(&events), "half a wo");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_in_initialize_is_given_up() {
    let (_fake, end) = pipe();
    let reason = start(end, session()).await.driver.err().unwrap();
    assert!(protocol(&reason).contains("did not answer `initialize` within 90 s"));
}

#[tokio::test]
async fn warnings_before_the_protocol_are_shown_and_do_no_harm() {
    let (mut fake, end) = pipe();
    fake.write("(node:7) Warning: something is old\n\n").await;
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        fake.end(&prompt).await;
        fake
    };
    let (_fake, (outcome, events)) = tokio::join!(plays, one_turn(end));
    assert_eq!(outcome, TurnOutcome::Ended);
    assert!(matches!(&events[0], RunnerEvent::Log { stream, text } if stream == "stdout" && text.contains("something is old")));
}

/// Ways to break the protocol instead of answering a prompt.
async fn broken(writes: impl AsyncFnOnce(&mut Fake, &Value)) -> (Reason, Vec<RunnerEvent>) {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        writes(&mut fake, &prompt).await;
        fake
    };
    let (_fake, (outcome, events)) = tokio::join!(plays, one_turn(end));
    (failed(outcome), events)
}

#[tokio::test]
async fn broken_json_is_a_broken_protocol() {
    let (reason, _) = broken(async |fake, _| fake.write("{\"jsonrpc\":\"2.0\",\"id\":3,\"resu\n").await).await;
    assert!(protocol(&reason).contains("no JSON"), "{reason:?}");
}

#[tokio::test]
async fn a_response_of_the_wrong_form_is_no_success() {
    let (reason, _) = broken(async |fake, prompt| fake.answer(prompt, json!({"stopReason": 7})).await).await;
    assert!(matches!(reason, Reason::EngineProtocol { .. } | Reason::EngineFailed { .. }), "{reason:?}");
}

#[tokio::test]
async fn a_line_without_end_is_a_broken_protocol() {
    let (reason, _) = broken(async |fake, _| {
        fake.write("{\"jsonrpc\":\"").await;
        let piece = "x".repeat(1 << 20);
        for _ in 0..=limits::LINE_BYTES_MAX >> 20 {
            fake.write(&piece).await;
        }
    })
    .await;
    assert!(protocol(&reason).contains("more than"), "{reason:?}");
}

#[tokio::test]
async fn a_gigabyte_of_garbage_is_cut_off_early() {
    let (reason, events) = broken(async |fake, _| {
        let piece = "garbage ".repeat(1 << 13) + "\n";
        for written in 0..(1_u64 << 30) / piece.len() as u64 {
            if tokio::io::AsyncWriteExt::write_all(&mut fake.out, piece.as_bytes()).await.is_err() {
                assert!(written * (piece.len() as u64) < 64 << 20, "it is not read to its end");
                break;
            }
        }
    })
    .await;
    assert!(protocol(&reason).contains("no messages"), "{reason:?}");
    let shown: usize = events.iter().map(|event| if let RunnerEvent::Log { text, .. } = event { text.len() } else { 0 }).sum();
    assert!(shown <= limits::NOISE_BYTES_MAX + limits::LINE_BYTES_MAX);
}

#[tokio::test]
async fn words_without_end_are_cut_in_the_log_and_the_turn_goes_on() {
    let (mut fake, end) = pipe();
    let total: u64 = limits::LOG_BYTES_MAX + (32 << 20);
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        let piece = "word ".repeat(200_000);
        for _ in 0..=total / piece.len() as u64 {
            fake.say(&piece).await;
        }
        fake.end(&prompt).await;
        fake
    };
    let (_fake, (outcome, events)) = tokio::join!(plays, one_turn(end));
    assert_eq!(outcome, TurnOutcome::Ended);
    assert!(words(&events).len() as u64 <= limits::LOG_BYTES_MAX);
    assert!(events.iter().any(|event| matches!(event, RunnerEvent::Truncated { dropped_bytes } if *dropped_bytes > 16 << 20)));
}

#[tokio::test]
async fn an_engine_is_not_read_faster_than_its_events_are_taken() {
    let (mut fake, end) = pipe();
    let (sender, mut events) = tokio::sync::mpsc::channel(4);
    let (stdout, stdin) = tokio::io::split(end);
    let written = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = written.clone();
    let piece = "y".repeat(64 * 1024);
    let floods = tokio::spawn(async move {
        fake.open().await;
        fake.expect("session/prompt").await;
        loop {
            fake.say(&piece).await;
            counted.fetch_add(piece.len() as u64, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let drives = tokio::spawn(async move {
        let mut driver = engine::Driver::start(stdin, stdout, session(), sender).await.unwrap();
        let (_orders, mut received) = tokio::sync::mpsc::channel(1);
        driver.turn("Do it.", &mut received).await
    });
    // Nobody takes events any more after the first few: the flood must come to a halt.
    for _ in 0..8 {
        events.recv().await.unwrap();
    }
    let mut before = u64::MAX;
    let mut same = 0;
    while same < 2_000 {
        tokio::task::yield_now().await;
        let now = written.load(std::sync::atomic::Ordering::SeqCst);
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    floods.abort();
    drives.abort();
    assert!(before < 32 << 20, "{before} bytes are held");
}

fn asking(permissions: PermissionMode, wait: Duration) -> engine::Session {
    engine::Session { permissions, permission_wait: wait, ..session() }
}

#[tokio::test]
async fn where_the_sandbox_is_the_boundary_permission_is_given_at_once_and_only_once() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        fake.ask(77).await;
        let answer = fake.next().await.unwrap();
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 77, "result": {"outcome": {"outcome": "selected", "optionId": "yes"}}}));
        fake.end(&prompt).await;
        fake
    };
    let drives = async {
        let (mut driver, events, _orders, mut received) = start(end, session()).await.open();
        assert_eq!(driver.turn("Do it.", &mut received).await, TurnOutcome::Ended);
        drop(driver);
        rest(events).await
    };
    let events = tokio::join!(plays, drives).1;
    assert!(!events.iter().any(|event| matches!(event, RunnerEvent::Asked { .. })));
    assert!(events.iter().any(|event| matches!(event, RunnerEvent::Log { text, .. } if text.contains("rm -rf build"))));
}

#[tokio::test]
async fn a_person_is_asked_and_their_answer_is_handed_on() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        fake.ask(77).await;
        let answer = fake.next().await.unwrap();
        assert_eq!(answer["result"]["outcome"]["optionId"], "no");
        fake.end(&prompt).await;
        fake
    };
    let drives = async {
        let started = start(end, asking(PermissionMode::Ask, Duration::from_secs(600))).await;
        let (mut driver, mut events, orders, mut received) = started.open();
        let answers = async {
            loop {
                if let RunnerEvent::Asked { question } = events.recv().await.unwrap() {
                    assert_eq!((question.title.as_str(), question.options.len()), ("rm -rf build", 3));
                    // An answer that was not offered changes nothing.
                    orders.send(DriverOrder::Answer { question: question.id.clone(), option: "perhaps".into() }).await.unwrap();
                    orders.send(DriverOrder::Answer { question: question.id.clone(), option: "no".into() }).await.unwrap();
                    break question.id;
                }
            }
        };
        let (outcome, id) = tokio::join!(driver.turn("Do it.", &mut received), answers);
        assert_eq!(outcome, TurnOutcome::Ended);
        drop(driver);
        let left = rest(events).await;
        assert!(left.contains(&RunnerEvent::Answered { id, option: Some("no".into()) }), "{left:?}");
    };
    tokio::join!(plays, drives);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_is_refused() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        fake.ask(77).await;
        assert_eq!(fake.next().await.unwrap()["result"]["outcome"]["optionId"], "no");
        fake.end(&prompt).await;
        fake
    };
    let drives = async {
        let started = start(end, asking(PermissionMode::Ask, Duration::from_secs(600))).await;
        let (mut driver, events, _orders, mut received) = started.open();
        assert_eq!(driver.turn("Do it.", &mut received).await, TurnOutcome::Ended);
        drop(driver);
        rest(events).await
    };
    let events = tokio::join!(plays, drives).1;
    assert!(events.contains(&RunnerEvent::Answered { id: "q1".into(), option: None }));
}

#[tokio::test]
async fn a_cancel_ends_the_turn_and_withdraws_its_questions() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        fake.ask(77).await;
        let (mut cancelled, mut withdrawn) = (false, false);
        while !(cancelled && withdrawn) {
            let message = fake.next().await.unwrap();
            cancelled |= message["method"] == "session/cancel";
            withdrawn |= message["result"]["outcome"]["outcome"] == "cancelled";
        }
        fake.answer(&prompt, json!({"stopReason": "cancelled"})).await;
        fake
    };
    let drives = async {
        let started = start(end, asking(PermissionMode::Ask, Duration::from_secs(600))).await;
        let (mut driver, mut events, orders, mut received) = started.open();
        let cancels = async {
            while !matches!(events.recv().await.unwrap(), RunnerEvent::Asked { .. }) {}
            orders.send(DriverOrder::Message { order: 1, text: "too late".into() }).await.unwrap();
            orders.send(DriverOrder::Cancel).await.unwrap();
        };
        tokio::join!(driver.turn("Do it.", &mut received), cancels).0
    };
    assert_eq!(tokio::join!(plays, drives).1, TurnOutcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ignores_a_cancel_is_given_up() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.open().await;
        fake.expect("session/prompt").await;
        fake.expect("session/cancel").await;
        fake
    };
    let drives = async {
        let (mut driver, _events, orders, mut received) = start(end, session()).await.open();
        orders.send(DriverOrder::Cancel).await.unwrap();
        driver.turn("Do it.", &mut received).await
    };
    let (_fake, outcome) = tokio::join!(plays, drives);
    assert_eq!(outcome, TurnOutcome::Cancelled);
}

#[tokio::test]
async fn messages_during_a_turn_become_a_further_turn() {
    let (mut fake, end) = pipe();
    let (began, begun) = tokio::sync::oneshot::channel();
    let (go_on, gone_on) = tokio::sync::oneshot::channel::<()>();
    let plays = async {
        fake.open().await;
        let first = fake.expect("session/prompt").await;
        began.send(()).unwrap();
        gone_on.await.unwrap();
        fake.end(&first).await;
        let second = fake.expect("session/prompt").await;
        assert_eq!(second["params"]["prompt"][0]["text"], "And tests.\n\nAnd docs.");
        fake.end(&second).await;
        let third = fake.expect("session/prompt").await;
        assert_eq!(third["params"]["prompt"][0]["text"], "Checks failed.");
        assert_eq!(third["params"]["sessionId"], "s1");
        fake.end(&third).await;
        fake
    };
    let drives = async {
        let (mut driver, events, orders, mut received) = start(end, session()).await.open();
        let writes = async {
            begun.await.unwrap();
            orders.send(DriverOrder::Message { order: 4, text: "And tests.".into() }).await.unwrap();
            orders.send(DriverOrder::Message { order: 5, text: "And docs.".into() }).await.unwrap();
            // Taken when the channel is empty again.
            while orders.capacity() < orders.max_capacity() {
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
        };
        let (outcome, ()) = tokio::join!(driver.turn("Do it.", &mut received), writes);
        assert_eq!(outcome, TurnOutcome::Ended);
        assert_eq!(driver.turn("Checks failed.", &mut received).await, TurnOutcome::Ended);
        drop(driver);
        rest(events).await
    };
    let events = tokio::join!(plays, drives).1;
    let marks: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunnerEvent::TurnStarted { turn, .. } => Some(format!("start {turn}")),
            RunnerEvent::TurnEnded { .. } => Some("end".into()),
            RunnerEvent::MessageDelivered { order } => Some(format!("delivered {order}")),
            _ => None,
        })
        .collect();
    assert_eq!(marks, ["start 1", "end", "delivered 4", "delivered 5", "start 2", "end", "start 3", "end"]);
}

#[tokio::test]
async fn a_session_is_taken_up_again_without_telling_its_past_twice() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.greet().await;
        let load = fake.expect("session/load").await;
        assert_eq!((load["params"]["sessionId"].as_str(), load["params"]["cwd"].as_str()), (Some("old"), Some("/work")));
        assert_eq!(load["params"]["mcpServers"][0]["url"], "http://127.0.0.1:9/mcp");
        fake.say("what was said long ago").await;
        fake.answer(&load, json!({})).await;
        let mode = fake.expect("session/set_mode").await;
        assert_eq!((mode["params"]["sessionId"].as_str(), mode["params"]["modeId"].as_str()), (Some("old"), Some("yolo")));
        fake.answer(&mode, json!({})).await;
        fake
    };
    let mut wanted = session();
    wanted.resume = Some("old".into());
    wanted.mode = Some("yolo".into());
    wanted.mcp_url = Some("http://127.0.0.1:9/mcp".into());
    let (_fake, started) = tokio::join!(plays, start(end, wanted));
    let (driver, events, ..) = started.open();
    assert_eq!(driver.session(), "old");
    drop(driver);
    assert_eq!(rest(events).await, [RunnerEvent::EngineReady { name: "fake 1".into(), session: "old".into(), replay: false }]);
}

#[tokio::test]
async fn where_a_session_cannot_be_taken_up_a_new_one_begins_and_the_log_says_so() {
    let (mut fake, end) = pipe();
    let plays = async {
        fake.greet().await;
        let load = fake.expect("session/load").await;
        fake.fail(&load, -32002, "no such session").await;
        let new = fake.expect("session/new").await;
        fake.answer(&new, json!({"sessionId": "s2"})).await;
        fake
    };
    let mut wanted = session();
    wanted.resume = Some("old".into());
    let (_fake, started) = tokio::join!(plays, start(end, wanted));
    let (driver, mut events, ..) = started.open();
    assert_eq!(driver.session(), "s2");
    assert!(matches!(events.recv().await, Some(RunnerEvent::Log { text, .. }) if text.contains("no such session")));
}

#[tokio::test]
async fn a_turn_that_only_claims_success_has_failed() {
    let (mut fake, end) = pipe();
    let rules = FailureRules { no_usage: true, text_begins: vec!["Error: ".into()], error_is_model: true, ..FailureRules::default() };
    let plays = async {
        fake.open().await;
        let prompt = fake.expect("session/prompt").await;
        fake.say("Info: trying again... Error: 401 bad key").await;
        fake.end(&prompt).await;
        let prompt = fake.expect("session/prompt").await;
        fake.fail(&prompt, -32603, "the model said 500").await;
        let prompt = fake.expect("session/prompt").await;
        fake.answer(&prompt, json!({"stopReason": "refusal"})).await;
        fake
    };
    let drives = async {
        let (mut driver, _events, _orders, mut received) = start(end, engine::Session { failure: rules, ..session() }).await.open();
        let mut reasons = Vec::new();
        for _ in 0..3 {
            reasons.push(failed(driver.turn("Do it.", &mut received).await));
        }
        reasons
    };
    let reasons = tokio::join!(plays, drives).1;
    let model = |message: &str| Reason::ModelFailed { message: message.into() };
    assert_eq!(reasons, [model("Error: 401 bad key."), model("the model said 500."), model("The model refused to go on.")]);
}
