//! Owner first: a guest's run leaves at once when the machine's owner wants it back, loses nothing, and goes on when it is lent again.

use crate::{
    disk::{gone, runner, signal},
    support::{Held, PASSES, acp_agent, acp_project, beat, events_of, published, text, work},
    two::Two,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use testkit::{Up, memory_of};

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Ada's and Bob's devices, and a run of Ada's that works at Bob's.
async fn guest(project: &str) -> (Two, String) {
    let two = Two::start().await;
    acp_project(&two.ada, project, PASSES).await;
    acp_agent(&two.ada, "beat", &[]).await;
    two.share().await;
    let run = two.start_task("T001", "beat").await;
    two.ada.in_state(&run, "working").await;
    beat(&two.bob, &run).await;
    two.ada.until_logged(&run, "working now.").await;
    (two, run)
}

/// The run that goes on from another that was sent away.
async fn after(two: &Two, run: &str) -> String {
    let look = || async {
        let shown = two.ada.ok(&["task", "show", "T001"]).await;
        let next = text(&shown["runs"][0]["id"]);
        if next == run { Err(shown) } else { Ok(next) }
    };
    let next = two.ada.until("its task goes on with a new run", look).await;
    assert_eq!(two.ada.act("run.show", json!({ "run": next })).await["continues"], run);
    next
}

/// Waits until a run waits for Bob's machine, for a reason with these words.
async fn waits(two: &Two, run: &str, words: &str) {
    let fits = |seen: &Value| seen["reason"]["code"] == "waits_for_room" && seen["reason"]["message"].as_str().unwrap().contains(words);
    two.ada.until_run(run, "it waits for the machine", fits).await;
}

/// Lays a desktop in front of which somebody may be or not: it does not answer.
fn silent_desktop(up: &Up) {
    let lay = |path: &str, text: &str| {
        let file = up.sensors().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    };
    let busctl = lay("usr/bin/busctl", "#!/bin/sh\nexec sleep 10\n");
    fs::set_permissions(busctl, fs::Permissions::from_mode(0o755)).unwrap();
    lay("run/systemd/sessions/2", "ACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\nSEAT=seat0\n");
}

/// Lays what the kernel says of a laptop's battery.
fn battery(up: &Up, status: &str) {
    let folder = up.sensors().join("sys/class/power_supply/BAT0");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in [("type", "Battery\n"), ("capacity", "62\n"), ("status", status)] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_sends_a_guest_away_within_a_second_and_its_work_goes_on_when_the_machine_is_lent_again() {
    let (two, run) = guest("clicked").await;
    fs::write(work(&two.bob, &run).join("half.txt"), "half done").unwrap();
    silent_desktop(&two.bob);
    let lent = two.bob.ok(&["lend", "--while-present", "off"]).await;
    assert_eq!((lent["guests"].as_u64(), lent["reclaimed"].is_null(), lent["policy"]["guests"].as_bool()), (Some(1), true, Some(true)));

    let folder = work(&two.bob, &run).parent().unwrap().to_owned();
    let taken = memory_of(&folder);
    assert!(taken > 1 << 20, "the guest has {taken} bytes of memory");
    let clicked = now_ms();
    two.bob.act("device.reclaim", json!({})).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("evicted"), Some("evicted")), "{ended:#}");
    assert!(ended["reason"]["message"].as_str().unwrap().contains("owner"), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    let paused = events_of(&two.bob, &run, "run_paused").await;
    let frozen_ms = paused[0]["at"].as_i64().unwrap() - clicked;
    assert!(paused[0]["paused"] == true && frozen_ms < 1_000, "frozen after {frozen_ms} ms: {paused:#?}");
    assert_eq!(paused.len(), 1, "it is told once: {paused:#?}");
    let there = two.bob.act("run.show", json!({ "run": run })).await;
    let gone_ms = there["ended_at"].as_i64().unwrap() - clicked;
    assert!(gone_ms < 30_000, "gone after {gone_ms} ms");
    assert_eq!(two.bob.act("device.pods", json!({})).await, json!([]));
    let look = || async { if memory_of(&folder) == 0 { Ok(()) } else { Err(json!(memory_of(&folder))) } };
    two.bob.until("its memory is free", look).await;
    let free_ms = now_ms() - clicked;
    assert!(free_ms < 30_000, "its memory was free after {free_ms} ms");

    let next = after(&two, &run).await;
    waits(&two, &next, "wants it for themselves").await;
    assert_eq!(two.bob.ok(&["lend"]).await["reclaimed"]["code"], "asked");

    two.bob.ok(&["release"]).await;
    two.ada.in_state(&next, "working").await;
    beat(&two.bob, &next).await;
    assert_eq!(fs::read_to_string(work(&two.bob, &next).join("half.txt")).unwrap(), "half done");
    fs::write(work(&two.bob, &next).join("go"), "").unwrap();
    let done = two.ada.ended(&next).await;
    assert_eq!(done["state"], "done", "{done:#}\n{}", two.bob.log());
    two.ada.merge(&text(&done["patch"])).await;
    assert_eq!(published(&two.ada, "clicked", "half.txt").await, "half done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_paused_is_not_placed_after_an_eviction_until_a_person_lets_it_go_on() {
    let (two, run) = guest("paused").await;
    two.ada.ok(&["run", "pause", &run]).await;
    two.bob.act("device.evict", json!({ "run": run })).await;
    assert_eq!(two.ada.ended(&run).await["state"], "evicted");
    let next = after(&two, &run).await;
    let waits = |seen: &Value| seen["state"] == "queued" && seen["paused"] == true && seen["reason"]["code"] == "paused";
    let seen = two.ada.until_run(&next, "it waits paused", waits).await;
    assert!(seen["why"].as_str().unwrap().contains("Paused by ada"), "{seen:#}");
    two.ada.ok(&["run", "resume", &next]).await;
    // Bob's machine takes it again when it was away from there for a while.
    two.ada.until_run(&next, "it is not paused any more", |seen| seen["paused"] == false && seen["reason"]["code"] != "paused").await;
    two.ada.ok(&["run", "stop", &next]).await;
    two.ada.ended(&next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_frozen_before_the_journal_takes_its_end_and_goes_on_where_that_never_came_into_it() {
    let (mut two, run) = guest("unwritten").await;
    // As a disk that is slow.
    let held = Held::new(&two.bob, "evicted");
    two.bob.act("device.reclaim", json!({})).await;
    let frozen = two.bob.until_run(&run, "it is frozen", |seen| seen["paused"] == true).await;
    assert!(frozen["ending"].is_null(), "{frozen:#}");
    let mark = work(&two.bob, &run).parent().unwrap().join("frozen");
    let look = || async { if mark.exists() { Ok(()) } else { Err(json!("no mark")) } };
    two.bob.until("it is noted that the owner froze it", look).await;
    two.bob.kill().await;

    // Nobody wants the machine any more when it is back.
    fs::remove_file(two.bob.data().join("lend-click.json")).unwrap();
    drop(held);
    let beats = beat(&two.bob, &run).await;
    two.bob.begin().await;
    let look = || async { if beat(&two.bob, &run).await > beats { Ok(()) } else { Err(json!(beats)) } };
    two.bob.until("the guest goes on", look).await;
    two.bob.until_run(&run, "it does not count as paused", |seen| seen["paused"] == false).await;
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&run).await["state"], "done", "{}", two.bob.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_whose_repository_is_still_being_fetched_leaves_at_once() {
    let two = Two::start().await;
    acp_project(&two.ada, "fetching", PASSES).await;
    acp_agent(&two.ada, "beat", &[]).await;
    two.share().await;
    let _held = Held::new(&two.bob, "fetch");
    let run = two.start_task("T001", "beat").await;
    two.ada.in_state(&run, "starting").await;
    two.bob.act("device.reclaim", json!({})).await;
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("evicted"), Some("evicted")), "{ended:#}");
    assert_eq!(two.bob.act("device.pods", json!({})).await, json!([]));
    waits(&two, &after(&two, &run).await, "wants it for themselves").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_was_leaving_when_the_machine_crashed_is_gone_within_the_grace_once_it_is_back() {
    let (mut two, run) = guest("crashed").await;
    fs::write(work(&two.bob, &run).join("half.txt"), "half done").unwrap();
    // One that cannot even be frozen.
    let runner = runner(&two.bob, &run);
    signal(runner, Signal::STOP);
    two.bob.act("device.reclaim", json!({})).await;
    two.bob.until_run(&run, "it is to leave", |seen| seen["ending"]["code"] == "evicted").await;
    two.bob.act("device.lend", json!({ "grace_s": 1 })).await;
    two.bob.kill().await;

    two.bob.begin().await;
    let back = Instant::now();
    gone(&two.bob, runner).await;
    // A runner that says nothing would be waited for longer.
    assert!(back.elapsed() < Duration::from_secs(12), "gone after {:?}", back.elapsed());
    let ended = two.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("evicted"), Some("evicted")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_battery_guests_are_sent_away_until_their_host_lends_the_machine_all_the_same() {
    let (two, run) = guest("unplugged").await;
    battery(&two.bob, "Charging\n");
    let look = || async {
        let seen = two.bob.ok(&["lend"]).await;
        if seen["condition"]["on_battery"] == false { Ok(()) } else { Err(seen) }
    };
    two.bob.until("its battery is seen", look).await;
    let beats = beat(&two.bob, &run).await;
    let look = || async { if beat(&two.bob, &run).await > beats { Ok(()) } else { Err(json!(beats)) } };
    two.bob.until("the guest goes on", look).await;

    battery(&two.bob, "Discharging\n");
    let ended = two.ada.ended(&run).await;
    assert_eq!(ended["state"], "evicted", "{ended:#}");
    assert!(ended["reason"]["message"].as_str().unwrap().contains("battery"), "{ended:#}");
    let lent = two.bob.ok(&["lend"]).await;
    assert_eq!((lent["reclaimed"]["code"].as_str(), lent["condition"]["battery_percent"].as_u64()), (Some("battery"), Some(62)));
    let next = after(&two, &run).await;
    waits(&two, &next, "battery").await;

    two.bob.ok(&["release", "--for", "1h"]).await;
    two.ada.in_state(&next, "working").await;
    beat(&two.bob, &next).await;
    fs::write(work(&two.bob, &next).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&next).await["state"], "done", "{}", two.bob.log());
    two.bob.ok(&["reclaim", "--for", "30m"]).await;
    let lent = two.bob.ok(&["lend"]).await;
    assert_eq!((lent["click"]["said"].as_str(), lent["reclaimed"]["code"].as_str()), (Some("reclaimed"), Some("asked")), "{lent}");
    assert!(lent["click"]["until"].as_i64().unwrap() > now_ms());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_read_takes_no_guests_until_it_is_mended_and_one_without_guests_has_what_was_begun_wait() {
    let two = Two::start().await;
    acp_project(&two.ada, "policy", PASSES).await;
    acp_agent(&two.ada, "beat", &[]).await;
    two.share().await;
    let policy = two.bob.data().join("lend.toml");
    fs::write(&policy, "guests = true\nslots = \"many\"\n").unwrap();
    let found = two.bob.run(&["doctor"]).await.json();
    let finding = found.as_array().unwrap().iter().find(|f| f["what"] == "lend policy").cloned().unwrap();
    assert!(finding["ok"] == false && finding["detail"].as_str().unwrap().contains("Line 2"), "{finding}");
    assert!(two.bob.ok(&["lend"]).await["broken"]["what"].is_string());
    let health: Value = two.bob.request(reqwest::Method::GET, "/health", &two.bob.token(), None).await.json().await.unwrap();
    let warned = |warning: &Value| warning.as_str().is_some_and(|said| said.starts_with("lend policy: ") && said.contains("Line 2"));
    assert!(health["warnings"].as_array().unwrap().iter().any(warned), "{health:#}");
    let run = two.start_task("T001", "beat").await;
    waits(&two, &run, "cannot be read").await;
    two.bob.refused(&["lend", "--slots", "2"], 2).await;
    fs::remove_file(&policy).unwrap();
    two.ada.in_state(&run, "working").await;
    beat(&two.bob, &run).await;

    // Its host changes their mind: who is there is sent away, and waits for them to change it again.
    let lent = two.bob.ok(&["lend", "--guests", "off", "--tag", "gpu:true"]).await;
    assert_eq!((lent["policy"]["guests"].as_bool(), lent["reclaimed"]["code"].as_str()), (Some(false), Some("never")));
    assert_eq!(two.bob.act("device.capacity", json!({})).await[0]["capacity"]["tags"]["gpu"], "true");
    assert_eq!(two.ada.ended(&run).await["state"], "evicted");
    let next = after(&two, &run).await;
    waits(&two, &next, "takes no guests").await;
    two.bob.ok(&["lend", "--guests", "on"]).await;
    two.ada.in_state(&next, "working").await;
    two.bob.ok(&["lend", "--guests", "off"]).await;
    assert_eq!(two.ada.ended(&next).await["state"], "evicted");
    let last = after(&two, &next).await;
    waits(&two, &last, "takes no guests").await;
    two.ada.ok(&["run", "stop", &last]).await;
    // What begins anew is told at once.
    let anew = two.start_task("T002", "beat").await;
    let refused = two.ada.ended(&anew).await;
    assert_eq!((refused["state"].as_str(), refused["reason"]["code"].as_str()), (Some("failed"), Some("refused")), "{refused:#}");
    assert!(refused["reason"]["message"].as_str().unwrap().contains("takes no guests"), "{refused:#}");
}

/// A whole day of the week that is neither today nor next to it, wherever on earth this runs.
fn another_day() -> String {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    // The first day of 1970 was a Thursday.
    let today = now_ms() / 86_400_000 + 3;
    format!("{} 00:00-24:00", DAYS[usize::try_from((today + 3) % 7).unwrap()])
}

/// Has a cause come to the owner's machine, or pass.
async fn cause(up: &Up, code: &str, comes: bool) {
    let lay = |path: &str, text: &str| {
        let file = up.sensors().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    match (code, comes) {
        ("lid", true) => lay("proc/acpi/button/lid/LID0/state", "state:      closed\n"),
        ("lid", false) => lay("proc/acpi/button/lid/LID0/state", "state:      open\n"),
        ("present", true) => {
            lay("dev/tty2", "");
            lay("run/systemd/sessions/2", "ACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=tty\nCLASS=user\nSEAT=seat0\nTTY=tty2\n");
        }
        ("present", false) => fs::remove_file(up.sensors().join("run/systemd/sessions/2")).unwrap(),
        (_, true) => drop(up.act("device.lend", json!({ "hours": [another_day()] })).await),
        (_, false) => drop(up.act("device.lend", json!({ "hours": [] })).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_lid_its_owner_at_it_and_another_hour_each_send_a_guest_away_until_they_pass() {
    let (two, mut run) = guest("causes").await;
    two.bob.ok(&["lend", "--while-present", "off"]).await;
    fs::write(work(&two.bob, &run).join("half.txt"), "half done").unwrap();
    for (code, words) in [("lid", "lid is closed"), ("present", "owner is at it"), ("hours", "hour")] {
        cause(&two.bob, code, true).await;
        let begun = now_ms();
        let ended = two.ada.ended(&run).await;
        assert_eq!((ended["state"].as_str(), ended["reason"]["code"].as_str()), (Some("evicted"), Some("evicted")), "{code}: {ended:#}");
        assert!(ended["reason"]["message"].as_str().unwrap().contains(words) && ended["checkpoint"].is_string(), "{code}: {ended:#}");
        let lent = two.bob.ok(&["lend"]).await;
        assert_eq!(lent["reclaimed"]["code"], code);
        let (seen, frozen) = (lent["since"].as_i64().unwrap(), events_of(&two.bob, &run, "run_paused").await[0]["at"].as_i64().unwrap());
        // A second from when it is seen; it is looked twice a second, and a busy machine may be late with the look.
        assert!(frozen - seen < 1_000, "{code}: frozen {} ms after it was seen", frozen - seen);
        assert!(frozen - begun < 2_000, "{code}: frozen after {} ms", frozen - begun);
        let next = after(&two, &run).await;
        waits(&two, &next, words).await;
        cause(&two.bob, code, false).await;
        two.ada.in_state(&next, "working").await;
        beat(&two.bob, &next).await;
        assert_eq!(fs::read_to_string(work(&two.bob, &next).join("half.txt")).unwrap(), "half done", "{code}");
        run = next;
    }
    fs::write(work(&two.bob, &run).join("go"), "").unwrap();
    assert_eq!(two.ada.ended(&run).await["state"], "done", "{}", two.bob.log());
}
