//! The whole story of a mesh in the lab: tasks land by tag and room, an owner comes back, a wire is pulled, machines are, and the server
//! is away meanwhile; once all is healed everybody tells the same, and nothing went past the tailnet.

use crate::{
    common::{text, until},
    three::{BOB, DESK, LAPTOP, Three},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};
use testkit::{Up, tailnet::inside};

/// How much each machine says at the least to the others through its TUN device.
const SAID_BYTES: u64 = 100_000;
/// How soon, once Ada's machine and Bob's hear each other again, he sees what was published meanwhile: about a second is expected, and five
/// times that is given. Whose key is the larger calls as soon as it hears the other, and else the other a second later; a call takes half a
/// second, and up to 2 s more where the mesh was just trying to connect when the link came back; the org repository and the project are
/// fetched one after the other, in 0.1 s each; and three machines share one computer.
const SEEN_AFTER_HEALING: Duration = Duration::from_secs(5);
/// How long it may take at the worst until what one publishes is seen by another to whom it is connected.
const PUBLISHED_WORST: Duration = Duration::from_secs(3);
/// The task that Bob does on his own.
const BOBS: &str = "T005";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_machines_of_two_owners_work_as_one_whatever_is_cut_or_pulled() {
    let Some(mut three) = Three::start().await else { return };
    let run = tasks_land_where_they_should_and_it_is_told_why(&three).await;
    the_owners_return_moves_a_run_with_its_work(&three, &run).await;
    work_goes_on_on_both_sides_of_a_cut(&three).await;
    // A machine that is pulled loses its TUN device, and what that counted.
    let said: Vec<u64> = (0..3).map(|machine| three.lab.tun_bytes(machine)).collect();
    assert!(said.iter().all(|bytes| *bytes > SAID_BYTES), "what they said went through their TUN devices: {said:?}");
    a_pulled_machine_stops_only_what_ran_there(&mut three).await;
    each_task_has_one_patch_and_all_tell_the_same(&three).await;
    nothing_went_past_the_tailnet(&three);
}

/// Gives the run that has Bob's machine then.
async fn tasks_land_where_they_should_and_it_is_told_why(three: &Three) -> String {
    let (ada, desk) = (three.ada(), &three.ups[DESK]);
    three.bob().ok(&["lend", "--slots", "1", "--while-present", "off", "--tag", "gpu:true", "--tag", "roomy:true"]).await;
    desk.ok(&["lend", "--tag", "roomy:true"]).await;
    let tags = |one: &Value| one["capacity"]["tags"].clone();
    three.sees(BOB, "Bob's machine says that it has a GPU", |one| tags(one)["gpu"] == "true" && tags(one)["roomy"] == "true").await;
    three.sees(DESK, "the desk says that it is roomy", |one| tags(one)["roomy"] == "true").await;

    let why = ada.ok(&["task", "why", "T001", "--agent", "slow", "--tag", "gpu:true"]).await;
    assert_eq!(why["decision"]["order"], json!([three.devices[BOB].key]), "{why:#}");
    let (by_tag, at) = three.working("T001", &["--tag", "gpu:true"]).await;
    assert_eq!(at, BOB, "only that has the tag");
    let why = ada.ok(&["task", "why", "T001"]).await;
    assert_eq!(why["device"], three.devices[BOB].key.as_str(), "{why:#}");
    for other in [LAPTOP, DESK] {
        let refusals = &three.of(&why, other)["refusals"];
        assert_eq!(*refusals, json!([{"code": "tag", "tag": "gpu", "wanted": "true", "has": null}]), "{why:#}");
    }

    three.sees(BOB, "Bob's machine says that its slot is taken", |one| one["capacity"]["slots_free"] == 0).await;
    let (by_room, at) = three.working("T002", &["--tag", "roomy:true"]).await;
    assert_eq!(at, DESK, "the other has no slot");
    let why = ada.ok(&["task", "why", "T002"]).await;
    assert_eq!(why["device"], three.devices[DESK].key.as_str(), "{why:#}");
    assert_eq!((three.codes(&why, BOB), three.codes(&why, LAPTOP)), (vec!["no_slot".to_owned()], vec!["tag".to_owned()]), "{why:#}");
    three.done(DESK, &by_room).await;
    by_tag
}

/// Lays what logind says of somebody who types at the machine now.
fn owner_comes(up: &Up) {
    let (tty, sessions) = (up.sensors().join("dev/tty2"), up.sensors().join("run/systemd/sessions"));
    for folder in [tty.parent().unwrap(), &sessions] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(tty, "").unwrap();
    fs::write(sessions.join("2"), "ACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=tty\nCLASS=user\nSEAT=seat0\nTTY=tty2\n").unwrap();
}

/// Nobody is logged in any more, on a machine that has been on for long.
fn owner_goes(up: &Up) {
    fs::create_dir_all(up.sensors().join("proc")).unwrap();
    fs::write(up.sensors().join("proc/uptime"), "9000.00 1.00\n").unwrap();
    fs::remove_file(up.sensors().join("run/systemd/sessions/2")).unwrap();
}

