//! A device's disk is put back by hand to an earlier moment: it is told so by what the others hold, and goes on with all of it. Where a
//! person puts a backup back, nothing of its journal is fetched again, and what was begun since is over; what its keys had signed since in
//! repositories comes back, and is joined with what they sign now.

use crate::{
    gated::{gated, until_head, until_merged},
    journals::{device, joined, same, until_copy},
    support::{PASSES, acp_agent, acp_project, beat, command_agent, project, text},
    two::Two,
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};
use testkit::Up;

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// A run of Ada's on Bob's device, to its end: its id, and itself.
async fn done_at_bobs(two: &Two, task: &str) -> (String, Value) {
    let run = two.start_task(task, "sh").await;
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    (run, ended)
}

/// The events up to a number, without the incarnation to which they belong.
fn told_up_to(journal: &[Value], seq: u64) -> Vec<(u64, Value)> {
    let numbered = journal.iter().map(|entry| (entry["seq"].as_u64().unwrap(), entry["event"].clone()));
    numbered.filter(|(at, _)| *at <= seq).collect()
}

/// The whole journal of the device itself, by the command line: that waits where the program starts anew.
async fn journal(up: &Up) -> Vec<Value> {
    up.ok(&["journal", "list", "--limit", "1000"]).await.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_was_put_back_by_hand_is_noticed_and_nothing_that_others_held_is_lost() {
    let mut two = Two::start().await;
    project(&two.ada, "kept", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > $MESHWORK_TASK.txt").await;
    two.share().await;
    done_at_bobs(&two, "T001").await;
    let adas = device(&two.ada).await;
    let set = two.ada.run_with(&["credential", "set", "leaked"], "a key").await;
    assert_eq!(set.code, 0, "{set:?}");
    two.ada.end().await;
    let older = two.ada.folder().join("older");
    copy_folder(&two.ada.data(), &older);

    // It goes on, and Bob's device hears of it.
    two.ada.begin().await;
    two.in_touch().await;
    two.ada.ok(&["credential", "remove", "leaked"]).await;
    let (run, lost) = done_at_bobs(&two, "T002").await;
    let before = journal(&two.ada).await;
    let last = before.last().unwrap()["seq"].as_u64().unwrap();
    let old = before.last().unwrap()["incarnation"].as_u64().unwrap();
    until_copy(&two.bob, &adas, "Ada's journal at Bob's", |seen| seen["seq"].as_u64() >= Some(last)).await;
    two.ada.end().await;

    fs::remove_dir_all(two.ada.data()).unwrap();
    copy_folder(&older, &two.ada.data());
    two.ada.begin().await;
    let follows = |seen: &Value| seen["state"] == "verified" && seen["reachable"] == true && seen["incarnation"].as_u64() > Some(old);
    let seen = until_copy(&two.bob, &adas, "Ada's journal goes on at Bob's as a new incarnation", follows).await;
    assert!(seen["why"].is_null(), "nothing is open any more: {seen:#}");

    // She is told, and nothing is lost: what Bob held, and what was written on the older disk meanwhile.
    let verified = two.ada.ok(&["journal", "verify"]).await;
    let mend = &verified["mends"][0]["mended"];
    assert!(verified["sound"] == true && verified["mends"].as_array().unwrap().len() == 1, "{verified:#}");
    let after = mend["after"].as_u64().unwrap();
    assert!(after < last && mend["came_back"].as_u64() >= Some(last - after) && mend["written_here"].as_u64() > Some(0), "{verified:#}");
    let aside = two.ada.data().join("orgs/crew/store/aside").join(mend["aside"].as_str().unwrap());
    assert!(aside.join("journal.db").exists(), "{verified:#}");
    let said = two.ada.told(&["journal", "verify"]).await.stdout;
    assert!(said.contains("put back to event"), "{said}");
    assert!(two.ada.log().contains("put back to an earlier moment"), "{}", two.ada.log());
    let now = journal(&two.ada).await;
    assert_eq!(told_up_to(&now, last), told_up_to(&before, last));
    let of_new = |entry: &&Value| entry["incarnation"].as_u64() > Some(old);
    assert_eq!(now.iter().find(of_new).unwrap()["seq"].as_u64(), Some(after + 1));
    let kept = two.ada.ok(&["run", "show", &run]).await;
    assert_eq!((&kept["state"], &kept["patch"]), (&lost["state"], &lost["patch"]), "{kept:#}");

    // What she had removed is not back.
    let credentials = two.ada.act("credential.list", json!({})).await;
    assert_eq!(credentials, json!([]), "it was taken out of the vault again");
    let told = two.ada.act("device.doctor", json!({})).await;
    assert!(told.as_array().unwrap().iter().any(|one| one["what"] == "credential leaked"), "{told:#}");

    // Both know the same, and go on.
    two.in_touch().await;
    assert!(two.ada.run_log(&run).await.contains("sandbox_ready"), "Bob's device has the log that went with the disk");
    same(&[&two.ada, &two.bob]).await;
    let doctor = two.bob.act("device.doctor", json!({})).await;
    assert!(
        !doctor.as_array().unwrap().iter().any(|one| one["what"].as_str().is_some_and(|what| what.starts_with("journal of "))),
        "{doctor:#}"
    );
    done_at_bobs(&two, "T003").await;
    same(&[&two.ada, &two.bob]).await;
}

/// What the doctor says of kept work.
async fn kept_work(up: &Up) -> Value {
    let found = up.act("device.doctor", json!({})).await;
    found.as_array().unwrap().iter().find(|one| one["what"] == "kept work").cloned().unwrap_or_default()
}

/// Has the small agent work at the first task on this device, and gives the run.
async fn works_here(up: &Up) -> Value {
    let answer = up.ok(&["task", "run", "T001", "--agent", "beat", "--here"]).await;
    let run = text(&answer["runs"][0]["run"]);
    let seen = up.in_state(&run, "working").await;
    beat(up, &run).await;
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_checkpoint_went_with_the_disk_is_begun_anew_with_a_word() {
    let mut two = Two::start().await;
    acp_project(&two.ada, "anew", PASSES).await;
    acp_agent(&two.ada, "beat", &[]).await;
    let adas = device(&two.ada).await;
    two.ada.end().await;
    let older = two.ada.folder().join("older");
    copy_folder(&two.ada.data(), &older);

    two.ada.begin().await;
    two.in_touch().await;
    let run = text(&works_here(&two.ada).await["id"]);
    two.ada.ok(&["run", "stop", &run]).await;
    let ended = two.ada.ended(&run).await;
    assert!(ended["state"] == "cancelled" && ended["held"].is_string(), "{ended:#}");
    let before = journal(&two.ada).await;
    let last = before.last().unwrap();
    let (seq, old) = (last["seq"].as_u64(), last["incarnation"].as_u64());
    until_copy(&two.bob, &adas, "Ada's journal at Bob's", |seen| seen["seq"].as_u64() >= seq).await;
    two.ada.end().await;
    fs::remove_dir_all(two.ada.data()).unwrap();
    copy_folder(&older, &two.ada.data());
    two.ada.begin().await;
    let follows = |seen: &Value| seen["state"] == "verified" && seen["reachable"] == true && seen["incarnation"].as_u64() > old;
    until_copy(&two.bob, &adas, "Ada's journal goes on at Bob's as a new incarnation", follows).await;
    assert_eq!(two.ada.ok(&["run", "show", &run]).await["held"], ended["held"], "the journal names it still");
    let doctor = kept_work(&two.ada).await;
    assert!(text(&doctor["detail"]).contains(&run) && doctor["next"].is_string(), "{doctor:#}");

    let next = works_here(&two.ada).await;
    let work = json!({ "run": run, "device": adas, "commit": ended["checkpoint"] });
    assert!(next["continues"] == run.as_str() && next["from"].is_null() && next["left"]["work"] == work, "{next:#}");
    let shown = two.ada.told(&["run", "show", &text(&next["id"])]).await.stdout;
    assert!(shown.contains("It begins anew.") && shown.contains("disk"), "{shown}");
    let doctor = kept_work(&two.ada).await;
    assert!(!text(&doctor["detail"]).contains(&run), "it is forgotten: {doctor:#}");
}

/// With what backups are locked here.
const PASSPHRASE: &str = "correct horse battery";

/// Backs a device up, and gives the file.
async fn backed_up(up: &Up) -> String {
    let file = up.folder().join("saved.mwb").to_str().unwrap().to_owned();
    let saved = up.run_with(&["backup", &file], PASSPHRASE).await;
    assert_eq!(saved.code, 0, "{saved:?}");
    file
}

/// Two devices, and a run of Ada's that works at Bob's since his device was backed up into a file. Her lease lasts for as long as ever:
/// that his device is off for a while loses nothing.
async fn backed_up_before_it_began(project: &str) -> (Two, String, String) {
    let two = Two::each_with("missing-soon", "").await;
    let file = backed_up(&two.bob).await;
    let run = two.working(project).await;
    (two, run, file)
}

/// Puts the backup back on a device where nothing runs any more.
async fn put_back(up: &mut Up, file: &str) {
    fs::rename(up.data(), up.folder().join("lost")).unwrap();
    let done = up.run_with(&["restore", file], PASSPHRASE).await;
    assert_eq!(done.code, 0, "{done:?}");
    up.begin().await;
}

/// The same at Bob's while Ada's device is off.
async fn put_back_at_bobs(two: &mut Two, file: &str) {
    put_back(&mut two.bob, file).await;
    two.ada.begin().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_its_device_lost_with_its_disk_is_lost_and_its_task_goes_on() {
    let (mut two, run, file) = backed_up_before_it_began("forgotten").await;
    two.ada.kill().await;
    two.bob.pull().await;
    put_back_at_bobs(&mut two, &file).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("lost"), Some("vanished")), "{ended:#}");
    assert!(text(&ended["reason"]["message"]).contains("does not have it any more"), "{ended:#}");
    let look = || async {
        let shown = two.ada.ok(&["task", "show", "T001"]).await;
        if shown["runs"][0]["id"] == run.as_str() { Err(shown) } else { Ok(()) }
    };
    two.ada.until("its task goes on with a new run", look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_its_device_lost_with_its_disk_can_be_stopped() {
    let (mut two, run, file) = backed_up_before_it_began("stopped").await;
    two.bob.pull().await;
    two.ada.ok(&["run", "stop", &run]).await;
    let asked = two.ada.act("run.show", json!({ "run": run })).await;
    assert_eq!(asked["state"], "working", "it has not ended yet: {asked:#}");
    two.ada.kill().await;
    put_back_at_bobs(&mut two, &file).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("cancelled"), Some("stopped")), "{ended:#}");
}

/// How often a run is paused: each time two events more are told than the backup has.
const PAUSES: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_under_a_number_which_was_heard_before_is_lost() {
    let mut two = Two::start().await;
    let run = two.working("renumbered").await;
    let file = backed_up(&two.bob).await;
    for _ in 0..PAUSES {
        for (verb, paused) in [("pause", true), ("resume", false)] {
            two.ada.ok(&["run", verb, &run]).await;
            two.ada.until_run(&run, "it is heard", |seen| seen["paused"] == paused).await;
        }
    }
    two.ada.kill().await;
    two.bob.pull().await;
    put_back_at_bobs(&mut two, &file).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("lost"), Some("vanished")), "{ended:#}");
    assert!(text(&ended["reason"]["message"]).contains("It ended at its device"), "{ended:#}");
}

