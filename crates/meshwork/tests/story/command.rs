//! The command bar without a model: the main job in words, rights, a yes that counts once, and the way back.

use crate::support::{PASSES, command_agent, machine, project, text};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::Up;

/// Calls an action with a token: status and answer.
pub async fn with_token(up: &Up, token: &str, action: &str, input: Value) -> (u16, Value) {
    let response = up.request(Method::POST, &format!("/api/v1/{}", action.replacen('.', "/", 1)), token, Some(input)).await;
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

pub async fn token(up: &Up, role: &str) -> String {
    text(&up.ok(&["token", "create", "--role", role]).await["token"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_is_done_in_words() {
    let up = machine().await;
    project(&up, "words", "- [ ] T001 One\n- [ ] T002 Two\n", &format!("approvals = 1\n{PASSES}")).await;
    command_agent(&up, "echo", "echo x > $MESHWORK_TASK.txt").await;

    let shown = up.ok(&["ask", "please", "run T001"]).await;
    assert_eq!((&shown["by"], shown["results"].as_array().map(Vec::len)), (&json!("grammar"), Some(0)), "{shown:#}");
    assert_eq!(shown["understood"], "Run T001 of 001-work with echo.");
    assert_eq!(up.act("run.list", json!({})).await, json!([]), "without a yes nothing is done");

    let done = up.ok(&["ask", "--yes", "run T001"]).await;
    assert_eq!(done["results"][0]["text"], "1 run is queued.", "{done:#}");
    let run = text(&done["results"][0]["items"][0]["id"]);
    assert_eq!(up.ended(&run).await["state"], "done");
    let waiting = up.ok(&["ask", "show patches waiting for review"]).await;
    assert_eq!(waiting["items"][0]["kind"], "patch", "{waiting:#}");
    let needs = up.ok(&["ask", "what needs me?"]).await;
    assert_eq!((&needs["items"][0]["kind"], &needs["items"][0]["detail"]), (&json!("patch"), &json!("waits for a review")), "{needs:#}");
    let why = up.ok(&["ask", "why is T002 waiting?"]).await;
    assert!(text(&why["text"]).starts_with("T002 is waiting. It waits for T001."), "{why:#}");
    assert_eq!(up.ok(&["ask", "--yes", "accept T001: Good."]).await["results"][0]["done"], true);
    let merged = up.ok(&["ask", "--yes", "merge the patch of T001"]).await;
    assert!(text(&merged["results"][0]["text"]).starts_with("Merged, as commit"), "{merged:#}");
    assert_eq!(up.act("task.show", json!({"task": "T001"})).await["state"]["state"], "merged");
    assert!(text(&up.ok(&["ask", "verify the journal"]).await["text"]).starts_with("The journal is sound"));
    assert!(text(&up.ok(&["ask", "what is free"]).await["text"]).contains("slots free"));

    let absent = up.run(&["ask", "run T099"]).await;
    assert_eq!(absent.code, 4, "{absent:?}");
    let strange = up.run(&["ask", "paint the fence"]).await;
    assert_eq!((strange.code, strange.json()["by"].clone()), (2, json!("nobody")));
    assert!(strange.json()["examples"].as_array().is_some_and(|e| !e.is_empty()));
    let added = up.ok(&["ask", "--yes", "add task to 001: Say goodbye"]).await;
    assert_eq!(added["results"][0]["done"], true, "{added:#}");
    let found = up.act("command.complete", json!({"text": "goodbye"})).await;
    assert_eq!(found["found"][0]["kind"], "task", "{found:#}");
    let next = up.act("command.complete", json!({"text": "run T00", "cursor": 7})).await;
    assert_eq!(next["completions"][0]["insert"], "T002", "{next:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yes_counts_once_for_its_own_caller_and_can_be_taken_back() {
    let up = machine().await;
    project(&up, "once", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "slow", "sleep 600").await;
    let shown = up.act("command.understand", json!({"text": "run T001"})).await;
    let yes = json!({"conversation": shown["conversation"], "proposals": ["p1"]});
    let (developer, viewer) = (token(&up, "developer").await, token(&up, "viewer").await);
    assert_eq!(with_token(&up, &developer, "command.run", yes.clone()).await.0, 404, "another's conversation is not there");
    assert_eq!(with_token(&up, &viewer, "command.run", yes.clone()).await.0, 403);
    assert_eq!(up.call("command.run", json!({"conversation": shown["conversation"], "proposals": ["p1", "p2"]})).await.0, 404);
    assert_eq!(up.act("run.list", json!({})).await, json!([]), "a refused yes does nothing");

    let done = up.act("command.run", yes.clone()).await;
    let run = text(&done["results"][0]["items"][0]["id"]);
    let (status, again) = up.call("command.run", yes).await;
    assert!(status == 409 && again["error"]["what"].as_str().unwrap().contains("already"), "{again}");
    up.in_state(&run, "working").await;

    let asked = up.act("command.understand", json!({"conversation": shown["conversation"], "text": "why is it waiting?"})).await;
    assert_eq!(asked["items"][0]["id"], run.as_str(), "“it” is the run that was started: {asked:#}");
    let back = json!({"conversation": shown["conversation"], "proposal": "p1"});
    assert_eq!(with_token(&up, &developer, "command.undo", back.clone()).await.0, 404);
    let undone = up.act("command.undo", back.clone()).await;
    assert_eq!((&undone["results"][0]["action"], &undone["results"][0]["done"]), (&json!("run.stop"), &json!(true)), "{undone:#}");
    assert_eq!(up.ended(&run).await["state"], "cancelled");
    assert_eq!(up.call("command.undo", back).await.0, 409);
    let none = up.act("command.understand", json!({"conversation": shown["conversation"], "text": "undo"})).await;
    assert!(none["problems"][0]["what"].as_str().unwrap().contains("Nothing was done"), "{none:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_the_machine_is_and_where_a_task_may_run_are_a_sentence_away() {
    let up = machine().await;
    project(&up, "whose", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    let shown = up.act("command.understand", json!({"text": "take this machine back"})).await;
    assert_eq!(shown["proposals"][0]["undo"], "Lend it again.", "{shown:#}");
    let done = up.act("command.run", json!({"conversation": shown["conversation"], "proposals": ["p1"]})).await;
    assert_eq!(done["results"][0]["done"], true, "{done:#}");
    assert_eq!(up.act("device.lending", json!({})).await["click"]["said"], "reclaimed");
    let undone = up.act("command.undo", json!({"conversation": shown["conversation"], "proposal": "p1"})).await;
    assert_eq!(undone["results"][0]["action"], "device.release", "{undone:#}");
    assert_eq!(up.act("device.lending", json!({})).await["click"], json!(null));

    let told = up.act("command.understand", json!({"text": "which machines can run T001?"})).await;
    assert_eq!(told["looked"][0]["action"], "task.why", "{told:#}");
    assert!(text(&told["text"]).contains("It could take it now, as number 1"), "{told:#}");
    let tagged = up.act("command.understand", json!({"text": "run T001 on machines with a gpu"})).await;
    assert_eq!(tagged["proposals"][0]["input"]["tags"], json!({"gpu": "true"}), "{tagged:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_proposed_more_than_their_role_may_do() {
    let up = machine().await;
    project(&up, "roles", "- [ ] T001 One\n- [ ] T002 Two\n", &format!("approvals = 1\n{PASSES}")).await;
    command_agent(&up, "echo", "echo x > x.txt").await;
    up.do_task("T001", "echo").await;
    let (developer, viewer) = (token(&up, "developer").await, token(&up, "viewer").await);
    for (who, said, may) in [
        (&viewer, "run T002", false),
        (&viewer, "accept T001", false),
        (&viewer, "evict everything", false),
        (&developer, "merge T001", false),
        (&developer, "run T002", true),
    ] {
        let (status, answer) = with_token(&up, who, "command.understand", json!({"text": said})).await;
        assert_eq!((status, answer["proposals"].as_array().unwrap().is_empty()), (200, !may), "{said}: {answer:#}");
        assert!(may || !answer["problems"].as_array().unwrap().is_empty(), "{said}: {answer:#}");
    }
    let (_, answer) = with_token(&up, &viewer, "command.understand", json!({"text": "show patches waiting for review"})).await;
    assert_eq!(answer["items"].as_array().unwrap().len(), 1, "{answer:#}");
    let (_, answer) = with_token(&up, &viewer, "command.understand", json!({"text": "merge T001"})).await;
    assert_eq!(answer["problems"][0]["kind"], "forbidden", "{answer:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_that_changed_since_it_was_shown_is_not_merged() {
    let up = machine().await;
    project(&up, "moved", "- [ ] T001 One\n", PASSES).await;
    command_agent(&up, "echo", "date +%N >> x.txt").await;
    let patch = text(&up.do_task("T001", "echo").await["patch"]);
    let shown = up.act("command.understand", json!({"text": format!("accept patch {patch}")})).await;
    up.ok(&["patch", "review", &patch, "--reject", "-m", "Again."]).await;
    up.do_task("T001", "echo").await;
    let done = up.act("command.run", json!({"conversation": shown["conversation"], "proposals": ["p1"]})).await;
    assert_eq!(done["results"][0]["done"], false, "{done:#}");
    assert!(text(&done["results"][0]["text"]).contains("another commit since it was shown"), "{done:#}");
}
