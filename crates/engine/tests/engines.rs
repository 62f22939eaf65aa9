//! Whole turns of the real engines against the scripted model. They are fetched from npm where they are missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use domain::{
    agent::{ModelApi, PermissionMode},
    run::{Reason, RunnerEvent, TurnOutcome},
};
use engine::DriverOrder;
use std::time::Duration;
use support::{real::*, words};

/// Edits a file, calls a tool of the context over HTTP, plans where the engine can, and speaks.
async fn whole_turn(name: &str, api: ModelApi, plans: bool) {
    let mut engine = start(name, api, PermissionMode::Sandbox).await;
    let plan = if plans { "[[plan]] " } else { "" };
    let prompt =
        format!("Do it. {plan}[[write:made.txt=hello]] [[shell:echo from-the-shell > shell.txt]] [[mcp:ctx_lookup]] [[say:All is done.]]");
    let outcome = engine.turn(&prompt).await;
    let events = engine.so_far();
    let stderr = std::fs::read_to_string(engine.dir.path().join("stderr")).unwrap();
    assert_eq!(outcome, TurnOutcome::Ended, "{events:#?}\n{stderr}\n{:#?}", engine.model.calls());
    let read =
        |file: &str| std::fs::read_to_string(engine.work().join(file)).unwrap_or_else(|error| panic!("{file}: {error}\n{events:#?}"));
    assert_eq!(read("made.txt").trim(), "hello");
    assert_eq!(read("shell.txt").trim(), "from-the-shell");
    assert_eq!(engine.context.calls().len(), 1, "{events:#?}");
    assert!(words(&events).contains("All is done."), "{events:#?}");
    assert!(events.iter().any(|event| matches!(event, RunnerEvent::EngineReady { replay: false, .. })));
    let tools = events.iter().filter(|event| matches!(event, RunnerEvent::Tool { status, .. } if status == "completed")).count();
    assert!(tools >= 3, "{events:#?}");
    assert_eq!(events.iter().any(|event| matches!(event, RunnerEvent::Plan { steps } if steps.len() == 2)), plans, "{events:#?}");
    assert_eq!(engine.model.keys(), [KEY.to_owned()].into(), "only the placeholder is known in there");

    // A second turn on the same session.
    assert_eq!(engine.turn("Now [[write:second.txt=again]] [[say:Twice.]]").await, TurnOutcome::Ended);
    assert_eq!(std::fs::read_to_string(engine.work().join("second.txt")).unwrap().trim(), "again");
}

#[tokio::test]
async fn codex_does_a_whole_turn() {
    whole_turn("codex", ModelApi::Responses, true).await;
}

#[tokio::test]
async fn copilot_does_a_whole_turn_over_responses() {
    whole_turn("copilot", ModelApi::Responses, false).await;
}

#[tokio::test]
async fn copilot_does_a_whole_turn_over_chat_completions() {
    whole_turn("copilot", ModelApi::Chat, false).await;
}

#[tokio::test]
async fn opencode_does_a_whole_turn_over_chat_completions() {
    whole_turn("opencode", ModelApi::Chat, false).await;
}

#[tokio::test]
async fn opencode_does_a_whole_turn_over_anthropic_messages() {
    whole_turn("opencode", ModelApi::Messages, false).await;
}

/// Failures of the model are failures of the turn, although engines like to answer as if all were well. Copilot and opencode
/// try again for more than a minute after a 429 and a 500, so those are tried through Codex alone.
async fn failures_are_seen(name: &str, api: ModelApi, failures: &[&str]) {
    let mut engine = start(name, api, PermissionMode::Sandbox).await;
    for failure in failures {
        let outcome = engine.turn(&format!("Do it. {failure}")).await;
        let events = engine.so_far();
        eprintln!("{name} {failure}: {outcome:?}");
        assert!(matches!(outcome, TurnOutcome::Failed { reason: Reason::ModelFailed { .. } }), "{failure}: {outcome:?}\n{events:#?}");
    }
    // A limit that passes is no failure, and the session goes on.
    assert_eq!(engine.turn("Do it. [[429-once]] [[write:late.txt=x]]").await, TurnOutcome::Ended);
    assert!(engine.work().join("late.txt").exists());
}

#[tokio::test]
async fn failures_of_the_model_are_seen_through_codex() {
    failures_are_seen(
        "codex",
        ModelApi::Responses,
        &["[[fail:401]]", "[[fail:403]]", "[[fail:400]]", "[[fail:500]]", "[[fail:429]]", "[[stop-midstream]]"],
    )
    .await;
}

#[tokio::test]
async fn failures_of_the_model_are_seen_through_copilot() {
    failures_are_seen("copilot", ModelApi::Responses, &["[[fail:401]]", "[[fail:400]]", "[[stop-midstream]]"]).await;
}

#[tokio::test]
async fn failures_of_the_model_are_seen_through_opencode() {
    failures_are_seen("opencode", ModelApi::Chat, &["[[fail:401]]", "[[fail:400]]"]).await;
}

