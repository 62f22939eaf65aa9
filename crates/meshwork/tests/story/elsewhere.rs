//! A task that one device asks for is done on another: real devices, real Radicle, a real engine; only the model is scripted.

use crate::{
    support::{PASSES, beat, clear, command_agent, events_of, have_engine, project, published, text, work},
    two::{BOBS, Two, org},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use testkit::{model::ScriptedModel, random_name};
use tokio::time::Instant;

/// Whether some bytes stand in any file below a folder.
pub fn holds(folder: &Path, needle: &[u8]) -> Option<std::path::PathBuf> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            if let Some(found) = holds(&path, needle) {
                return Some(found);
            }
        } else if kind.is_file() && fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|w| w == needle)) {
            return Some(path);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_another_device_asks_for_is_one_transaction_with_all_that_is_journaled_of_it() {
    let two = Two::start().await;
    project(&two.ada, "lease", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    let run = two.start_task("T001", "sh").await;
    assert_eq!(two.ada.ended(&run).await["state"], "done");
    let mut journal = two.bob.journal().await;
    journal.sort_by_key(|entry| entry["seq"].as_u64());
    let leased = journal.iter().position(|entry| entry["event"]["type"] == "run_leased" && entry["event"]["run"] == run.as_str()).unwrap();
    let about = |entry: &&Value| entry["event"]["run"] == run.as_str() || entry["event"]["run"]["id"] == run.as_str();
    assert_eq!(journal[..leased].iter().filter(about).count(), 0, "one event, and one wait for the disk: {journal:#?}");
    let asked = &journal[leased]["event"]["asked"];
    assert_eq!((&asked["id"], &asked["state"]), (&json!(run), &json!("queued")), "{asked}");
    // The manifest came with it.
    let blob = asked["envelope"].as_str().unwrap();
    let file = org(&two.bob).store().join("blobs").join(&blob[..2]).join(blob);
    two.bob.until("the manifest is a file of its own", async || if file.is_file() { Ok(()) } else { Err(json!(file)) }).await;
    assert!(two.bob.ok(&["journal", "verify"]).await["bad_blobs"].as_array().unwrap().is_empty());
}

/// How many files there are below a folder.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_refused_leaves_no_file_where_it_was_made() {
    let two = Two::start().await;
    project(&two.ada, "refused", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    // There is room; only which work guests may have done speaks against it.
    two.bob.ok(&["lend", "--class", "ci"]).await;
    let blobs = org(&two.bob).store().join("blobs");
    let before = files(&blobs);
    let ended = two.ada.ended(&two.start_task("T001", "sh").await).await;
    assert_eq!((&ended["state"], &ended["reason"]["code"]), (&json!("failed"), &json!("refused")), "{ended:#}");
    assert_eq!(files(&blobs), before, "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_done_on_another_device_with_a_key_that_never_comes_there() {
    let (key, word) = (random_name("sk-real"), random_name("word"));
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let two = Two::start().await;
    if !have_engine(&two.ada, "codex").await {
        return;
    }
    two.ada.run_with(&["credential", "set", "scripted"], &key).await;
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "scripted"];
    two.ada.ok(&[&["agent", "add", "codex", "--engine", "codex"][..], &about].concat()).await;
    let task = format!("- [ ] T001 Write it [[write:{word}.txt={word}]] [[say:Written.]]\n");
    project(&two.ada, "far", &task, PASSES).await;
    two.share().await;

    let run = two.start_task("T001", "codex").await;
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}\n{}\n{}", two.ada.run_log(&run).await, two.bob.log());
    assert_eq!(ended["device"], two.bob_device.as_str());
    assert_eq!(ended["told"]["device"], two.bob_device.as_str());
    assert_eq!(ended["checks"][0]["passed"], true, "{ended:#}");
    assert!(ended["usage"]["calls"].as_u64().unwrap() >= 2, "counted by Ada's gateway: {ended:#}");
    assert!(two.ada.run_log(&run).await.contains("Written."), "the log is with Ada");
    assert_eq!(two.ada.ok(&["task", "show", "T001"]).await["state"]["state"], "in_review");
    assert_eq!(two.bob.act("run.show", json!({ "run": run })).await["state"], "done");

    two.ada.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&two.ada, "far", &format!("{word}.txt")).await.trim(), word);
    assert_eq!(model.keys(), [key.clone()].into(), "only the real key reached the provider");
    let trace = two.ada.ok(&["trace", &run]).await;
    assert!(trace["links"].as_array().unwrap().iter().all(|link| link["verdict"]["verdict"] != "broken"), "{trace:#}");

    // The search finds what is there; the key is with Ada's test only in the model's own memory, and nowhere at Bob's.
    assert!(holds(&two.bob.data(), word.as_bytes()).is_some() || holds(&two.bob.data(), run.as_bytes()).is_some(), "the search works");
    assert_eq!(holds(two.bob.folder(), key.as_bytes()), None);
    for up in [&two.ada, &two.bob] {
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_elsewhere_is_spoken_to_paused_and_stopped_from_the_device_that_asked() {
    let two = Two::start().await;
    let run = two.working("steered").await;
    two.ada.until_logged(&run, "working now.").await;

    two.ada.ok(&["run", "pause", &run]).await;
    two.ada.until_run(&run, "it is paused", |seen| seen["paused"] == true).await;
    let frozen = beat(&two.bob, &run).await;
    two.ada.ok(&["run", "resume", &run]).await;
    let look = || async { if beat(&two.bob, &run).await > frozen { Ok(()) } else { Err(json!(frozen)) } };
    two.ada.until("it goes on", look).await;

    two.ada.ok(&["run", "send", &run, "Mind the gap."]).await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}\n{}", two.bob.log());
    assert_eq!(events_of(&two.ada, &run, "message_delivered").await.len(), 1);
    two.ada.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&two.ada, "steered", "message.txt").await, "Mind the gap.");

    let second = two.start_task("T002", "beat").await;
    two.ada.in_state(&second, "working").await;
    two.ada.until_logged(&second, "working now.").await;
    two.ada.ok(&["run", "stop", &second]).await;
    let ended = two.ada.ended(&second).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("cancelled"), Some("stopped")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stopped_while_its_device_was_away_is_not_published_though_its_agent_was_done_meanwhile() {
    let mut two = Two::start().await;
    let run = two.working("kept").await;
    two.ada.until_logged(&run, "working now.").await;
    two.bob.kill().await;
    let said = two.ada.ok(&["run", "stop", &run]).await;
    assert!(text(&said["message"]).starts_with("The order is kept"), "{said}");
    let shown = two.ada.act("run.show", json!({ "run": run })).await;
    assert!(text(&shown["why"]).contains("once its device has heard that"), "{shown:#}");
    let problem = two.ada.refused(&["task", "run", "T001", "--agent", "beat"], 5).await;
    clear(&problem, "A person stopped that run already");
    // Its runner lives on, and the agent comes to its end.
    let go = work(&two.bob, &run).join("go");
    fs::write(&go, "").unwrap();
    let look = || async { if go.exists() { Err(json!("it goes on")) } else { Ok(()) } };
    two.ada.until("the agent has ended", look).await;
    two.bob.begin().await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("cancelled"), Some("stopped")), "{ended:#}");
    assert!(ended["checkpoint"].is_string() && ended["patch"].is_null(), "{ended:#}\n{}", two.bob.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_device_is_cut_off_within_seconds_and_takes_nothing_more() {
    let two = Two::start().await;
    project(&two.ada, "gone", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    command_agent(&two.ada, "slow", "sleep 100").await;
    two.share().await;
    let run = two.start_task("T002", "slow").await;
    two.ada.in_state(&run, "working").await;
    two.remove_bob().await;
    let removed = Instant::now();
    // Ada's device lists it no more; Bob's own device, which did not hear of it, does not reach hers.
    let look = || async {
        let seen = two.bob.act("device.list", json!({})).await;
        let ada = seen.as_array().unwrap().iter().find(|d| d["here"] != true).cloned();
        match ada {
            Some(ada) if ada["reachable"] == true => Err(ada),
            _ => Ok(()),
        }
    };
    two.bob.until("Bob's device is cut off", look).await;
    assert!(removed.elapsed() < Duration::from_secs(5), "{:?}", removed.elapsed());
    // What it did for Ada is lost at once: its task is free again.
    let lost = two.ada.ended(&run).await;
    assert_eq!((lost["state"].as_str(), lost["reason"]["code"].as_str()), (Some("lost"), Some("vanished")), "{lost:#}");
    let problem = two.ada.refused(&["task", "run", "T001", "--agent", "sh", "--on", BOBS], 4).await;
    assert!(problem["what"].as_str().unwrap().contains(BOBS), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_while_the_device_that_asked_is_away_and_is_followed_again() {
    let mut two = Two::start().await;
    let run = two.working("resumed").await;
    two.ada.kill().await;
    let before = beat(&two.bob, &run).await;
    let look = || async { if beat(&two.bob, &run).await > before { Ok(()) } else { Err(json!(before)) } };
    two.bob.until("it goes on", look).await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    two.bob.ended(&run).await;
    two.ada.begin().await;
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    assert!(two.ada.run_log(&run).await.contains("working now."));
    two.ada.merge(&text(&ended["patch"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_needs_its_gateway_while_that_is_away_is_frozen_saved_and_goes_on() {
    let (key, word) = (random_name("sk-real"), random_name("word"));
    let model = ScriptedModel::requiring(&key).await.unwrap();
    let mut two = Two::start().await;
    if !have_engine(&two.ada, "codex").await {
        return;
    }
    two.ada.run_with(&["credential", "set", "scripted"], &key).await;
    let url = model.base_url();
    let about = ["--model", "scripted-1", "--base-url", &url, "--api", "responses", "--credential", "scripted"];
    two.ada.ok(&[&["agent", "add", "codex", "--engine", "codex"][..], &about].concat()).await;
    let task = format!("- [ ] T001 Write it [[write:{word}.txt={word}]] [[say:Written.]]\n");
    project(&two.ada, "away", &task, PASSES).await;
    two.share().await;
    // Held before the engine starts: so its first call comes while Ada is away.
    let held = crate::support::Held::new(&two.bob, "preparing");
    let run = two.start_task("T001", "codex").await;
    two.ada.in_state(&run, "preparing").await;
    two.ada.kill().await;
    drop(held);
    let waits = |seen: &serde_json::Value| seen["reason"]["code"] == "waits_for_gateway" && seen["paused"] == true;
    two.bob.until_run(&run, "it waits for the gateway", waits).await;
    two.ada.begin().await;
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}\n{}\n{}", two.ada.run_log(&run).await, two.bob.log());
    two.ada.merge(&text(&ended["patch"])).await;
    assert_eq!(published(&two.ada, "away", &format!("{word}.txt")).await.trim(), word);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_disappears_has_lost_its_run_once_the_lease_is_over_and_the_next_waits_for_it() {
    let mut two = Two::with("short-lease").await;
    let run = two.working("vanished").await;
    two.bob.kill().await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("lost"), Some("vanished")), "{ended:#}");
    let look = || async {
        let shown = two.ada.ok(&["task", "show", "T001"]).await;
        let next = text(&shown["runs"][0]["id"]);
        if next == run { Err(shown) } else { Ok(next) }
    };
    let next = two.ada.until("its task is placed again", look).await;
    two.ada.until_run(&next, "it waits for the device", |seen| seen["reason"]["code"] == "waits_for_device").await;
    two.bob.begin().await;
    two.ada.in_state(&next, "working").await;
    assert_eq!(two.ada.act("run.show", json!({ "run": next })).await["continues"], run.as_str());
    fs::write(work(&two.bob, &next).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&next).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_whose_clock_is_a_minute_ahead_works_along_and_both_are_told_what_to_do() {
    let two = Two::each_with("", "clock-ahead").await;
    project(&two.ada, "minute", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    let run = two.start_task("T001", "sh").await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((&ended["state"], &ended["device"]), (&json!("done"), &json!(two.bob_device)), "{ended:#}\n{}", two.bob.log());
    two.ada.merge(&text(&ended["patch"])).await;
    for (up, side) in [(&two.ada, "ahead of"), (&two.bob, "behind")] {
        let found = up.act("device.doctor", json!({})).await;
        let finding = found.as_array().unwrap().iter().find(|f| f["what"] == "clock").cloned().unwrap_or_default();
        assert_eq!(finding["ok"], false, "{found:#}");
        assert!(text(&finding["detail"]).contains(side) && text(&finding["next"]).contains("Set the clocks"), "{finding}");
        let health: Value = up.request(Method::GET, "/health", &up.token(), None).await.json().await.unwrap();
        assert!(text(&health["warnings"][0]).contains(side), "{health:#}");
    }
    let devices = two.ada.act("device.list", json!({})).await;
    let ahead_ms = devices.as_array().unwrap().iter().find_map(|device| device["clock_ahead_ms"].as_i64());
    assert!(ahead_ms.is_some_and(|ms| (50_000..70_000).contains(&ms)), "{devices:#}");
}

/// How soon what is published is to be seen on another device of a LAN.
const SOON: Duration = Duration::from_secs(1);

/// Comments on a patch at Ada's, and says how long it took until Bob's device showed it.
async fn seen_after(two: &Two, patch: &str, body: &str) -> Duration {
    two.ada.act("patch.comment", json!({"patch": patch, "body": body})).await;
    let said = Instant::now();
    // One that is lost at Ada's comes nowhere.
    for (up, whose) in [(&two.ada, "Ada's"), (&two.bob, "Bob's")] {
        let look = || async {
            let (status, seen) = up.call("patch.show", json!({ "patch": patch })).await;
            if status == 200 && seen.to_string().contains(body) { Ok(()) } else { Err(seen) }
        };
        up.until(&format!("“{body}” at {whose}"), look).await;
    }
    said.elapsed()
}

/// The median of three within that time, since a busy machine may hold one up.
fn soon(took: &[Duration], when: &str) {
    assert!(took.len() == 3 && took.iter().filter(|took| **took < SOON).count() >= 2, "{when}: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_in_a_private_project_is_seen_elsewhere_within_a_second_also_after_restarts() {
    let mut two = Two::start().await;
    project(&two.ada, "soon", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    let answer = two.ada.ok(&["task", "run", "T001", "--agent", "sh", "--here"]).await;
    let ended = two.ada.ended(&text(&answer["runs"][0]["run"])).await;
    let patch = text(&ended["patch"]);
    let mut took = vec![];
    for n in 0..3 {
        took.push(seen_after(&two, &patch, &format!("comment {n}")).await);
    }
    soon(&took, "at first");
    // The very first after each restart, as soon as both say that their nodes are connected.
    for (at, here) in [("there", false), ("here", true)] {
        let mut took = vec![];
        for n in 0..3 {
            let up = if here { &mut two.ada } else { &mut two.bob };
            up.kill().await;
            up.begin().await;
            two.by_radicle().await;
            took.push(seen_after(&two, &patch, &format!("restart {n} {at}")).await);
        }
        soon(&took, &format!("after a restart {at}"));
    }
}
