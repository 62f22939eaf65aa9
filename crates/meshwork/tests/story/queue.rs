//! One machine with room for one run, and several that want it: the more important one displaces, whoever used less of the machine comes
//! first, a run that is to be apart from another goes elsewhere, and one waits for memory that the owner uses.

use crate::{
    support::{PASSES, acp_agent, beat, events_of, machine, text, work},
    two::{BOBS, Two},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, time::Duration};
use testkit::{Repository, Up};
use tokio::time::timeout;

/// A project of which only one run at a time fits on a machine, and its agent.
async fn large(up: &Up, name: &str) {
    let cores = up.ok(&["capacity"]).await[0]["capacity"]["total"]["cpu_milli"].as_u64().unwrap();
    let needs = format!("[resources]\ncpu_milli = {cores}\nmemory_bytes = {}\ndisk_bytes = {}\n", 256 << 20, 256 << 20);
    let tasks: String = (1..=5).map(|n| format!("- [ ] T00{n} [P] Do {n}\n")).collect();
    let made = Repository::with_tasks(up.folder().join(name), "001-work", &tasks, &format!("{needs}\n{PASSES}"));
    made.write(".tools/agent.py", include_str!("agent.py"));
    made.commit("The agent");
    up.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    acp_agent(up, "beat", &[]).await;
}

/// Gives a task to the agent, and gives the run's id.
async fn start(up: &Up, task: &str, args: &[&str]) -> String {
    let answer = up.ok(&[&["task", "run", task, "--agent", "beat"], args].concat()).await;
    text(&answer["runs"][0]["run"])
}

/// Waits until a run waits for room, for a reason with these words.
async fn waits(up: &Up, run: &str, words: &str) {
    let fits = |seen: &Value| seen["reason"]["code"] == "waits_for_room" && seen["reason"]["message"].as_str().unwrap().contains(words);
    up.until_run(run, words, fits).await;
}

/// Lets the agent end its work.
async fn go(up: &Up, run: &str) {
    beat(up, run).await;
    fs::write(work(up, run).join("go"), "").unwrap();
}

