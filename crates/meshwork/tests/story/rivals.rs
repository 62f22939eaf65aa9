//! Two devices that could not hear of each other did the same task: one patch is accepted, by a person; the other is a rival of it, and
//! nothing of it is lost.

use crate::{
    gated::gated,
    journals::{device, joined, same},
    support::{PASSES, clear, command_agent, events_of, project, text},
    two::{BOBS, Two},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::Up;

/// Does T001 on this very device, and gives the patch.
pub async fn made(up: &Up) -> String {
    let started = up.ok(&["task", "run", "T001", "--agent", "echo", "--here"]).await;
    let ended = up.ended(&text(&started["runs"][0]["run"])).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    text(&ended["patch"])
}

/// The rivals that something shows.
fn rivals(seen: &Value) -> Vec<Value> {
    seen["rivals"].as_array().cloned().unwrap_or_default()
}

/// Waits until both devices show these patches of T001 as rivals, in these states.
async fn until_rivals(two: &Two, what: &str, wanted: &[(&str, &str)]) {
    for up in [&two.ada, &two.bob] {
        let look = || async {
            let seen = up.act("task.show", json!({"task": "T001"})).await;
            let found = rivals(&seen);
            let shown = |(patch, state): &(&str, &str)| found.iter().any(|rival| rival["patch"] == *patch && rival["state"] == *state);
            if found.len() == wanted.len() && wanted.iter().all(shown) { Ok(()) } else { Err(seen) }
        };
        up.until(what, look).await;
    }
}

/// Waits until Ada's device shows a patch as the word of Bob's, which is reached or not.
pub async fn until_marked(two: &Two, patch: &str, reached: bool) {
    let look = || async {
        let seen = two.ada.act("patch.list", json!({})).await;
        let found = seen.as_array().unwrap().iter().find(|one| one["id"] == patch).map(|one| one["whose"].clone()).unwrap_or_default();
        let known = found["device"] == two.bob_device.as_str() && found["reachable"] == reached && found["as_of"].is_i64();
        if known { Ok(()) } else { Err(seen) }
    };
    two.ada.until("the patch is marked as the word of Bob's device", look).await;
}

/// Waits until a verb is not refused any more, and gives its answer.
pub async fn until_ok(up: &Up, args: &[&str]) -> Value {
    let look = || async {
        let outcome = up.run(args).await;
        if outcome.code == 0 { Ok(outcome.json()) } else { Err(outcome.json()) }
    };
    up.until(&format!("meshwork {args:?} is done"), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_patches_of_a_task_a_person_picks_one_and_the_other_is_closed_as_its_rival() {
    let (mut two, _) = gated().await;
    two.ada.ok(&["org", "role", "bob", "--give", "maintainer"]).await;
    // While one is away the other works: neither knows of the other's claim.
    two.bob.kill().await;
    let first = made(&two.ada).await;
    two.ada.kill().await;
    two.bob.begin().await;
    let second = made(&two.bob).await;
    two.ada.begin().await;
    two.in_touch().await;
    until_rivals(&two, "both patches are shown on both", &[(first.as_str(), "open"), (second.as_str(), "open")]).await;
    for (up, other) in [(&two.ada, &second), (&two.bob, &first)] {
        let look = || async {
            let (code, seen) = up.call("patch.show", json!({ "patch": other })).await;
            if code == 200 && rivals(&seen).len() == 2 { Ok(()) } else { Err(seen) }
        };
        up.until("the other's patch is here, with its rival", look).await;
    }
    let shown = two.ada.act("task.show", json!({"task": "T001"})).await;
    assert!(text(&shown["why"]).contains("a person picks one"), "{shown:#}");
    let requesters: BTreeSet<String> = shown["runs"].as_array().unwrap().iter().map(|run| text(&run["requester"])).collect();
    assert_eq!(requesters.len(), 2, "the runs of both: {shown:#}");
    assert_eq!(rivals(&two.bob.act("task.why", json!({"task": "T001"})).await).len(), 2);

    // A maintainer takes the task over: from then on only that device's patch is accepted, wherever it is merged.
    until_ok(&two.bob, &["task", "takeover", "T001"]).await;
    let look = || async {
        let seen = two.ada.act("task.show", json!({"task": "T001"})).await;
        let over = rivals(&seen).iter().any(|rival| rival["patch"] == first.as_str() && rival["taken_over"] == true);
        if over { Ok(()) } else { Err(seen) }
    };
    two.ada.until("Ada's device knows of the takeover", look).await;
    two.ada.ok(&["patch", "review", &first, "--accept", "-m", "Good."]).await;
    let problem = two.ada.refused(&["patch", "merge", &first], 5).await;
    clear(&problem, "was taken over by");
    clear(&problem, BOBS);
    clear(&problem, "meshwork task takeover T001");
    let shown = two.ada.ok(&["patch", "show", &first]).await;
    let stands = rivals(&shown).iter().find(|rival| rival["patch"] == first.as_str()).map(|rival| rival["standing"].clone());
    assert_eq!((stands, &shown["standing"]), (Some(json!("gate_shut")), &json!("gate_shut")), "one word for it: {shown:#}");
    two.ada.ok(&["patch", "review", &second, "--accept", "-m", "Better."]).await;
    let merged = until_ok(&two.bob, &["patch", "merge", &second]).await;
    assert_eq!((&merged["outcome"], &merged["superseded"]), (&json!("merged"), &json!([first])), "{merged}");
    until_rivals(&two, "one is merged, the other closed", &[(first.as_str(), "archived"), (second.as_str(), "merged")]).await;

    // The record says who picked, and the rival why it was closed.
    let bob = text(&two.bob.ok(&["org", "show"]).await["member"]);
    let look = || async {
        let seen = two.ada.act("task.show", json!({"task": "T001"})).await;
        let picked = rivals(&seen).first().is_some_and(|rival| rival["patch"] == second.as_str() && rival["merged_by"] == bob.as_str());
        if picked { Ok(()) } else { Err(seen) }
    };
    two.ada.until("Ada's device knows who picked", look).await;
    let told = two.ada.told(&["task", "show", "T001"]).await.stdout;
    assert!(told.contains("Rivals") && told.contains("picked by bob"), "{told}");
    let shown = two.ada.ok(&["patch", "show", &first]).await;
    assert!(shown["revisions"].to_string().contains(&format!("Superseded: T001 was done by the patch {second}")), "{shown:#}");
    clear(&two.ada.refused(&["patch", "merge", &first], 5).await, "is closed");

    // Nothing of it is lost: it can be opened again, and is not closed once more; but it is never merged.
    two.ada.ok(&["patch", "reopen", &first]).await;
    let problem = two.ada.refused(&["patch", "merge", &first], 5).await;
    clear(&problem, &format!("T001 is done already: its patch {second} was accepted"));
    clear(&problem, &format!("meshwork patch close {first}"));
    clear(&two.ada.refused(&["task", "takeover", "T001"], 5).await, "is done already");
    until_rivals(&two, "it is open again on both", &[(first.as_str(), "open"), (second.as_str(), "merged")]).await;
    two.ada.ok(&["patch", "close", &first]).await;
    until_rivals(&two, "it is closed on both", &[(first.as_str(), "archived"), (second.as_str(), "merged")]).await;
    same(&[&two.ada, &two.bob]).await;
    for up in [&two.ada, &two.bob] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_up_after_a_start_does_not_begin_while_the_patch_of_another_is_open() {
    let mut two = Two::start().await;
    command_agent(&two.ada, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    let run = two.working("meanwhile").await;
    two.ada.kill().await;
    two.bob.act("device.reclaim", json!({})).await;
    assert_eq!(two.bob.ended(&run).await["state"], "evicted");
    let patch = made(&two.bob).await;
    two.ada.begin().await;
    let waits = || async {
        let next = two.ada.ok(&["task", "show", "T001"]).await["runs"][0]["id"].clone();
        let seen = two.ada.act("run.show", json!({ "run": next })).await;
        let claimed = seen["reason"] == json!({ "code": "claimed_elsewhere", "by": two.bob_device });
        if claimed && next != run.as_str() { Ok(text(&next)) } else { Err(seen) }
    };
    let next = two.ada.until("the next run waits, and says for what", waits).await;
    assert!(events_of(&two.ada, &next, "run_placed").await.is_empty(), "no device was asked for it");
    // Bob's device need not hear that its patch was closed.
    until_ok(&two.ada, &["patch", "show", &patch]).await;
    two.bob.kill().await;
    until_ok(&two.ada, &["patch", "close", &patch]).await;
    two.ada.until_run(&next, "the task is free again", |seen| seen["reason"]["code"] != "claimed_elsewhere").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_at_a_task_that_another_device_took_over_stops_and_says_why() {
    let two = Two::start().await;
    two.ada.ok(&["org", "role", "bob", "--give", "maintainer"]).await;
    project(&two.ada, "queue", "- [ ] T001 One\n- [ ] T002 Two\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > $MESHWORK_TASK.txt").await;
    two.share().await;
    let started = two.ada.ok(&["task", "run", "T001", "T002", "--agent", "sh", "--here"]).await;
    let (done, waits) = (text(&started["runs"][0]["run"]), text(&started["runs"][1]["run"]));
    assert_eq!(two.ada.ended(&done).await["state"], "done");
    let bobs = two.bob_device.to_string();
    until_ok(&two.bob, &["task", "takeover", "T002"]).await;
    let stopped = two.ada.until_run(&waits, "it is off the queue", |seen| seen["state"] == "cancelled").await;
    assert_eq!((&stopped["reason"]["code"], &stopped["reason"]["by"]), (&json!("taken_over"), &json!(bobs)), "{stopped:#}");
    clear(&two.ada.refused(&["task", "run", "T002", "--agent", "sh"], 5).await, &format!("is claimed by the device {BOBS}"));

    // Taken back it goes on here, and no more there.
    let adas = text(&two.ada.ok(&["org", "show"]).await["device"]);
    two.ada.ok(&["task", "takeover", "T002"]).await;
    let look = || async {
        let seen = two.bob.act("task.list", json!({})).await;
        if seen[1]["whose"]["device"] == adas.as_str() { Ok(()) } else { Err(seen) }
    };
    two.bob.until("Bob's device knows that it was taken back", look).await;
    clear(&two.bob.refused(&["task", "run", "T002", "--agent", "sh"], 5).await, "is claimed by the device");
    two.ada.ok(&["patch", "merge", &text(&two.ada.act("run.show", json!({ "run": done })).await["patch"])]).await;
    assert_eq!(two.ada.do_task("T002", "sh").await["state"], "done");
    same(&[&two.ada, &two.bob]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_of_another_device_made_is_marked_as_its_word_and_merged_by_a_delegate_by_what_was_signed() {
    let mut two = Two::start().await;
    two.ada.kill().await;
    two.ada.set_now("MESHWORK_LOG", "info,orchestrator::trace=debug");
    two.ada.begin().await;
    two.in_touch().await;
    project(&two.ada, "open", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    two.share().await;
    until_known(&two.bob).await;
    let patch = made(&two.bob).await;
    assert!(two.bob.act("patch.show", json!({ "patch": patch })).await["whose"].is_null(), "it is its own word there");
    until_marked(&two, &patch, true).await;
    two.bob.kill().await;
    until_marked(&two, &patch, false).await;
    for verb in [&["patch", "list"][..], &["patch", "show", patch.as_str()]] {
        let told = two.ada.told(verb).await.stdout;
        assert!(told.contains("is away"), "{told}");
    }
    two.bob.begin().await;
    until_marked(&two, &patch, true).await;
    until_open(&two.ada, &patch).await;
    let judged = || two.ada.log().lines().filter(|line| line.contains("judging what was signed of a patch")).count();
    let before = judged();
    let merged = two.ada.ok(&["patch", "merge", &patch]).await;
    assert_eq!(merged["outcome"], "merged", "{merged}");
    assert_eq!(judged() - before, 1, "what was signed is judged once for a merge");
    assert!(two.ada.act("patch.show", json!({ "patch": patch })).await["whose"].is_null(), "nobody changes that any more");
    for up in [&two.ada, &two.bob] {
        let look = || async {
            let seen = up.act("task.show", json!({"task": "T001"})).await;
            if seen["state"]["state"] == "merged" { Ok(()) } else { Err(seen) }
        };
        up.until("the task is done on both", look).await;
    }
}

/// Waits until the task and the agent are known on a device.
pub async fn until_known(up: &Up) {
    until_ok(up, &["task", "show", "T001"]).await;
    let known = || async {
        let seen = up.act("agent.list", json!({})).await;
        if seen[0]["name"] == "echo" { Ok(()) } else { Err(seen) }
    };
    up.until("the agent is known", known).await;
}

/// Waits until a patch is here whole, with its gate open.
pub async fn until_open(up: &Up, patch: &str) {
    let open = || async {
        let (code, seen) = up.call("patch.show", json!({ "patch": patch })).await;
        if code == 200 && seen["gate"].to_string().contains("The gate is open") { Ok(()) } else { Err(seen) }
    };
    up.until("the patch is here, and its gate open", open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rival_that_is_heard_of_late_is_closed_by_who_may_and_nobody_else_tries() {
    let mut two = Two::start().await;
    let mut carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    project(&two.ada, "late", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo by $MESHWORK_TASK > $MESHWORK_TASK.txt").await;
    two.share().await;
    two.ada.ok(&["project", "share", &device(&carol).await]).await;
    until_known(&two.bob).await;
    until_known(&carol).await;
    // Carol's device does the task while nobody hears of it.
    two.bob.kill().await;
    two.ada.kill().await;
    let rival = made(&carol).await;
    carol.kill().await;
    two.ada.begin().await;
    two.bob.begin().await;
    let patch = made(&two.bob).await;
    until_open(&two.ada, &patch).await;
    let merged = two.ada.ok(&["patch", "merge", &patch]).await;
    assert_eq!((&merged["outcome"], &merged["superseded"]), (&json!("merged"), &Value::Null), "{merged}");

    // The claim is Bob's, and only Ada, who is the delegate, may close what comes late.
    carol.begin().await;
    for up in [&two.ada, &two.bob, &carol] {
        let look = || async {
            let (_, seen) = up.call("patch.show", json!({ "patch": rival })).await;
            let why = seen["revisions"].to_string().contains("Superseded: ");
            if seen["state"] == "archived" && why { Ok(seen) } else { Err(seen) }
        };
        let closed = up.until("the rival is closed, and says why", look).await;
        assert_eq!(closed["revisions"].to_string().matches("Superseded: ").count(), 1, "{closed:#}");
    }
    for up in [&two.bob, &carol] {
        assert!(!up.log().contains("could not be closed"), "who may not does not try\n{}", up.log());
    }
    same(&[&two.ada, &two.bob, &carol]).await;
}
