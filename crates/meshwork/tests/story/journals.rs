//! Journals are copied between the devices of an org: each shows all of it, also of those that are away, and takes nothing that was
//! not signed by the device whose journal it is.

use crate::{
    support::{Held, PASSES, beat, clear, command_agent, idle, project, text, work},
    two::{BOBS, Two, org},
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use testkit::Up;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// One more device in the org of `owner`, up.
pub async fn joined(owner: &Up, name: &str, args: &[&str], fault: &str) -> Up {
    let mut up = idle().set("MESHWORK_TEST_FAULT", fault).listening();
    up.begin().await;
    owner.let_in(&up, name, &format!("{name}-box"), args).await;
    up
}

pub async fn device(up: &Up) -> String {
    text(&up.ok(&["org", "show"]).await["device"])
}

/// Whether an agent of the org is known at a device.
async fn knows(up: &Up, agent: &str) -> bool {
    let agents = up.act("agent.list", json!({})).await;
    agents.as_array().unwrap().iter().any(|one| one["name"] == agent)
}

/// How the journal of a device stands at another.
async fn copy(up: &Up, device: &str) -> Value {
    let all = up.act("journal.copies", json!({})).await;
    all.as_array().unwrap().iter().find(|one| one["device"] == device).cloned().unwrap_or_default()
}

/// Waits until the copy of a journal is so.
pub async fn until_copy(up: &Up, device: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let fits = &fits;
    let look = || async move {
        let seen = copy(up, device).await;
        if fits(&seen) { Ok(seen) } else { Err(seen) }
    };
    up.until(what, look).await
}

/// Waits until a run is known at a device that has no part in it, and fits.
async fn until_seen(up: &Up, run: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let fits = &fits;
    let look = || async move {
        let (code, seen) = up.call("run.show", json!({ "run": run })).await;
        if code == 200 && fits(&seen) { Ok(seen) } else { Err(seen) }
    };
    up.until(what, look).await
}

/// Waits until devices tell the same of everything.
pub async fn same(ups: &[&Up]) {
    let look = || async {
        let mut hashes = vec![];
        for up in ups {
            hashes.push(up.act("journal.hash", json!({})).await["hash"].clone());
        }
        if hashes.windows(2).all(|two| two[0] == two[1]) { Ok(()) } else { Err(json!(hashes)) }
    };
    ups[0].until("all devices tell the same", look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_devices_show_the_same_org_whoever_is_away_and_whoever_comes_late() {
    let mut two = Two::start().await;
    let mut carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    let (adas, bobs) = (device(&two.ada).await, two.bob_device.to_string());
    let run = two.working("journals").await;
    let carols = device(&carol).await;
    two.ada.ok(&["project", "share", &carols]).await;

    // A run between two others is seen by the third, and its log is read where it lies.
    let seen = until_seen(&carol, &run, "the run at Carol's", |seen| seen["state"] == "working").await;
    assert_eq!((&seen["whose"]["reachable"], &seen["requester"], &seen["device"]), (&json!(true), &json!(adas), &json!(bobs)));
    two.ada.until_logged(&run, "working now.").await;
    carol.until_logged(&run, "working now.").await;
    assert!(carol.ok(&["run", "list"]).await.as_array().unwrap().iter().any(|one| one["id"] == run.as_str()));
    // It is steered where it was asked for; and what is claimed is left to whoever claimed it.
    clear(&carol.refused(&["run", "stop", &run], 5).await, "asked for by the device");
    let look = || async {
        let (code, seen) = carol.call("task.list", json!({})).await;
        let known = knows(&carol, "beat").await;
        if code == 200 && known && seen[0]["whose"]["device"] == adas.as_str() { Ok(seen) } else { Err(seen) }
    };
    let board = carol.until("the board at Carol's", look).await;
    assert_eq!((&board[0]["state"]["state"], &board[0]["state"]["run"]), (&json!("running"), &json!(run)));
    let why = carol.ok(&["task", "why", "T001"]).await;
    assert_eq!((&why["run"], &why["device"], &why["on"]), (&json!(run), &json!(bobs), &json!(bobs)), "{why:#}");
    assert!(text(&why["why"]).starts_with("Its run runs on bobs-box, because a person wanted it there."), "{why:#}");
    clear(&carol.refused(&["task", "run", "T001", "--agent", "beat"], 5).await, "is claimed by the device");
    assert!(carol.refused(&["task", "takeover", "T001"], 3).await["what"].is_string(), "a developer takes nothing over");

    // Carol is away while it ends, and catches up.
    let before = copy(&carol, &adas).await["seq"].as_u64().unwrap();
    carol.kill().await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    carol.begin().await;
    until_seen(&carol, &run, "the end of the run at Carol's", |seen| seen["state"] == "done" && seen["patch"] == ended["patch"]).await;
    let caught_up = until_copy(&carol, &adas, "Ada's journal at Carol's", |seen| seen["state"] == "verified").await;
    assert!(caught_up["seq"].as_u64().unwrap() > before, "{caught_up:#}");
    same(&[&two.ada, &two.bob, &carol]).await;

    // Bob is gone: what he did is still there, and as of when.
    two.bob.kill().await;
    let away = until_copy(&carol, &bobs, "Bob's device is away", |seen| seen["reachable"] == false).await;
    assert!(away["as_of"].is_i64() && away["state"] == "verified", "{away:#}");
    // His journal is searched where it was copied, by his device's name or key.
    for of in [BOBS, bobs.as_str()] {
        let found = carol.act("journal.search", json!({"text": format!("{run} PATCH_PUBLISHED"), "device": of})).await;
        let entries = found["entries"].as_array().unwrap();
        assert!(entries.len() == 1 && entries[0]["event"]["run"] == run.as_str() && found["older"].is_null(), "{found:#}");
    }
    let (code, problem) = carol.call("journal.search", json!({"device": "attic"})).await;
    assert_eq!(code, 404, "{problem}");
    let told = carol.told(&["journal", "copies"]).await.stdout;
    assert!(told.contains("unreachable") && told.contains(BOBS), "{told}");
    let checks = carol.ok(&["run", "list", "--all"]).await;
    let of_bob = checks.as_array().unwrap().iter().find(|one| one["requester"] == bobs.as_str()).cloned().unwrap_or_default();
    assert_eq!((&of_bob["class"], &of_bob["whose"]["reachable"]), (&json!("ci"), &json!(false)), "{checks:#}");

    // Who joins now has his journal too, by those who have it, and the past of all.
    let dave = joined(&two.ada, "dave", &["--role", "developer"], "").await;
    let enough = away["seq"].as_u64();
    until_copy(&dave, &bobs, "Bob's journal at Dave's", |seen| seen["seq"].as_u64() >= enough && seen["reachable"] == false).await;
    until_seen(&dave, &run, "the past at Dave's", |seen| seen["state"] == "done").await;
    // An old log is fetched when somebody looks: from Ada's device, since the one that executed it is away.
    dave.until_logged(&run, "working now.").await;
    let lines = dave.events(&format!("/api/v1/run/{run}/log/events"), None, 3).await;
    assert_eq!(lines.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
    same(&[&two.ada, &carol, &dave]).await;
    two.bob.begin().await;
    until_copy(&dave, &bobs, "Bob's device is back", |seen| seen["reachable"] == true && seen["state"] == "verified").await;
    same(&[&two.ada, &two.bob, &carol, &dave]).await;
    for up in [&two.ada, &two.bob, &carol, &dave] {
        let look = || async {
            let verified = up.ok(&["journal", "verify"]).await;
            let copies = verified["copies"].as_array().unwrap();
            let sound = verified["sound"] == true && copies.len() == 3 && copies.iter().all(|copy| copy["sound"] == true);
            if sound { Ok(()) } else { Err(verified) }
        };
        up.until("all four journals are there, and sound", look).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_removed_device_did_is_the_same_at_whoever_had_it_had_less_of_it_or_comes_late() {
    let mut two = Two::start().await;
    let mut carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    let bobs = two.bob_device.to_string();
    until_copy(&carol, &bobs, "Bob's journal at Carol's", |seen| seen["state"] == "verified").await;
    carol.end().await;
    project(&two.ada, "left", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    let run = two.start_task("T001", "sh").await;
    assert_eq!(two.ada.ended(&run).await["state"], "done");
    two.bob.kill().await;
    until_copy(&two.ada, &bobs, "Bob's device is away", |seen| seen["reachable"] == false).await;
    two.ada.ok(&["org", "remove", "bob", "--why", "left the crew"]).await;

    // Nobody reaches his device any more: Carol's has less of his journal, and Dave's none.
    let whole = copy(&two.ada, &bobs).await;
    carol.begin().await;
    let dave = joined(&two.ada, "dave", &["--role", "developer"], "").await;
    let as_there = |seen: &Value| seen["state"] == "verified" && seen["seq"] == whole["seq"] && seen["hash"] == whole["hash"];
    for up in [&carol, &dave] {
        until_copy(up, &bobs, "all of Bob's journal", as_there).await;
        until_seen(up, &run, "what he did", |seen| seen["state"] == "done" && seen["device"] == bobs.as_str()).await;
    }
    same(&[&two.ada, &carol, &dave]).await;

    // And who lost what only it had from Bob himself has it again from those who have it from there.
    two.ada.end().await;
    fs::remove_dir_all(org(&two.ada).root.join("journals").join(&bobs)).unwrap();
    two.ada.begin().await;
    until_copy(&two.ada, &bobs, "Bob's journal came back to Ada's", as_there).await;
    same(&[&two.ada, &carol, &dave]).await;
}

/// Says that it began, waits, and then says more than all that is between two devices holds: 24 MiB.
const LOUD: &str = "echo began; while ! test -f go; do sleep 0.05; done; rm go; \
                    head -c 25165824 /dev/zero | tr '\\0' x | fold -w 4000; echo x > x.txt";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_a_log_of_another_device_slowly_holds_up_nobody_and_misses_nothing() {
    let two = Two::start().await;
    let carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    project(&two.ada, "loud", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "loud", LOUD).await;
    two.share().await;
    let run = two.start_task("T001", "loud").await;
    two.ada.until_logged(&run, "began").await;
    until_seen(&carol, &run, "the run at Carol's", |seen| seen["state"] == "working").await;

    // Some watch at Carol's, and read nothing for now.
    let log = format!("{}/api/v1/run/{run}/log/events", carol.url());
    let mut watched = vec![];
    for _ in 0..4 {
        watched.push(carol.http().get(&log).bearer_auth(carol.token()).send().await.unwrap().error_for_status().unwrap());
    }
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}");
    // Calls between the two devices go on as ever, as the one that asks whether the other is there.
    let devices = carol.act("device.list", json!({})).await;
    let bobs = devices.as_array().unwrap().iter().find(|one| one["did"] == two.bob_device.as_str()).unwrap();
    assert_eq!(bobs["reachable"], true, "{devices:#}");

    let read = whole(watched.remove(0)).await;
    assert!(read.len() > 24 << 20, "{} bytes", read.len());
    assert!(read.contains("check"), "to its end");
}

/// Reads a log to its end, of which no line may be missing.
async fn whole(log: reqwest::Response) -> String {
    let read = timeout(Duration::from_secs(60), log.text()).await.expect("the log has an end").unwrap();
    let seqs: Vec<u64> = read.lines().filter_map(|line| line.strip_prefix("id:")?.trim().parse().ok()).collect();
    assert!(seqs.first() == Some(&1) && seqs.windows(2).all(|two| two[1] == two[0] + 1), "no line is missing: {seqs:?}");
    assert!(!read.contains("\"truncated\""), "nothing was dropped");
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_full_of_control_characters_comes_whole_to_whoever_asked_for_the_run_and_to_whoever_reads_it() {
    let two = Two::start().await;
    let carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    project(&two.ada, "nul", "- [ ] T001 One\n", PASSES).await;
    // In JSON each has six bytes: together this is more than one message between devices takes.
    command_agent(&two.ada, "nul", "head -c 2097152 /dev/zero; echo; echo that was all; echo x > x.txt").await;
    two.share().await;
    let run = two.start_task("T001", "nul").await;
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "done", "{ended:#}\n{}", two.ada.log());
    until_seen(&carol, &run, "the end of the run at Carol's", |seen| seen["state"] == "done").await;
    for up in [&two.ada, &carol] {
        let log = format!("{}/api/v1/run/{run}/log/events", up.url());
        let read = whole(up.http().get(&log).bearer_auth(up.token()).send().await.unwrap().error_for_status().unwrap()).await;
        assert!(read.len() > 12 << 20 && read.contains("that was all"), "{} bytes", read.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_a_log_in_a_terminal_sees_its_end_also_when_the_device_was_gone_meanwhile() {
    let mut two = Two::start().await;
    let carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    project(&two.ada, "gone", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "slow", "echo began; while ! test -f go; do sleep 0.05; done; rm go; echo that was all; echo x > x.txt").await;
    two.share().await;
    let run = two.start_task("T001", "slow").await;
    two.ada.until_logged(&run, "began").await;
    until_seen(&carol, &run, "the run at Carol's", |seen| seen["state"] == "working").await;
    let mut followed = carol.begun(&["run", "logs", &run, "--follow"]);
    let mut lines = BufReader::new(followed.stdout.take().unwrap()).lines();
    let mut told = vec![];
    while !told.iter().any(|line: &String| line == "began") {
        told.push(timeout(Duration::from_secs(60), lines.next_line()).await.expect("a line comes").unwrap().expect("it goes on"));
    }
    two.bob.kill().await;
    two.bob.begin().await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&run).await["state"], "done", "{}", two.bob.log());
    while let Some(line) = timeout(Duration::from_secs(60), lines.next_line()).await.expect("it has an end").unwrap() {
        told.push(line);
    }
    assert!(told.iter().any(|line| line == "that was all"), "{told:?}");
    assert_eq!(told.iter().filter(|line| *line == "began").count(), 1, "no line comes twice: {told:?}");
    assert!(followed.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_nobody_heard_since_a_start_is_shown_with_when_it_was_there_last() {
    let mut two = Two::start().await;
    let bobs = two.bob_device.to_string();
    until_copy(&two.ada, &bobs, "Bob's journal at Ada's", |seen| seen["as_of"].is_i64()).await;
    two.bob.end().await;
    two.ada.end().await;
    two.ada.begin().await;
    let of_bob = |all: &Value| all.as_array().unwrap().iter().find(|one| one["name"] == BOBS).cloned().unwrap_or_default();
    let room = of_bob(&two.ada.act("device.capacity", json!({})).await);
    assert!(room["state"] == "unheard" && room["seen_at"].is_i64() && room["capacity"].is_null(), "{room:#}");
    let listed = of_bob(&two.ada.act("device.list", json!({})).await);
    assert!(listed["reachable"] == false && listed["heard_at"].is_null() && listed["seen_at"] == room["seen_at"], "{listed:#}");
    for verb in [&["capacity"][..], &["device", "list"]] {
        let told = two.ada.told(verb).await.stdout;
        assert!(told.contains("last seen") && told.contains(BOBS), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_taken_over_by_a_maintainer_alone_and_by_a_signed_event() {
    let two = Two::start().await;
    let carol = joined(&two.ada, "carol", &["--role", "maintainer"], "").await;
    let run = two.working("taken").await;
    beat(&two.bob, &run).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    let adas = device(&two.ada).await;
    two.ada.ok(&["project", "share", &device(&carol).await]).await;
    let look = || async {
        let (code, seen) = carol.call("task.list", json!({})).await;
        let known = knows(&carol, "sh").await;
        if code == 200 && known && seen[0]["whose"]["device"] == adas.as_str() { Ok(()) } else { Err(seen) }
    };
    carol.until("the board at Carol's", look).await;
    clear(&carol.refused(&["task", "run", "T001", "--agent", "sh"], 5).await, "meshwork task takeover T001");
    clear(&carol.refused(&["task", "takeover", "T002"], 5).await, "claimed by no other device");
    carol.ok(&["task", "takeover", "T001"]).await;
    let second = carol.start_task("T001", "sh").await;
    until_seen(&two.ada, &second, "Carol's run at Ada's", |seen| seen["whose"]["device"].is_string()).await;
    // What Ada's device had begun goes on; what comes next at the task is Carol's.
    assert_eq!(two.ada.act("run.show", json!({ "run": run })).await["state"], "working");
    let events = carol.journal().await;
    assert!(events.iter().any(|entry| entry["event"]["type"] == "task_taken_over" && entry["event"]["from"] == json!([adas])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_sends_that_was_not_signed_is_kept_out_and_told() {
    let two = Two::start().await;
    let eve = joined(&two.ada, "eve", &["--role", "developer"], "journal-altered").await;
    let eves = device(&eve).await;
    let wrong = until_copy(&two.ada, &eves, "it is noticed", |seen| seen["state"] == "altered").await;
    assert!(wrong["why"].as_str().unwrap().contains("not what the device signed") && wrong["seq"] == 0, "{wrong:#}");
    assert!(two.ada.log().contains("is not copied any further"), "{}", two.ada.log());
    let doctor = two.ada.act("device.doctor", json!({})).await;
    assert!(doctor.as_array().unwrap().iter().any(|one| one["what"] == "journal of eve-box" && one["ok"] == false), "{doctor:#}");
    let verified = two.ada.ok(&["journal", "verify"]).await;
    let of_eve = verified["copies"].as_array().unwrap().iter().find(|copy| copy["device"] == eves.as_str()).unwrap();
    assert!(verified["sound"] == true && of_eve["sound"] == false && of_eve["events"] == 0, "{verified:#}");
    // Those of the others are as they were, there too: what Eve's device tells harms nobody but itself.
    until_copy(&two.ada, two.bob_device.as_str(), "Bob's journal at Ada's", |seen| seen["state"] == "verified").await;
    let adas = device(&two.ada).await;
    until_copy(&eve, &adas, "Ada's journal at Eve's", |seen| seen["state"] == "verified").await;
    project(&two.ada, "honest", "- [ ] T001 One\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    two.share().await;
    let run = two.start_task("T001", "sh").await;
    assert_eq!(two.ada.ended(&run).await["state"], "done");
    until_seen(&eve, &run, "the run at Eve's", |seen| seen["state"] == "done").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_shows_the_org_by_what_a_device_sums_up_before_its_journal_has_come() {
    let two = Two::each_with("summarised", "").await;
    project(&two.ada, "late", "- [ ] T001 One\n- [x] T002 Two\n", PASSES).await;
    command_agent(&two.ada, "sh", "echo done > done.txt").await;
    assert_eq!(two.ada.ok(&["task", "why", "T002"]).await["why"], "It is ticked on the default branch.");
    let run = two.ada.start_task("T001", "sh").await;
    assert_eq!(two.ada.ended(&run).await["state"], "done");
    let adas = device(&two.ada).await;

    // Nobody gives any of Ada's journal for now.
    let held = [&two.ada, &two.bob].map(|up| Held::new(up, "journal"));
    let carol = joined(&two.ada, "carol", &["--role", "developer"], "").await;
    let seen = until_seen(&carol, &run, "the run at Carol's", |seen| seen["state"] == "done").await;
    assert_eq!(seen["whose"]["device"], adas.as_str(), "{seen:#}");
    let behind = copy(&carol, &adas).await;
    assert_eq!((&behind["state"], &behind["seq"]), (&json!("behind"), &json!(0)), "{behind:#}");

    drop(held);
    let whole = until_copy(&carol, &adas, "Ada's journal at Carol's", |seen| seen["state"] == "verified").await;
    assert!(whole["seq"].as_u64() > Some(0), "{whole:#}");
    until_seen(&carol, &run, "the run at Carol's by the journal", |seen| seen["state"] == "done").await;
    same(&[&two.ada, &two.bob, &carol]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_cannot_be_opened_is_told_by_the_doctor_until_it_can() {
    let mut two = Two::start().await;
    let bobs = two.bob_device.to_string();
    until_copy(&two.ada, &bobs, "Bob's journal at Ada's", |seen| seen["state"] == "verified").await;
    two.ada.end().await;
    let copy = org(&two.ada).root.join("journals").join(&bobs);
    fs::rename(&copy, two.ada.folder().join("aside")).unwrap();
    fs::write(&copy, "").unwrap();
    two.ada.begin().await;
    let ada = &two.ada;
    let told = |wanted: bool| {
        let what = format!("journal of {BOBS}");
        move || {
            let what = what.clone();
            async move {
                let found = ada.act("device.doctor", json!({})).await;
                let finding = found.as_array().into_iter().flatten().find(|one| one["what"] == what.as_str());
                let told = finding.is_some_and(|one| one["ok"] == false && text(&one["detail"]).starts_with("It is not copied here: "));
                if told == wanted { Ok(()) } else { Err(found) }
            }
        }
    };
    two.ada.until("the doctor tells of the copy", told(true)).await;
    fs::remove_file(&copy).unwrap();
    two.ada.until("it is in order again", told(false)).await;
    until_copy(&two.ada, &bobs, "Bob's journal was copied anew", |seen| seen["state"] == "verified").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_to_which_the_journal_does_not_lead_is_dropped_and_told() {
    let two = Two::start().await;
    let eve = joined(&two.ada, "eve", &["--role", "developer"], "summary-wrong").await;
    let eves = device(&eve).await;
    let wrong = until_copy(&two.ada, &eves, "it is noticed", |seen| seen["state"] == "forked").await;
    assert!(wrong["why"].as_str().unwrap().contains("summary"), "{wrong:#}");
    assert!(wrong["seq"].as_u64() > Some(0), "the journal itself is in order: {wrong:#}");
    assert!(two.ada.log().contains("is not copied any further"), "{}", two.ada.log());
}
