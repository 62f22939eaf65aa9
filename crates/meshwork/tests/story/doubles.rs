//! What begins by itself on both sides of a cut counts once: the run that does a conflicting patch's work anew, the checks of one commit,
//! and the merge that they are for.

use crate::{
    gated::{gated, until_head, until_merged},
    journals::same,
    rivals::until_ok,
    support::{PASSES, clear, command_agent, project, text},
    two::{BOBS, Two},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::Up;

/// Two tasks of which each writes the same file, so that the second patch conflicts once the first is merged.
const TWO: &str = "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n";
const SAME: &str = "echo by $MESHWORK_TASK > same.txt";

/// Waits for the end of runs that were started together, and gives their patches.
async fn patches(up: &Up, started: &Value) -> Vec<String> {
    let mut patches = vec![];
    for run in started["runs"].as_array().unwrap() {
        let ended = up.ended(&text(&run["run"])).await;
        assert_eq!(ended["state"], "done", "{ended:#}");
        patches.push(text(&ended["patch"]));
    }
    patches
}

/// The runs of the whole org, those of checks too, that have this field so.
async fn runs(up: &Up, field: &str, value: &Value) -> Vec<Value> {
    let all = up.ok(&["run", "list", "--all"]).await;
    all.as_array().unwrap().iter().filter(|run| run[field] == *value).cloned().collect()
}

/// Waits until a task is merged on a device, and gives it.
async fn until_done(up: &Up, task: &str) -> Value {
    let look = || async {
        let seen = up.act("task.show", json!({ "task": task })).await;
        if seen["state"]["state"] == "merged" { Ok(seen) } else { Err(seen) }
    };
    up.until("the task is merged", look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_begins_on_both_sides_of_a_cut_counts_once() {
    let mut two = Two::start().await;
    two.ada.ok(&["org", "role", "bob", "--give", "maintainer"]).await;
    project(&two.ada, "clash", TWO, PASSES).await;
    command_agent(&two.ada, "same", SAME).await;
    two.share().await;
    // Asked for by Ada's device and executed by Bob's: the journals of both tell of these runs.
    let started = two.ada.ok(&["task", "run", "T001", "T002", "--agent", "same", "--on", BOBS]).await;
    let made = patches(&two.ada, &started).await;
    let head = text(&two.ada.ok(&["patch", "merge", &made[0]]).await["commit"]);
    let look = || async {
        let seen = two.bob.act("project.show", json!({"project": "clash"})).await;
        if seen["head"] == head.as_str() { Ok(()) } else { Err(seen) }
    };
    two.bob.until("the default branch is there", look).await;

    // Both sides of a cut find that the other patch conflicts. Its work is begun anew where it was asked for.
    two.bob.kill().await;
    let begun = two.ada.ok(&["patch", "merge", &made[1]]).await;
    assert_eq!((&begun["outcome"], &begun["paths"]), (&json!("rebasing"), &json!(["same.txt"])), "{begun}");
    two.ada.kill().await;
    two.bob.begin().await;
    let problem = two.bob.refused(&["patch", "merge", &made[1]], 5).await;
    clear(&problem, "conflicts with the default branch in same.txt");
    clear(&problem, "of ada, which asked for its work");
    assert!(runs(&two.bob, "rebase", &json!(true)).await.is_empty(), "nothing begins here");
    two.ada.begin().await;
    two.in_touch().await;
    let anew = two.ada.ended(&text(&begun["run"])).await;
    assert_eq!((&anew["state"], &anew["patch"]), (&json!("done"), &json!(made[1])), "{anew:#}");

    // Both sides of a cut check the commit that it made: where it was executed, and where it is merged.
    two.bob.kill().await;
    let merged = two.ada.ok(&["patch", "merge", &made[1]]).await;
    assert_eq!((&merged["outcome"], &merged["commit"]), (&json!("merged"), &anew["commit"]), "{merged}");
    assert_eq!(text(&merged["gate"]).matches("“there” passed").count(), 1, "{merged}");
    two.bob.begin().await;
    two.in_touch().await;
    for up in [&two.ada, &two.bob] {
        let seen = until_done(up, "T002").await;
        assert!(seen["rivals"].is_null(), "one patch: {seen:#}");
    }
    same(&[&two.ada, &two.bob]).await;
    for up in [&two.ada, &two.bob] {
        let task = up.act("task.show", json!({"task": "T002"})).await;
        assert_eq!(task["runs"].as_array().unwrap().len(), 2, "the first, and one that did it anew: {task:#}");
        assert_eq!(runs(up, "rebase", &json!(true)).await.len(), 1);
        let checks = runs(up, "base", &anew["commit"]).await;
        let by: BTreeSet<String> = checks.iter().map(|run| text(&run["requester"])).collect();
        assert_eq!((checks.len(), by.len()), (2, 2), "each had the commit checked once: {checks:#?}");
        let shown = up.ok(&["patch", "show", &made[1]]).await;
        assert_eq!((shown["revisions"].as_array().unwrap().len(), &shown["standing"]), (2, &json!("merged")), "{shown:#}");
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
    let journal = two.ada.journal().await;
    let told = journal.iter().filter(|entry| entry["event"]["type"] == "patch_merged" && entry["event"]["patch"] == made[1].as_str());
    assert_eq!(told.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gate_finds_in_conflict_is_done_anew_by_the_device_that_asked_for_it() {
    let (two, _) = gated().await;
    two.ada.ok(&["org", "role", "bob", "--give", "maintainer"]).await;
    command_agent(&two.ada, "same", SAME).await;
    let started = until_ok(&two.bob, &["task", "run", "T001", "T002", "--agent", "same", "--here"]).await;
    let made = patches(&two.bob, &started).await;
    for patch in &made {
        until_ok(&two.ada, &["patch", "review", patch, "--accept", "-m", "Good."]).await;
    }
    let first = until_merged(&two.bob, &made[0]).await;
    until_head(&two.bob, &first).await;

    // The gate has the work of others done by nobody, whoever wants it merged there.
    let problem = two.ada.refused(&["patch", "merge", &made[1]], 5).await;
    clear(&problem, "conflicts with the default branch in same.txt");
    clear(&problem, &format!("Merge it on {BOBS} of bob"));
    let begun = until_ok(&two.bob, &["patch", "merge", &made[1]]).await;
    assert_eq!(begun["outcome"], "rebasing", "{begun}");
    let anew = two.bob.ended(&text(&begun["run"])).await;
    assert_eq!((&anew["state"], &anew["patch"]), (&json!("done"), &json!(made[1])), "{anew:#}");
    let look = || async {
        let (_, seen) = two.ada.call("patch.show", json!({ "patch": made[1] })).await;
        if seen["revisions"].as_array().is_some_and(|all| all.len() == 2) { Ok(()) } else { Err(seen) }
    };
    two.ada.until("the second revision is at the gate", look).await;
    two.ada.ok(&["patch", "review", &made[1], "--accept", "-m", "Good."]).await;
    let merged = until_merged(&two.bob, &made[1]).await;
    for up in [&two.ada, &two.bob] {
        until_head(up, &merged).await;
        until_done(up, "T002").await;
    }
    same(&[&two.ada, &two.bob]).await;
    for up in [&two.ada, &two.bob] {
        assert_eq!(runs(up, "rebase", &json!(true)).await.len(), 1);
    }
}
