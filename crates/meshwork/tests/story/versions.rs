//! Devices of neighbouring versions work together; one that is too new is told so and kept out; a data folder of an older Meshwork is
//! brought forward. The other version is this program, told by a test to speak as a newer build would: a higher number, a field in
//! every message and in what messages carry as JSON, in its knock, its announcements and its file in the org repository, and a fact, none
//! of which this version knows.

use crate::{
    support::{PASSES, command_agent, events_of, machine, project, text},
    two::{Two, org},
};
use forge::Forge;
use serde_json::{Value, json};
use std::{fs, path::Path};
use testkit::{Up, age_journal};

/// The kind of the fact that only the newer build knows.
const TOMORROW: &str = "run_of_tomorrow";
/// Where SQLite keeps what `PRAGMA user_version` says (<https://www.sqlite.org/fileformat.html>, 1.3).
const FORM_AT: std::ops::Range<usize> = 60..64;

/// A task of Ada's done on Bob's device, merged; gives the run.
async fn done_at_bobs(two: &Two) -> Value {
    project(&two.ada, "mixed", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    let run = two.start_task("T001", "sh").await;
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}\n{}\n{}", two.ada.run_log(&run).await, two.bob.log());
    assert_eq!(ended["told"]["device"], two.bob_device.as_str(), "every fact was heard, the last one too");
    assert_eq!(ended["checks"][0]["passed"], true, "{ended:#}");
    two.ada.merge(&text(&ended["patch"])).await;
    ended
}

/// Waits until each device hears what the other announces.
async fn in_gossip(two: &Two) {
    for up in [&two.ada, &two.bob] {
        let look = || async {
            let seen = up.ok(&["capacity"]).await;
            if seen.as_array().unwrap().iter().all(|one| one["state"] == "here" || one["state"] == "live") { Ok(()) } else { Err(seen) }
        };
        up.until("the other device is heard", look).await;
    }
}

