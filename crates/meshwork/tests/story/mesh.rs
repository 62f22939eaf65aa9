//! Three devices of two owners place work among themselves: by tags and room, without whoever vanished, and never twice.

use crate::{
    support::{Held, PASSES, acp_agent, beat, command_agent, events_of, idle, project, text, work},
    two::{BOBS, Two},
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use testkit::{Repository, Up};
use tokio::time::Instant;

/// How Ada's second device is called.
pub const DESK: &str = "adas-desk";
/// How long it may take until what a device says is known to the others.
const NEWS: Duration = Duration::from_secs(2);

/// Ada's first device, her second, and Bob's: all up, and heard by each other.
pub struct Three {
    pub ada: Up,
    pub desk: Up,
    pub bob: Up,
}

/// Lets a device in, and gives its key.
async fn join(up: &Up, owner: &Up, name: &str, device: &str, invite: &[&str]) -> String {
    owner.let_in(up, name, device, invite).await;
    text(&up.ok(&["org", "show"]).await["device"])
}

/// Has a device say of itself that it has a GPU.
pub fn with_gpu(up: &Up) {
    fs::write(up.data().join("lend.toml"), "version = 1\n[tags]\ngpu = \"true\"\n").unwrap();
}

/// What one device knows of another's room, once that fits.
pub async fn sees(up: &Up, device: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let (device, fits) = (&device, &fits);
    let look = || async move {
        let seen = up.ok(&["capacity"]).await;
        let found = seen.as_array().unwrap().iter().find(|one| one["name"] == **device).cloned();
        found.filter(|one| fits(one)).ok_or(seen)
    };
    up.until(what, look).await
}

/// What is said of a device in an explanation.
fn of<'v>(why: &'v Value, device: &str) -> &'v Value {
    let found = why["devices"].as_array().unwrap().iter().find(|one| one["name"] == device);
    found.unwrap_or_else(|| panic!("{device} is not in {why:#}"))
}

/// The codes of the reasons for which it cannot take the task.
fn codes(of: &Value) -> Vec<String> {
    of["refusals"].as_array().unwrap().iter().map(|refusal| text(&refusal["code"])).collect()
}

impl Three {
    pub async fn start() -> Self {
        let device = || idle().listening();
        let (mut ada, mut desk, mut bob) = (device(), device(), device());
        for up in [&mut ada, &mut desk, &mut bob] {
            up.begin().await;
        }
        ada.org().await;
        join(&bob, &ada, "bob", BOBS, &["--role", "developer"]).await;
        join(&desk, &ada, "desk", DESK, &["--device"]).await;
        let three = Self { ada, desk, bob };
        three.in_touch().await;
        three
    }

    /// Waits until each device hears all others.
    async fn in_touch(&self) {
        for up in [&self.ada, &self.desk, &self.bob] {
            let look = || async {
                let seen = up.ok(&["capacity"]).await;
                let all = seen.as_array().unwrap();
                if all.len() == 3 && all.iter().all(|one| one["state"] == "here" || one["state"] == "live") { Ok(()) } else { Err(seen) }
            };
            up.until("every device is heard", look).await;
        }
    }

    /// Waits until the others have a project of Ada's.
    pub async fn share(&self, name: &str) {
        for up in [&self.bob, &self.desk] {
            let key = text(&up.ok(&["org", "show"]).await["device"]);
            self.ada.ok(&["project", "share", &key]).await;
        }
        for up in [&self.bob, &self.desk] {
            let look = || async {
                let (status, seen) = up.call("project.show", json!({ "project": name })).await;
                if status == 200 { Ok(()) } else { Err(seen) }
            };
            up.until("the project is there", look).await;
        }
    }

    /// A device's key.
    pub async fn key(up: &Up) -> String {
        text(&up.ok(&["org", "show"]).await["device"])
    }