async fn the_owners_return_moves_a_run_with_its_work(three: &Three, run: &str) {
    let (ada, bob) = (three.ada(), three.bob());
    fs::write(three.work(BOB, run).join("half.txt"), "half done\n").unwrap();
    three.ups[DESK].ok(&["lend", "--tag", "gpu:true"]).await;
    three.sees(DESK, "the desk has a GPU too", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    owner_comes(bob);
    let ended = ada.ended(run).await;
    assert_eq!((&ended["state"], &ended["reason"]["code"]), (&json!("evicted"), &json!("evicted")), "{ended:#}");
    assert!(ended["checkpoint"].is_string(), "{ended:#}");
    assert_eq!(bob.ok(&["lend"]).await["reclaimed"]["code"], "present");

    let next = three.after("T001", run).await;
    assert_eq!(three.at(&next).await, DESK, "it went where there is a GPU, and no owner");
    three.sees(BOB, "that its owner is back is known", |one| one["reclaimed"]["code"] == "present").await;
    let why = ada.ok(&["task", "why", "T001"]).await;
    assert!(three.codes(&why, BOB).contains(&"reclaimed".to_owned()), "{why:#}");
    let done = three.done(DESK, &next).await;
    let diff = text(&ada.act("patch.diff", json!({"patch": done["patch"]})).await["diff"]);
    assert!(diff.contains("+T001") && diff.contains("+half done"), "what was written before it moved is in the patch: {diff}");

    owner_goes(bob);
    let lent = || async {
        let seen = bob.ok(&["lend"]).await;
        if seen["reclaimed"].is_null() { Ok(()) } else { Err(seen) }
    };
    bob.until("Bob's machine is lent again", lent).await;
}

async fn state(up: &Up, run: &str) -> String {
    text(&up.act("run.show", json!({ "run": run })).await["state"])
}

async fn work_goes_on_on_both_sides_of_a_cut(three: &Three) {
    let (ada, bob) = (three.ada(), three.bob());
    let (there, _) = three.working("T003", &["--on", &three.devices[BOB].name]).await;
    let (here, _) = three.working("T004", &["--on", &three.devices[DESK].name]).await;
    three.lab.cut(BOB);
    three.out_of_touch(LAPTOP, &[BOB]).await;
    three.out_of_touch(BOB, &[LAPTOP, DESK]).await;

    three.counts_on(BOB, &there).await;
    three.counts_on(DESK, &here).await;
    let missed = text(&three.done(DESK, &here).await["patch"]);
    three.go(BOB, &there);
    assert_eq!(bob.ended(&there).await["state"], "done", "{}", bob.log());
    let answer = bob.ok(&["task", "run", BOBS, "--agent", "quick", "--here"]).await;
    let own = text(&answer["runs"][0]["run"]);
    assert_eq!(bob.ended(&own).await["state"], "done", "{}", bob.log());
    assert_eq!(state(ada, &there).await, "working", "what Ada heard last");

    three.lab.heal(BOB);
    what_was_missed_is_seen_soon(three, &missed).await;
    three.in_touch().await;
    let ended = ada.ended(&there).await;
    assert_eq!(ended["state"], "done");
    what_is_published_is_seen_soon(three, &text(&ended["patch"])).await;
    let look = || async {
        let (status, seen) = ada.call("run.show", json!({ "run": own })).await;
        if status == 200 && seen["state"] == "done" { Ok(()) } else { Err(seen) }
    };
    ada.until("what Bob did by himself is known", look).await;
    three.same().await;
}

/// A patch that Bob's machine never saw, and what Ada says of it as soon as the link is back, before anybody has noticed. How long the
/// tailnet takes to find its way is not counted: the clock begins once each hears the other.
async fn what_was_missed_is_seen_soon(three: &Three, patch: &str) {
    let healed = Instant::now();
    let body = "as soon as the link is back";
    three.ada().act("patch.comment", json!({"patch": patch, "body": body})).await;
    for (up, other) in [(three.ada(), BOB), (three.bob(), LAPTOP)] {
        let key = three.devices[other].key.as_str();
        let live = |seen: &Value| seen.as_array().unwrap().iter().any(|one| one["device"] == key && one["state"] == "live");
        until(up, "device.capacity", "they hear each other again", live).await;
    }
    let heard = Instant::now();
    is_seen_at_bobs(three, patch, body).await;
    let took = heard.elapsed();
    assert!(took < SEEN_AFTER_HEALING, "{took:?} since they hear each other, {:?} since the link is back", healed.elapsed());
}

async fn is_seen_at_bobs(three: &Three, patch: &str, body: &str) {
    let look = || async {
        let (status, seen) = three.bob().call("patch.show", json!({ "patch": patch })).await;
        if status == 200 && seen.to_string().contains(body) { Ok(()) } else { Err(seen) }
    };
    three.bob().until("the comment at Bob's", look).await;
}

/// Once both say that their Radicle nodes are connected, what Ada publishes is seen at Bob's within a second: two of three times, since a
/// busy machine may hold one up, and that for a few seconds at the most.
async fn what_is_published_is_seen_soon(three: &Three, patch: &str) {
    for (up, other) in [(three.ada(), BOB), (three.bob(), LAPTOP)] {
        let key = three.devices[other].key.as_str();
        let connected = |seen: &Value| seen.as_array().unwrap().iter().any(|one| one["did"] == key && one["radicle_connected"] == true);
        until(up, "device.list", "the Radicle nodes are connected", connected).await;
    }
    let mut took = vec![];
    for n in 0..3 {
        let body = format!("healed {n}");
        three.ada().act("patch.comment", json!({"patch": patch, "body": body})).await;
        let said = Instant::now();
        is_seen_at_bobs(three, patch, &body).await;
        took.push(said.elapsed());
    }
    assert!(took.iter().filter(|took| **took < Duration::from_secs(1)).count() >= 2, "{took:?}");
    assert!(took.iter().all(|took| *took < PUBLISHED_WORST), "{took:?}");
}

async fn a_pulled_machine_stops_only_what_ran_there(three: &mut Three) {
    let (tasks, mut runs) = (["T006", "T007", "T008"], vec![]);
    for (machine, task) in tasks.into_iter().enumerate() {
        let name = three.devices[machine].name.clone();
        let (run, at) = three.working(task, &["--on", &name]).await;
        assert_eq!(at, machine);
        runs.push(run);
    }
    for pulled in [BOB, DESK, LAPTOP] {
        pull(three, pulled, &runs).await;
        let lost = three.ada().ended(&runs[pulled]).await;
        assert_eq!((&lost["state"], &lost["reason"]["code"]), (&json!("lost"), &json!("vanished")), "{lost:#}");
        assert!(lost["checkpoint"].is_string(), "{lost:#}");
        runs[pulled] = three.after(tasks[pulled], &runs[pulled]).await;
        assert_eq!(three.at(&runs[pulled]).await, pulled, "what it had made lies there");
        for run in &runs {
            assert_eq!(state(three.ada(), run).await, "working", "nothing else was lost");
        }
    }
    for (machine, run) in runs.iter().enumerate() {
        three.done(machine, run).await;
    }
}

/// Pulls a machine, sees that the others' runs go on, and brings it back. While it is Bob's, the tailnet's server is away too.
async fn pull(three: &mut Three, pulled: usize, runs: &[String]) {
    three.ups[pulled].pull().await;
    three.lab.stop_tailscaled(pulled);
    if pulled == BOB {
        three.lab.stop_server();
    }
    let stopped = three.beat(pulled, &runs[pulled]).await;
    for other in (0..runs.len()).filter(|other| *other != pulled) {
        three.counts_on(other, &runs[other]).await;
    }
    if pulled != LAPTOP {
        three.out_of_touch(LAPTOP, &[pulled]).await;
    }
    assert_eq!(three.beat(pulled, &runs[pulled]).await, stopped, "nothing runs there");
    if pulled == BOB {
        three.lab.start_server();
    }
    three.lab.start_tailscaled(pulled);
    three.ups[pulled].begin().await;
    three.in_touch().await;
}

/// The patches of the project by their tasks.
fn by_task(patches: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for patch in patches.as_array().unwrap() {
        found.entry(text(&patch["trace"]["task"]["task"])).or_default().push(patch.clone());
    }
    found
}

async fn each_task_has_one_patch_and_all_tell_the_same(three: &Three) {
    let ada = three.ada();
    let patches = until(ada, "patch.list", "all patches are there", |seen| by_task(seen).len() == 8).await;
    for (task, patches) in by_task(&patches) {
        assert_eq!(patches.len(), 1, "{task}: {patches:#?}");
        // Bob's own is left for him.
        if task != BOBS {
            ada.merge(&text(&patches[0]["id"])).await;
        }
    }
    let patches = by_task(&ada.act("patch.list", json!({})).await);
    let merged = |patches: &Vec<Value>| patches.iter().filter(|patch| patch["state"] == "merged").count();
    assert!(patches.iter().all(|(task, patches)| merged(patches) == usize::from(task != BOBS)), "{patches:#?}");
    three.same().await;
    for up in &three.ups {
        let sound = |seen: &Value| {
            let copies = seen["copies"].as_array().unwrap();
            seen["sound"] == true && copies.len() == 2 && copies.iter().all(|copy| copy["sound"] == true)
        };
        until(up, "journal.verify", "all three journals are there, and sound", sound).await;
    }
}

fn nothing_went_past_the_tailnet(three: &Three) {
    for machine in 0..3 {
        assert_eq!(three.lab.packets_beside(machine), 0, "machine {machine}");
        assert!(three.lab.tun_bytes(machine) > 0, "machine {machine} has its TUN device again");
    }
    // That it would be noticed.
    let past = SocketAddr::from((three.lab.wire_address(BOB), 7421));
    let _ = inside(&three.lab.namespace(LAPTOP), || TcpStream::connect_timeout(&past, Duration::from_secs(2)));
    assert!([LAPTOP, BOB].iter().all(|machine| three.lab.packets_beside(*machine) > 0), "what goes past it is counted");
}