/// Waits until a device knows of exactly these comments on a patch, by their alphabet.
async fn until_said(up: &Up, patch: &str, said: &[&str]) {
    let look = || async {
        let (_, seen) = up.call("patch.show", json!({ "patch": patch })).await;
        let comments = seen["revisions"][0]["comments"].as_array();
        let mut found: Vec<String> = comments.into_iter().flatten().map(|one| text(&one["body"])).collect();
        found.sort();
        let right = comments.is_some() && found == said;
        if right { Ok(()) } else { Err(seen) }
    };
    up.until(&format!("of the patch was said {said:?}"), look).await;
}

async fn comment(up: &Up, patch: &str, words: &str) {
    up.ok(&["patch", "comment", patch, "-m", words]).await;
}

/// The member of a device comments on a patch, is put back to before that while the other device is off, and comments again, of which a
/// third one hears that knows nothing of the first. Once all have met, each has both.
async fn comments_on_two_lines(back: &mut Up, other: &mut Up, mut third: Option<&mut Up>, patch: &str, before: &[&str]) {
    let said = |since: &[&'static str]| [before, since].concat();
    if let Some(third) = &mut third {
        until_said(third, patch, before).await;
        third.end().await;
    }
    let file = backed_up(back).await;
    comment(back, patch, "one").await;
    until_said(other, patch, &said(&["one"])).await;
    other.end().await;
    back.end().await;
    put_back(back, &file).await;
    if let Some(third) = &mut third {
        third.begin().await;
    }
    until_said(back, patch, before).await;
    comment(back, patch, "two").await;
    if let Some(third) = &third {
        until_said(third, patch, &said(&["two"])).await;
    }
    other.begin().await;
    for up in [Some(&*back), Some(&*other), third.as_deref()].into_iter().flatten() {
        until_said(up, patch, &said(&["one", "two"])).await;
    }

    // It is told on the device that joined them, with what is left to do.
    let member = text(&back.ok(&["org", "show"]).await["member"]);
    let rid = text(&back.act("project.show", json!({})).await["project"]["rid"]);
    let journal = back.journal().await;
    let events = journal.iter().map(|entry| &entry["event"]).filter(|event| event["type"] == "line_rejoined");
    let told: Vec<&Value> = events.filter(|event| event["key"] == member.as_str() && event["repository"] == rid.as_str()).collect();
    assert_eq!(told.len(), 1, "{journal:#?}");
    let event = told[0];
    assert!(event["kept_under"].is_string() && event["ours"] != event["theirs"], "{event:#}");
    assert!(event["aside"].is_null() && event["review_again"].is_null(), "nothing is left to do: {event:#}");
    let doctor = back.act("device.doctor", json!({})).await;
    assert!(!doctor.as_array().unwrap().iter().any(|one| one["what"] == "signed refs"), "{doctor:#}");
}

/// A project that Ada founded, and the patch of its only task, which all of these have.
async fn patch_at(two: &Two, others: &[&Up]) -> String {
    project(&two.ada, "guarded", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "echo", "echo x > x.txt").await;
    for up in others {
        two.ada.ok(&["project", "share", &device(up).await]).await;
    }
    let patch = text(&two.ada.do_task("T001", "echo").await["patch"]);
    for up in others {
        until_said(up, &patch, &[]).await;
    }
    patch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restored_device_signs_comes_to_the_others_with_what_it_had_signed_before() {
    let (mut two, _) = gated().await;
    let patch = text(&two.ada.do_task("T001", "echo").await["patch"]);
    until_said(&two.bob, &patch, &[]).await;
    comments_on_two_lines(&mut two.bob, &mut two.ada, None, &patch, &[]).await;

    // What its member signs from then on counts.
    two.bob.ok(&["patch", "review", &patch, "--accept", "-m", "Good."]).await;
    let merged = until_merged(&two.ada, &patch).await;
    until_head(&two.bob, &merged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_key_of_a_restored_device_is_a_delegates_the_repository_is_fetched_again() {
    let mut two = Two::start().await;
    let patch = patch_at(&two, &[&two.bob]).await;
    comments_on_two_lines(&mut two.ada, &mut two.bob, None, &patch, &[]).await;
    let merged = text(&two.ada.merge(&patch).await["commit"]);
    until_head(&two.bob, &merged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_device_that_has_the_line_which_was_left_follows() {
    let mut two = Two::start().await;
    let mut carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    let patch = patch_at(&two, &[&two.bob, &carol]).await;
    // So the two lines have something in common.
    comment(&two.bob, &patch, "first").await;
    for up in [&two.ada, &two.bob, &carol] {
        until_said(up, &patch, &["first"]).await;
    }
    comments_on_two_lines(&mut two.bob, &mut two.ada, Some(&mut carol), &patch, &["first"]).await;
}