/// A cancelled turn ends, and its commands with it.
async fn cancel_ends(name: &str, api: ModelApi) {
    let mut engine = start(name, api, PermissionMode::Sandbox).await;
    let (pid_file, orders) = (engine.work().join("pid"), engine.orders.clone());
    let cancel = async {
        let written = async {
            loop {
                match std::fs::read_to_string(&pid_file).map(|text| text.trim().parse::<u32>()) {
                    Ok(Ok(pid)) => return pid,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let pid = tokio::time::timeout(Duration::from_secs(60), written).await.expect("the command began");
        orders.send(DriverOrder::Cancel).await.unwrap();
        pid
    };
    let turn = engine.driver.turn("Do it. [[shell:echo $$ > pid; exec sleep 300]]", &mut engine.received);
    let (outcome, pid) = tokio::time::timeout(Duration::from_secs(90), async { tokio::join!(turn, cancel) }).await.expect("it ends");
    assert_eq!(outcome, TurnOutcome::Cancelled);
    let gone = async {
        while std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the command ended with its turn");
    assert_eq!(engine.turn("Go on. [[say:Here again.]]").await, TurnOutcome::Ended);
}

#[tokio::test]
async fn a_cancelled_turn_of_codex_ends_with_its_commands() {
    cancel_ends("codex", ModelApi::Responses).await;
}

#[tokio::test]
async fn a_cancelled_turn_of_copilot_ends_with_its_commands() {
    cancel_ends("copilot", ModelApi::Responses).await;
}

#[tokio::test]
async fn a_cancelled_turn_of_opencode_ends_with_its_commands() {
    cancel_ends("opencode", ModelApi::Chat).await;
}

/// Where a person is asked, the tool runs after a yes and not after a no.
async fn asks(name: &str, api: ModelApi) {
    let mut engine = start(name, api, PermissionMode::Ask).await;
    for (allow, file) in [(false, "denied.txt"), (true, "allowed.txt")] {
        let orders = engine.orders.clone();
        let prompt = format!("Do it. [[write:{file}=x]]");
        let turn = engine.driver.turn(&prompt, &mut engine.received);
        let events = &mut engine.events;
        let answer = async {
            let asked = Running::until(events, |event| matches!(event, RunnerEvent::Asked { .. })).await;
            let RunnerEvent::Asked { question } = asked else { unreachable!() };
            let option = question.options.iter().find(|option| option.allows == allow).expect("an option").id.clone();
            orders.send(DriverOrder::Answer { question: question.id.clone(), option: option.clone() }).await.unwrap();
            let answered = RunnerEvent::Answered { id: question.id, option: Some(option) };
            Running::until(events, |event| *event == answered).await;
        };
        let both = async { tokio::join!(turn, answer) };
        let (outcome, ()) = tokio::time::timeout(Duration::from_secs(90), both).await.expect("it ends");
        eprintln!("{name} allow={allow}: {outcome:?}");
        assert_eq!(engine.work().join(file).exists(), allow, "{outcome:?} {:#?}", engine.so_far());
        engine.so_far();
    }
}

#[tokio::test]
async fn codex_asks_a_person_where_the_agent_says_so() {
    asks("codex", ModelApi::Responses).await;
}

#[tokio::test]
async fn copilot_asks_a_person_where_the_agent_says_so() {
    asks("copilot", ModelApi::Responses).await;
}

#[tokio::test]
async fn opencode_asks_a_person_where_the_agent_says_so() {
    asks("opencode", ModelApi::Chat).await;
}

/// A new process takes the session up from the files of the old one.
async fn session_goes_on(name: &str, api: ModelApi) {
    let mut first = start(name, api, PermissionMode::Sandbox).await;
    assert_eq!(first.turn("Remember the word heliotrope. [[say:Noted.]]").await, TurnOutcome::Ended);
    let session = first.driver.session().to_owned();
    let (dir, model) = first.stop().await;
    let before = model.calls().len();
    let mut second = start_in(name, api, PermissionMode::Sandbox, model, dir, Some(session.clone())).await;
    let events = second.so_far();
    assert_eq!(second.driver.session(), session, "{events:#?}");
    assert_eq!(second.turn("Which word? [[say:That one.]]").await, TurnOutcome::Ended);
    let calls = second.model.calls();
    let asked = calls[before..].iter().filter_map(|call| call.asked.as_ref()).find(|asked| asked.prompt.contains("Which word"));
    assert!(asked.is_some_and(|asked| asked.texts.contains("heliotrope")), "the model is told what went before: {calls:#?}");
}

#[tokio::test]
async fn a_session_of_codex_goes_on_in_a_new_process() {
    session_goes_on("codex", ModelApi::Responses).await;
}

#[tokio::test]
async fn a_session_of_copilot_goes_on_in_a_new_process() {
    session_goes_on("copilot", ModelApi::Responses).await;
}

#[tokio::test]
async fn a_session_of_opencode_goes_on_in_a_new_process() {
    session_goes_on("opencode", ModelApi::Chat).await;
}