/// The files of the org's devices, as Bob's device has them.
async fn devices_at_bobs(two: &Two) -> String {
    let (dir, rid) = (org(&two.bob), two.rid.clone());
    let read = move || {
        let forge = Forge::open(&dir.radicle(), &dir.member()).unwrap();
        let files = forge.files(&rid, &forge.org_head(&rid).unwrap(), &["devices/"]).unwrap();
        files.values().map(|content| String::from_utf8_lossy(content)).collect::<String>()
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_device_does_a_task_and_what_only_it_knows_is_lost_nowhere() {
    let two = Two::each_with("", "newer").await;
    in_gossip(&two).await;
    let run = text(&done_at_bobs(&two).await["id"]);

    // The fact stands in its executor's journal, whole; the device that does not know it said so, and went on.
    let kept = events_of(&two.bob, &run, TOMORROW).await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!((&kept[0]["mood"], &kept[0]["version"]), (&json!("hopeful"), &json!(2)));
    assert!(events_of(&two.ada, &run, TOMORROW).await.is_empty());
    assert!(two.ada.log().contains(TOMORROW), "{}", two.ada.log());

    // A journal with an event that is not understood is sound, and made anew; how many there are is said.
    for (up, unknown) in [(&two.ada, 0), (&two.bob, 1)] {
        let verified = up.ok(&["journal", "verify"]).await;
        assert_eq!((&verified["sound"], &verified["unknown"]), (&json!(true), &json!(unknown)), "{verified}");
        let rebuilt = up.ok(&["journal", "rebuild"]).await;
        assert_eq!((&rebuilt["differences"], &rebuilt["unknown"]), (&json!(0), &json!(unknown)), "{rebuilt}");
    }
    let said = two.bob.told(&["journal", "verify"]).await.stdout;
    assert!(said.contains("1 of the events was written by a newer Meshwork"), "{said}");
    assert_eq!(events_of(&two.bob, &run, TOMORROW).await, kept, "as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_device_has_a_task_done_on_one_that_does_not_know_its_version() {
    let two = Two::each_with("newer", "").await;
    in_gossip(&two).await;
    done_at_bobs(&two).await;
    assert_eq!(two.bob.ok(&["journal", "verify"]).await["unknown"], 0);

    // Her device says of itself what Bob's does not know, which hides nothing of the org from his, and stays when the file is changed.
    let devices = two.ada.act("device.list", json!({})).await;
    let hers = text(&devices.as_array().unwrap().iter().find(|device| device["here"] == true).unwrap()["name"]);
    two.ada.ok(&["org", "device", &hers, "--tag", "region=north"]).await;
    let look = || async {
        let said = devices_at_bobs(&two).await;
        if said.contains("of_tomorrow") && said.contains("north") { Ok(()) } else { Err(json!(said)) }
    };
    two.bob.until("Bob's device has what Ada's says of itself", look).await;
    let seen = two.bob.act("org.show", json!({})).await;
    assert!(seen["refused"].is_null(), "{seen:#}");
}

/// What a device says of the other one, once that is `reachable` or not.
async fn of_the_other(up: &Up, reachable: bool) -> Value {
    let look = || async {
        let seen = up.act("device.list", json!({})).await;
        let other = seen.as_array().unwrap().iter().find(|device| device["here"] != true).cloned().unwrap_or_default();
        if other["reachable"] == reachable { Ok(other) } else { Err(seen) }
    };
    up.until("the other device is looked at", look).await
}

/// Starts Bob's device again, as a build of this kind.
async fn again_as(two: &mut Two, fault: &str) {
    two.bob.end().await;
    two.bob.set_now("MESHWORK_TEST_FAULT", fault);
    two.bob.begin().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_understands_only_newer_versions_is_told_so_and_kept_out_until_it_fits() {
    let mut two = Two::start().await;
    project(&two.ada, "apart", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    again_as(&mut two, "newer-only").await;

    // Both say it in one sentence, each with what is to be done where.
    for (up, which) in [(&two.ada, "on this device"), (&two.bob, "on that device")] {
        let look = || async {
            let problem = text(&of_the_other(up, false).await["problem"]);
            if problem.contains("cannot work together") && problem.contains(which) { Ok(()) } else { Err(json!(problem)) }
        };
        up.until("the versions are told apart", look).await;
        let found = up.act("device.doctor", json!({})).await;
        let finding = found.as_array().unwrap().iter().find(|f| f["what"] == "versions").cloned().unwrap_or_default();
        assert_eq!(finding["ok"], false, "{found:#}");
        assert!(text(&finding["next"]).contains("Install a newer Meshwork"), "{finding}");
        assert_eq!(up.run(&["doctor"]).await.code, 7, "what the running process knows counts too");
    }

    // Nothing is placed there: the run waits, and says why.
    let run = two.start_task("T001", "sh").await;
    let waits = two.ada.until_run(&run, "it waits for the device", |seen| seen["reason"]["code"] == "waits_for_device").await;
    let why = text(&waits["reason"]["message"]);
    assert!(why.contains("cannot work together") && why.contains("Install a newer Meshwork"), "{why}");
    // Bob's device may know of it from Ada's journal, and has nothing of its own.
    let (status, seen) = two.bob.call("run.show", json!({ "run": run })).await;
    assert!(status == 404 || !seen["whose"].is_null(), "it was not asked for: {seen:#}");

    // Once both are of versions that fit, the run goes on by itself.
    again_as(&mut two, "").await;
    two.in_touch().await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((&ended["state"], &ended["device"]), (&json!("done"), &json!(two.bob_device)), "{ended:#}");
    let found = two.ada.act("device.doctor", json!({})).await;
    assert!(found.as_array().unwrap().iter().all(|f| f["what"] != "versions"), "{found:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_of_an_older_meshwork_is_brought_forward_and_a_copy_of_before_stays() {
    let mut up = machine().await;
    let stop = up.ok(&["stop", "order", "--everything", "--why", "An incident."]).await;
    let before = up.journal().await.len();
    up.end().await;
    let journal = |folder: &Path| folder.join("orgs/crew/store/journal.db");
    let version = up.data().join("version");
    let newest = fs::read_to_string(&version).unwrap();
    age_journal(&journal(&up.data()));
    fs::write(&version, "1").unwrap();

    up.begin().await;
    assert_eq!(fs::read_to_string(&version).unwrap(), newest);
    let backup = up.data().join("backups/version-1");
    let copy = fs::read(journal(&backup)).unwrap();
    assert_eq!(copy[FORM_AT], 2_u32.to_be_bytes(), "the copy is in the form of before");
    assert!(up.log().contains("was brought from version 1 to 2"), "{}", up.log());
    assert!(up.log().contains(&backup.display().to_string()), "it says where the copy is");
    assert!(up.journal().await.len() > before, "all of it is there");
    assert_eq!(up.ok(&["stop", "list"]).await[0]["order"], stop["order"], "what was halted still is");
    assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    assert_eq!(up.ok(&["journal", "rebuild"]).await["differences"], 0);

    // What is of this version already is left alone.
    let written = fs::metadata(journal(&backup)).unwrap().modified().unwrap();
    up.end().await;
    up.begin().await;
    assert_eq!(fs::metadata(journal(&backup)).unwrap().modified().unwrap(), written);
}