/// The machine says that nobody uses so much of its 16 GiB of memory.
fn available(up: &Up, mib: u64) {
    let folder = up.sensors().join("proc");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("meminfo"), format!("MemTotal: {} kB\nMemAvailable: {} kB\n", 16 << 20, mib << 10)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_machines_owner_uses_of_its_memory_is_not_free_and_a_run_waits_until_it_is() {
    let up = machine().await;
    large(&up, "memory").await;
    available(&up, 100);
    let look = || async {
        let seen = up.act("device.capacity", json!({})).await;
        let memory = |what: &str| seen[0]["capacity"][what]["memory_bytes"].as_u64().unwrap();
        if (memory("total"), memory("free")) == (16 << 30, 100 << 20) { Ok(()) } else { Err(seen) }
    };
    up.until("it says how much is free", look).await;
    let run = start(&up, "T001", &[]).await;
    waits(&up, &run, "memory").await;
    available(&up, 8 << 10);
    up.in_state(&run, "working").await;
    go(&up, &run).await;
    assert_eq!(up.ended(&run).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_important_work_displaces_less_important_work_which_goes_on_later_from_its_checkpoint() {
    let up = machine().await;
    large(&up, "displaced").await;
    let low = start(&up, "T001", &["--priority", "low"]).await;
    up.in_state(&low, "working").await;
    up.until_logged(&low, "working now.").await;
    fs::write(work(&up, &low).join("half.txt"), "half done").unwrap();

    let high = start(&up, "T002", &["--priority", "high"]).await;
    let ended = up.ended(&low).await;
    let why = &ended["reason"];
    assert_eq!((ended["state"].as_str(), why["code"].as_str(), &why["to"]), (Some("evicted"), Some("gave_way"), &json!(high)), "{ended:#}");
    assert!(ended["checkpoint"].is_string() && ended["why"].as_str().unwrap().contains(&high), "{ended:#}");
    assert_eq!(events_of(&up, &low, "run_paused").await[0]["paused"], true, "it was frozen at once");
    up.in_state(&high, "working").await;

    // What waits now is as important as what runs, or less: nothing more is displaced.
    let equal = start(&up, "T003", &["--priority", "high"]).await;
    waits(&up, &equal, "1st of 2 in its queue").await;
    let next = text(&up.ok(&["task", "show", "T001"]).await["runs"][0]["id"]);
    waits(&up, &next, "2nd of 2 in its queue: a run of ada is more important").await;
    let shown = up.act("run.show", json!({ "run": next })).await;
    assert_eq!((&shown["continues"], &shown["gave_way"], &shown["priority"]), (&json!(low), &json!(1), &json!("low")), "{shown:#}");
    let told = up.ok(&["task", "why", "T001"]).await;
    assert_eq!(told["devices"][0]["queue"]["place"], 2, "{told:#}");
    assert_eq!(up.act("run.show", json!({ "run": high })).await["state"], "working");

    go(&up, &high).await;
    assert_eq!(up.ended(&high).await["state"], "done");
    up.in_state(&equal, "working").await;
    go(&up, &equal).await;
    up.in_state(&next, "working").await;
    beat(&up, &next).await;
    assert_eq!(fs::read_to_string(work(&up, &next).join("half.txt")).unwrap(), "half done");
    go(&up, &next).await;
    assert_eq!(up.ended(&next).await["state"], "done", "{}", up.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_used_less_of_a_machine_comes_before_who_asked_earlier_and_a_run_can_be_kept_apart_from_another() {
    let two = Two::start().await;
    large(&two.ada, "shared").await;
    two.share().await;
    two.bob.run_with(&["credential", "set", "unused"], "unused").await;
    let on = ["--on", BOBS];
    let first = start(&two.ada, "T001", &on).await;
    two.ada.in_state(&first, "working").await;
    let second = start(&two.ada, "T002", &on).await;
    waits(&two.ada, &second, "cores").await;
    let third = start(&two.ada, "T003", &on).await;
    waits(&two.ada, &third, "of 2 in its queue").await;
    let bobs = start(&two.bob, "T004", &["--here"]).await;
    waits(&two.bob, &bobs, "1st of 3 in its queue").await;
    waits(&two.ada, &second, "2nd of 3 in its queue: bob's runs take, or took lately, less of this machine").await;
    waits(&two.ada, &third, "3rd of 3 in its queue: a run of ada waits longer").await;

    // Asked for later, and yet before the second and the third.
    go(&two.bob, &first).await;
    two.bob.in_state(&bobs, "working").await;
    for run in [&second, &third] {
        waits(&two.ada, run, "of 2 in its queue").await;
    }
    go(&two.bob, &bobs).await;
    two.ada.in_state(&second, "working").await;
    go(&two.bob, &second).await;
    two.ada.in_state(&third, "working").await;

    // Nowhere but on the other device, whatever speaks for this one.
    let problem = two.ada.refused(&["task", "run", "T005", "--agent", "beat", "--on", BOBS, "--apart-from", &third], 2).await;
    assert!(problem.to_string().contains("that very device"), "{problem}");
    go(&two.bob, &third).await;
    two.ada.ended(&third).await;
    let apart = start(&two.ada, "T005", &["--apart-from", &third]).await;
    let shown = two.ada.in_state(&apart, "working").await;
    assert_ne!(shown["device"], two.bob_device.as_str(), "{shown:#}");
    let why = two.ada.ok(&["task", "why", "T005"]).await;
    let bobs_device = why["devices"].as_array().unwrap().iter().find(|device| device["name"] == BOBS).cloned().unwrap();
    assert_eq!(bobs_device["refusals"][0]["code"], "anti_affinity", "{why:#}");
    go(&two.ada, &apart).await;
    assert_eq!(two.ada.ended(&apart).await["state"], "done", "{}", two.ada.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_run_that_waits_ends_when_the_run_is_taken_off_the_queue() {
    let up = machine().await;
    large(&up, "waiting").await;
    let first = start(&up, "T001", &[]).await;
    up.in_state(&first, "working").await;
    let second = start(&up, "T002", &[]).await;
    waits(&up, &second, "").await;
    let followed = up.request(Method::GET, &format!("/api/v1/run/{second}/log/events"), &up.token(), None).await;
    up.ok(&["run", "stop", &second]).await;
    assert_eq!(up.ended(&second).await["state"], "cancelled");
    timeout(Duration::from_secs(30), followed.text()).await.expect("it ends").unwrap();
    let told = up.told(&["run", "logs", "-f", &second]).await;
    assert!(told.code == 0 && told.stderr.contains("before it said anything: cancelled"), "{told:?}");
    go(&up, &first).await;
    assert_eq!(up.ended(&first).await["state"], "done", "{}", up.log());
}
