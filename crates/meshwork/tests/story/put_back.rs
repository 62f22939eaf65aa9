//! A device's disk is put back by hand to an earlier moment: it is told so by what the others hold, and goes on with all of it. Where a
//! person puts a backup back, nothing is fetched again, and what was begun since is over.

use crate::{
    journals::{device, same, until_copy},
    support::{PASSES, command_agent, project, text},
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
    two.ada.end().await;
    let older = two.ada.folder().join("older");
    copy_folder(&two.ada.data(), &older);

    // It goes on, and Bob's device hears of it.
    two.ada.begin().await;
    two.in_touch().await;
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

    // Both know the same, and go on.
    two.in_touch().await;
    same(&[&two.ada, &two.bob]).await;
    let doctor = two.bob.act("device.doctor", json!({})).await;
    assert!(!doctor.as_array().unwrap().iter().any(|one| one["what"] == format!("journal of {adas}")), "{doctor:#}");
    done_at_bobs(&two, "T003").await;
    same(&[&two.ada, &two.bob]).await;
}

/// With what backups are locked here.
const PASSPHRASE: &str = "correct horse battery";

/// Backs Bob's device up, and gives the file.
async fn backed_up(two: &Two) -> String {
    let file = two.bob.folder().join("saved.mwb").to_str().unwrap().to_owned();
    let saved = two.bob.run_with(&["backup", &file], PASSPHRASE).await;
    assert_eq!(saved.code, 0, "{saved:?}");
    file
}

/// Two devices, and a run of Ada's that works at Bob's since his device was backed up into a file. Her lease lasts for as long as ever:
/// that his device is off for a while loses nothing.
async fn backed_up_before_it_began(project: &str) -> (Two, String, String) {
    let two = Two::each_with("missing-soon", "").await;
    let file = backed_up(&two).await;
    let run = two.working(project).await;
    (two, run, file)
}

/// Puts the backup back at Bob's, where nothing runs any more, while Ada's device is off.
async fn put_back_at_bobs(two: &mut Two, file: &str) {
    fs::rename(two.bob.data(), two.bob.folder().join("lost")).unwrap();
    let done = two.bob.run_with(&["restore", file], PASSPHRASE).await;
    assert_eq!(done.code, 0, "{done:?}");
    two.bob.begin().await;
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
    let file = backed_up(&two).await;
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