    /// Gives a task to an agent, wherever it suits, and gives the run's id.
    pub async fn run(&self, args: &[&str]) -> String {
        let answer = self.ada.ok(&[&["task", "run"], args].concat()).await;
        text(&answer["runs"][0]["run"])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_decide_where_a_task_lands_and_why_is_told_for_each_device() {
    let three = Three::start().await;
    with_gpu(&three.bob);
    let written = Instant::now();
    sees(&three.ada, BOBS, "Bob's device says that it has a GPU", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    assert!(written.elapsed() < NEWS, "{:?}", written.elapsed());
    project(&three.ada, "tagged", "- [ ] T001 [P] One\n- [ ] T002 [P] Two\n- [ ] T003 [P] Three\n", PASSES).await;
    command_agent(&three.ada, "sh", "echo \"$MESHWORK_TASK\" > \"$MESHWORK_TASK.txt\"").await;
    three.share("tagged").await;
    let (adas, desks, bobs) = (Three::key(&three.ada).await, Three::key(&three.desk).await, Three::key(&three.bob).await);

    // Before there is a run.
    let why = three.ada.ok(&["task", "why", "T001", "--tag", "gpu:true"]).await;
    assert_eq!(why["decision"]["order"], json!([bobs]), "{why:#}");
    let run = three.run(&["T001", "--tag", "gpu:true"]).await;
    let ended = three.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["device"].as_str()), (Some("done"), Some(bobs.as_str())), "{ended:#}\n{}", three.bob.log());
    let why = three.ada.ok(&["task", "why", "T001"]).await;
    assert_eq!(why["device"], bobs.as_str(), "{why:#}");
    assert!(codes(of(&why, BOBS)).is_empty() && of(&why, BOBS)["score"].as_i64().unwrap() > 0, "{why:#}");
    assert_eq!(codes(of(&why, DESK)), ["tag"], "{why:#}");
    let here = why["devices"][0].clone();
    assert_eq!((here["here"].as_bool(), here["device"].as_str()), (Some(true), Some(adas.as_str())));
    assert!(text(&here["why"]).contains("no tag gpu:true"), "{why:#}");
    assert!(three.ada.told(&["task", "why", "T001"]).await.stdout.contains("no tag gpu:true"));

    // What the org promises counts, and nothing is asked of a device that would have to be far away.
    three.ada.ok(&["org", "device", DESK, "--tag", "region=north"]).await;
    sees(&three.desk, DESK, "the desk knows what is promised about it", |one| one["capacity"]["tags"]["region"] == "north").await;
    let run = three.run(&["T002", "--tag", "region=north"]).await;
    let ended = three.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["device"].as_str()), (Some("done"), Some(desks.as_str())), "{ended:#}");
    let run = three.run(&["T003", "--here"]).await;
    assert_eq!(three.ada.ended(&run).await["device"], adas.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_device_is_passed_over_and_its_room_is_known_within_two_seconds() {
    let three = Three::start().await;
    let cores = three.ada.ok(&["capacity"]).await[0]["capacity"]["total"]["cpu_milli"].as_u64().unwrap();
    let needs = format!("[resources]\ncpu_milli = {cores}\nmemory_bytes = {}\ndisk_bytes = {}\n", 256 << 20, 256 << 20);
    let tasks: String = (1..=4).map(|n| format!("- [ ] T00{n} [P] Do {n}\n")).collect();
    let made = Repository::with_tasks(three.ada.folder().join("full"), "001-work", &tasks, &format!("{needs}\n{PASSES}"));
    made.write(".tools/agent.py", include_str!("agent.py"));
    made.commit("The agent");
    three.ada.ok(&["project", "add", made.path().to_str().unwrap()]).await;
    acp_agent(&three.ada, "beat", &[]).await;
    three.share("full").await;
    let mut free = vec![Three::key(&three.ada).await, Three::key(&three.desk).await, Three::key(&three.bob).await];

    let mut runs = vec![];
    for task in ["T001", "T002", "T003"] {
        let run = three.run(&[task]).await;
        let device = text(&three.ada.in_state(&run, "working").await["device"]);
        let begun = Instant::now();
        let at = free.iter().position(|key| *key == device).unwrap_or_else(|| panic!("{device} was full"));
        free.remove(at);
        let look = || async {
            let seen = three.ada.ok(&["capacity"]).await;
            let there = seen.as_array().unwrap().iter().find(|one| one["device"] == device.as_str()).cloned();
            if there.is_some_and(|one| one["capacity"]["free"]["cpu_milli"] == 0) { Ok(()) } else { Err(seen) }
        };
        three.ada.until("its room is known to be taken", look).await;
        assert!(begun.elapsed() < NEWS, "{:?}", begun.elapsed());
        runs.push((run, device));
    }
    let last = three.run(&["T004"]).await;
    three.ada.until_run(&last, "it waits for room", |seen| seen["reason"]["code"] == "waits_for_room").await;
    let why = three.ada.ok(&["task", "why", "T004"]).await;
    for device in why["devices"].as_array().unwrap() {
        assert!(codes(device).iter().all(|code| ["busy", "no_slot"].contains(&code.as_str())) && !codes(device).is_empty(), "{why:#}");
    }

    // Whichever has room again takes it.
    let (run, device) = &runs[2];
    let there = [&three.ada, &three.desk, &three.bob];
    for up in there {
        if Three::key(up).await == *device {
            beat(up, run).await;
            fs::write(work(up, run).join("go"), "").unwrap();
        }
    }
    assert_eq!(three.ada.in_state(&last, "working").await["device"], device.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_vanished_gets_nothing_new_until_it_is_back() {
    let mut three = Three::start().await;
    with_gpu(&three.bob);
    project(&three.ada, "vanishing", "- [ ] T001 One\n", PASSES).await;
    command_agent(&three.ada, "sh", "echo done > done.txt").await;
    three.share("vanishing").await;
    sees(&three.ada, BOBS, "Bob's device says that it has a GPU", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    let bobs = Three::key(&three.bob).await;
    three.bob.kill().await;
    sees(&three.ada, BOBS, "Bob's device is suspected", |one| one["state"] == "suspected").await;
    let run = three.run(&["T001", "--tag", "gpu:true"]).await;
    three.ada.until_run(&run, "it waits", |seen| seen["reason"]["code"] == "waits_for_room").await;
    let why = three.ada.ok(&["task", "why", "T001"]).await;
    assert_eq!(codes(of(&why, BOBS)), ["suspected"], "{why:#}");
    assert_eq!(codes(of(&why, DESK)), ["tag"], "{why:#}");
    assert!(events_of(&three.ada, &run, "run_placed").await.is_empty(), "nobody was asked");
    three.bob.begin().await;
    let ended = three.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["device"].as_str()), (Some("done"), Some(bobs.as_str())), "{ended:#}\n{}", three.bob.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_dies_while_it_asks_asks_the_same_again() {
    let mut three = Three::start().await;
    with_gpu(&three.bob);
    project(&three.ada, "asked", "- [ ] T001 One\n", PASSES).await;
    command_agent(&three.ada, "sh", "echo done > done.txt").await;
    three.share("asked").await;
    sees(&three.ada, BOBS, "Bob's device says that it has a GPU", |one| one["capacity"]["tags"]["gpu"] == "true").await;
    let bobs = Three::key(&three.bob).await;
    let held = Held::new(&three.ada, "placing");
    let run = three.run(&["T001", "--tag", "gpu:true"]).await;
    let asked = three.ada.until_run(&run, "Bob's device is written down", |seen| seen["asked"] == bobs.as_str()).await;
    three.ada.kill().await;
    drop(held);
    three.ada.begin().await;
    let ended = three.ada.ended(&run).await;
    assert_eq!((ended["state"].as_str(), ended["device"].as_str()), (Some("done"), Some(bobs.as_str())), "{ended:#}\n{}", three.bob.log());
    assert_eq!(ended["manifest"], asked["manifest"], "the very same manifest");
    for up in [&three.ada, &three.bob] {
        assert_eq!(events_of(up, &run, "run_leased").await.len(), 1);
        assert_eq!(up.ok(&["journal", "verify"]).await["sound"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_not_where_the_org_says_tells_what_an_owner_has_to_say() {
    let two = Two::start().await;
    let finding = async || {
        let found = two.bob.act("device.doctor", json!({})).await;
        found.as_array().into_iter().flatten().find(|one| one["what"] == "addresses").cloned()
    };
    assert_eq!(finding().await, None);
    two.ada.ok(&["org", "device", BOBS, "--address", "127.0.0.1:9"]).await;
    assert_eq!(two.ada.ok(&["org", "device", BOBS]).await["addresses"], json!(["127.0.0.1:9"]), "it is shown where nothing is said");
    let look = || async { finding().await.ok_or(Value::Null) };
    let moved = two.bob.until("Bob's device knows where the others look for it", look).await;
    let detail = text(&moved["detail"]);
    assert!(moved["ok"] == false && detail.starts_with("the org says 127.0.0.1:9, and this device is at 127.0.0.1:"), "{moved}");
    let next = text(&moved["next"]);
    let words: Vec<&str> = next.split_once("meshwork ").unwrap().1.split(' ').collect();
    assert_eq!(words[..4], ["org", "device", BOBS, "--address"], "{next}");
    two.ada.ok(&words).await;
    let look = || async { finding().await.map_or(Ok(()), Err) };
    two.bob.until("it is where the org says", look).await;
    two.in_touch().await;
}
