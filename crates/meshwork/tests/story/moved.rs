//! Work that was half done when its machine went moves: it goes on from the checkpoint on another device, whatever becomes of the first.

use crate::{
    mesh::{DESK, Three, sees, with_gpu},
    support::{PASSES, acp_agent, acp_project, beat, events_of, published, text, work},
    two::{BOBS, Two, org},
};
use serde_json::{Value, json};
use std::fs;
use testkit::Up;

/// The run that goes on from another.
async fn after(ada: &Up, run: &str) -> String {
    let look = || async {
        let shown = ada.ok(&["task", "show", "T001"]).await;
        let next = text(&shown["runs"][0]["id"]);
        if next == run { Err(shown) } else { Ok(next) }
    };
    ada.until("its task goes on with a new run", look).await
}

/// A run of Ada's that works at Bob's, where a file is half written; the desk could take it too.
async fn half_done(project: &str) -> (Three, String) {
    let three = Three::start().await;
    with_gpu(&three.bob);
    sees(&three.ada, BOBS, "Bob's device says that it has a GPU", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    acp_project(&three.ada, project, PASSES).await;
    acp_agent(&three.ada, "beat", &[]).await;
    three.share(project).await;
    let run = three.run(&["T001", "--agent", "beat", "--tag", "gpu:true"]).await;
    let seen = three.ada.in_state(&run, "working").await;
    assert_eq!(seen["device"], Three::key(&three.bob).await.as_str(), "{seen:#}");
    beat(&three.bob, &run).await;
    three.ada.until_logged(&run, "working now.").await;
    fs::write(work(&three.bob, &run).join("half.txt"), "first half\n").unwrap();
    with_gpu(&three.desk);
    sees(&three.ada, DESK, "the desk says that it has a GPU", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    (three, run)
}

/// The same of two devices, of which Bob's alone has a GPU.
async fn half_done_at_bobs(two: &Two, project: &str) -> String {
    with_gpu(&two.bob);
    sees(&two.ada, BOBS, "Bob's device says that it has a GPU", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    acp_project(&two.ada, project, PASSES).await;
    acp_agent(&two.ada, "beat", &[]).await;
    two.share().await;
    let answer = two.ada.ok(&["task", "run", "T001", "--agent", "beat", "--tag", "gpu:true"]).await;
    let run = text(&answer["runs"][0]["run"]);
    two.ada.in_state(&run, "working").await;
    beat(&two.bob, &run).await;
    fs::write(work(&two.bob, &run).join("half.txt"), "first half\n").unwrap();
    run
}

/// Waits until a device holds no checkpoint any more.
async fn holds_none(up: &Up) {
    let checkpoints = org(up).radicle().join("checkpoints");
    let look = || async {
        let left = fs::read_dir(&checkpoints).into_iter().flatten().flatten().count();
        if left == 0 { Ok(()) } else { Err(json!(left)) }
    };
    up.until("no checkpoint is left", look).await;
}

/// The work goes on at the desk, with what was half written; it is ended there, and merged.
async fn goes_on_at_the_desk(three: &Three, run: &str, project: &str) -> String {
    let next = after(&three.ada, run).await;
    let seen = three.ada.in_state(&next, "working").await;
    assert_eq!(seen["device"], Three::key(&three.desk).await.as_str(), "{seen:#}");
    beat(&three.desk, &next).await;
    let half = work(&three.desk, &next).join("half.txt");
    let begun = fs::read_to_string(&half).unwrap();
    assert_eq!(begun, "first half\n");
    fs::write(half, format!("{begun}second half\n")).unwrap();
    fs::write(work(&three.desk, &next).join("go"), "").unwrap();
    let done = three.ada.ended(&next).await;
    assert_eq!(done["state"], "done", "{done:#}\n{}", three.desk.log());
    three.ada.merge(&text(&done["patch"])).await;
    assert_eq!(published(&three.ada, project, "half.txt").await, "first half\nsecond half\n");
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_sent_away_goes_on_elsewhere_though_its_first_device_is_dead() {
    let (mut three, run) = half_done("moved").await;
    let bobs = Three::key(&three.bob).await;
    three.ada.ok(&["run", "send", &run, "Mind the gap."]).await;
    three.bob.act("device.reclaim", json!({})).await;
    let ended = three.ada.ended(&run).await;
    assert_eq!(ended["state"], "evicted", "{ended:#}");
    assert!(ended["checkpoint"].is_string() && ended["held"] == ended["checkpoint"], "it is here before its end is told: {ended:#}");
    three.bob.kill().await;

    let next = after(&three.ada, &run).await;
    let seen = three.ada.in_state(&next, "working").await;
    let from = json!({ "run": run, "device": bobs, "commit": ended["checkpoint"] });
    assert_eq!((&seen["from"], seen["continues"].as_str()), (&from, Some(run.as_str())), "{seen:#}");
    assert!(three.ada.told(&["run", "show", &next]).await.stdout.contains("its checkpoint "));
    let told = work(&three.desk, &next).with_file_name("welcome.json");
    assert!(fs::read_to_string(told).unwrap().contains("Mind the gap."), "messages go with it");
    assert_eq!(goes_on_at_the_desk(&three, &run, "moved").await, next);

    // Its work is merged: nobody needs the checkpoint any more, and whoever comes back hears so.
    holds_none(&three.ada).await;
    holds_none(&three.desk).await;
    three.bob.begin().await;
    holds_none(&three.bob).await;
    for up in [&three.ada, &three.desk, &three.bob] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_sent_away_by_name_goes_on_elsewhere_though_its_device_takes_guests_still() {
    let (three, run) = half_done("by-name").await;
    three.bob.act("device.evict", json!({ "run": run })).await;
    assert_eq!(three.ada.ended(&run).await["state"], "evicted");
    goes_on_at_the_desk(&three, &run, "by-name").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_shut_down_leaves_its_guests_work_with_who_asked_for_it() {
    let (mut three, run) = half_done("shut").await;
    three.bob.end().await;
    let ended = three.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), &ended["held"]), (Some("evicted"), &ended["checkpoint"]), "{ended:#}");
    assert!(ended["held"].is_string(), "{ended:#}");
    goes_on_at_the_desk(&three, &run, "shut").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_cannot_be_had_is_waited_for_and_then_left_where_it_is_with_a_word() {
    let two = Two::each_with("short-lease", "checkpoint-kept").await;
    let run = half_done_at_bobs(&two, "left").await;
    with_gpu(&two.ada);
    two.bob.act("device.reclaim", json!({})).await;
    let ended = two.ada.ended(&run).await;
    assert!(ended["state"] == "evicted" && ended["held"].is_null(), "{ended:#}");

    let next = after(&two.ada, &run).await;
    let waits = |seen: &Value| seen["reason"]["code"] == "waits_for_checkpoint" && seen["reason"]["device"] == two.bob_device.as_str();
    two.ada.until_run(&next, "it waits for what was done before", waits).await;
    let seen = two.ada.in_state(&next, "working").await;
    assert!(seen["from"].is_null() && seen["left"]["work"]["commit"] == ended["checkpoint"], "{seen:#}");
    assert!(two.ada.told(&["run", "show", &next]).await.stdout.contains("It begins anew."), "it is said");
    beat(&two.ada, &next).await;
    assert!(!work(&two.ada, &next).join("half.txt").exists());
    assert!(fs::read_dir(org(&two.bob).radicle().join("checkpoints")).unwrap().count() > 0, "what was done stays where it is");
    fs::write(work(&two.ada, &next).join("go"), "").unwrap();
    let done = two.ada.ended(&next).await;
    assert_eq!(done["state"], "done", "{done:#}\n{}", two.ada.log());
    two.ada.merge(&text(&done["patch"])).await;
    holds_none(&two.bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_whose_way_breaks_again_and_again_arrives_whole() {
    let two = Two::each_with("", "checkpoint-breaks").await;
    let run = two.working("broken").await;
    // More than goes through before it breaks: begun anew each time it would never arrive.
    fs::write(work(&two.bob, &run).join("large.bin"), vec![7; 3 << 20]).unwrap();
    two.bob.act("device.reclaim", json!({})).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), &ended["held"]), (Some("evicted"), &ended["checkpoint"]), "{ended:#}\n{}", two.ada.log());
    assert!(ended["held"].is_string(), "{ended:#}");
    assert!(two.ada.log().matches("it goes on from there").count() > 2, "its way broke: {}", two.ada.log());
}

/// A run of Ada's that is half done at Bob's; then Bob's device dies, and she gives the run up while its agent works on alone. Gives the
/// run, and the next one.
async fn given_up(project: &str) -> (Two, String, String) {
    let mut two = Two::each_with("short-lease", "").await;
    let run = half_done_at_bobs(&two, project).await;
    two.bob.kill().await;
    let ended = two.ada.ended(&run).await;
    assert!(ended["state"] == "lost" && ended["checkpoint"].is_null(), "nothing was heard of what it saved: {ended:#}");
    let next = after(&two.ada, &run).await;
    (two, run, next)
}

/// Waits until a device has ended a run of another's by itself, and gives what it saved of it last.
async fn saved_alone(up: &Up, run: &str) -> String {
    let look = || async {
        let moved = events_of(up, run, "run_moved").await;
        let saved = events_of(up, run, "run_checkpointed").await;
        let ended = moved.last().is_some_and(|last| last["to"] == "evicted");
        saved.last().filter(|_| ended).map(|last| text(&last["commit"])).ok_or(json!([moved, saved]))
    };
    up.until("it saved the run and ended it", look).await
}

/// A run of Ada's that was finished at Bob's while her device was dead; then his dies, and hers comes back and gives the run up. Gives the
/// run, its patch, and the next one.
async fn finished_alone(project: &str) -> (Two, String, String, String) {
    let mut two = Two::each_with("short-lease", "").await;
    let run = half_done_at_bobs(&two, project).await;
    two.ada.kill().await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    let done = two.bob.ended(&run).await;
    assert_eq!(done["state"], "done", "{done:#}\n{}", two.bob.log());
    two.bob.kill().await;
    two.ada.begin().await;
    let ended = two.ada.ended(&run).await;
    assert!(ended["state"] == "lost" && ended["patch"].is_null(), "nothing was heard of its end: {ended:#}");
    let next = after(&two.ada, &run).await;
    (two, run, text(&done["patch"]), next)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_finished_alone_is_not_done_again_once_it_is_back() {
    let (mut two, run, patch, next) = finished_alone("finished").await;
    // That it was given up is known after a restart too.
    two.ada.end().await;
    two.ada.begin().await;
    two.bob.begin().await;
    let found = |seen: &Value| seen["state"] == "done" && seen["patch"] == patch.as_str();
    two.ada.until_run(&run, "its end is known", found).await;
    let seen = two.ada.ended(&next).await;
    let why = json!({ "code": "found_done", "run": run, "device": two.bob_device });
    assert_eq!((seen["state"].as_str(), &seen["reason"]), (Some("cancelled"), &why), "{seen:#}\n{}", two.ada.log());
    assert!(events_of(&two.bob, &next, "run_leased").await.is_empty(), "nobody did it");
    let task = two.ada.ok(&["task", "show", "T001"]).await;
    let runs: Vec<&str> = task["runs"].as_array().unwrap().iter().filter_map(|run| run["id"].as_str()).collect();
    assert_eq!((runs.as_slice(), &task["state"]["patch"]), ([next.as_str(), run.as_str()].as_slice(), &json!(patch)), "{task:#}");
    assert!(two.ada.told(&["task", "list"]).await.stdout.contains("in review"));
    two.ada.merge(&patch).await;
    assert_eq!(published(&two.ada, "finished", "half.txt").await, "first half\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_began_before_that_was_known_goes_on_and_both_patches_are_rivals() {
    let (mut two, run, patch, next) = finished_alone("both").await;
    with_gpu(&two.ada);
    two.ada.in_state(&next, "working").await;
    beat(&two.ada, &next).await;
    two.bob.begin().await;
    let known = |seen: &Value| seen["patch"] == patch.as_str();
    let first = two.ada.until_run(&run, "the patch of the first run is known", known).await;
    assert_eq!(first["state"], "lost", "{first:#}");
    assert_eq!(two.ada.act("run.show", json!({ "run": next })).await["state"], "working", "it is not ended for that");
    fs::write(work(&two.ada, &next).join("go"), "").unwrap();
    let done = two.ada.ended(&next).await;
    assert_eq!(done["state"], "done", "{done:#}\n{}", two.ada.log());
    let second = text(&done["patch"]);
    let task = two.ada.ok(&["task", "show", "T001"]).await;
    let rivals: Vec<&str> = task["rivals"].as_array().unwrap().iter().filter_map(|rival| rival["patch"].as_str()).collect();
    assert_eq!(rivals, [second.as_str(), patch.as_str()], "{task:#}");
    let merged = two.ada.merge(&second).await;
    assert_eq!(merged["superseded"], json!([patch]), "{merged:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_stopped_while_its_device_was_away_is_not_begun_again() {
    let mut two = Two::each_with("short-lease", "").await;
    let run = half_done_at_bobs(&two, "stopped").await;
    two.bob.kill().await;
    two.ada.ok(&["run", "stop", &run]).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("cancelled"), Some("stopped")), "{ended:#}");
    let task = two.ada.ok(&["task", "show", "T001"]).await;
    assert_eq!(task["runs"].as_array().map(Vec::len), Some(1), "{task:#}");
    // It is ended there too, once that is known to be there again.
    two.bob.begin().await;
    let ended = two.bob.ended(&run).await;
    assert_eq!(ended["state"], "cancelled", "{ended:#}\n{}", two.ada.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_worked_on_alone_is_asked_for_its_work_before_the_next_run_begins() {
    let (mut two, run, next) = given_up("alone").await;
    two.bob.begin().await;
    let seen = two.ada.in_state(&next, "working").await;
    let saved = saved_alone(&two.bob, &run).await;
    assert_eq!(seen["from"], json!({ "run": run, "device": two.bob_device, "commit": saved }), "{seen:#}\n{}", two.ada.log());
    beat(&two.bob, &next).await;
    assert_eq!(fs::read_to_string(work(&two.bob, &next).join("half.txt")).unwrap(), "first half\n");
    two.ada.ok(&["run", "stop", &next]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_saved_alone_is_told_and_brought_though_the_next_run_began_without_it() {
    let (mut two, run, next) = given_up("late").await;
    with_gpu(&two.ada);
    let seen = two.ada.in_state(&next, "working").await;
    assert!(seen["from"].is_null() && seen["left"].is_null(), "nothing is known of it yet: {seen:#}");
    beat(&two.ada, &next).await;
    two.bob.begin().await;
    two.bob.act("device.reclaim", json!({})).await;
    let saved = saved_alone(&two.bob, &run).await;
    let told = |seen: &Value| seen["left"]["work"] == json!({ "run": run, "device": two.bob_device, "commit": saved });
    two.ada.until_run(&next, "what was saved alone is told", told).await;
    assert!(two.ada.told(&["run", "show", &next]).await.stdout.contains("It begins anew."), "also to a person");
    assert!(two.ada.act("run.show", json!({ "run": run })).await["held"].is_null(), "it takes no other's place while a run goes on");

    two.ada.ok(&["run", "stop", &next]).await;
    two.ada.ended(&next).await;
    two.ada.until_run(&run, "it is brought over", |seen| seen["held"] == saved.as_str()).await;
    let diff = two.ada.act("run.diff", json!({ "run": run })).await;
    assert!(diff["diff"].as_str().unwrap().contains("+first half"), "a person can take it: {diff:#}");
    holds_none(&two.bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_guest_saved_whose_device_never_comes_back_goes_after_a_month_and_not_without_a_word() {
    let mut two = Two::start().await;
    let run = two.working("month").await;
    fs::write(work(&two.bob, &run).join("half.txt"), "first half\n").unwrap();
    two.ada.kill().await;
    two.bob.act("device.reclaim", json!({})).await;
    saved_alone(&two.bob, &run).await;
    let days_later = |days: &str| fs::write(org(&two.bob).root.join("days-later"), days).unwrap();
    let told = |kind: &'static str| {
        let (bob, run) = (&two.bob, &run);
        let look = move || async move { events_of(bob, run, kind).await.pop().ok_or(json!(kind)) };
        two.bob.until(kind, look)
    };
    days_later("28");
    let goes = told("checkpoint_goes").await;
    assert!(goes["why"].as_str().unwrap().contains("30 days"), "{goes:#}");
    let found = two.bob.act("device.doctor", json!({})).await;
    assert!(found.to_string().contains("1 checkpoint of guests will be removed"), "{found:#}");
    assert!(fs::read_dir(org(&two.bob).radicle().join("checkpoints")).unwrap().count() > 0, "it is here still");
    days_later("32");
    let dropped = told("checkpoint_dropped").await;
    assert_eq!(dropped["why"], goes["why"], "{dropped:#}");
    holds_none(&two.bob).await;
    assert_eq!(two.bob.ok(&["journal", "verify"]).await["sound"], true);
}
