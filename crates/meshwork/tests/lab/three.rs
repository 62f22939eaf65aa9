//! Three machines of two owners in the lab's tailnet, with a project in which they work.

use crate::{
    common::{all_reached, founder, join, machine, text, until},
    lab,
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use testkit::{Repository, Up, skip, tailnet::Lab};

/// Ada's laptop, on which the org was founded and from which she asks for runs.
pub const LAPTOP: usize = 0;
/// Bob's machine.
pub const BOB: usize = 1;
/// Ada's second machine.
pub const DESK: usize = 2;

/// How the project is checked, and what its runs need: little, so that three machines on one computer have room.
const SETTINGS: &str = "[resources]\ncpu_milli = 250\nmemory_bytes = 268435456\ndisk_bytes = 268435456\n\n\
                        [[checks]]\nname = \"there\"\ncommand = \"test -f README.md\"\ntimeout_s = 60\n";
/// What the agent `quick` does.
const QUICK: &str = "echo \"$MESHWORK_TASK\" > \"$MESHWORK_TASK.txt\"";
/// What the agent `slow` does: it counts in a file until the test lays the file `go` beside it.
const SLOW: &str = "n=0; while ! test -f go; do n=$((n+1)); echo $n > beat.new; mv beat.new beat; sleep 0.1; done; \
                    rm -f go beat beat.new; echo \"$MESHWORK_TASK\" > \"$MESHWORK_TASK.txt\"";
/// How far an agent counts until it is believed to go on.
const BEATS: u64 = 10;

/// A device of the org.
pub struct Device {
    pub name: String,
    pub key: String,
}

/// The machines, by their numbers.
pub struct Three {
    pub ups: Vec<Up>,
    pub devices: Vec<Device>,
    // Dropped last.
    pub lab: Lab,
}

impl Three {
    /// All three, joined by ticket and in touch; none, and the reason is noted, where this computer cannot have them.
    pub async fn start() -> Option<Self> {
        let mut lab = lab(3)?;
        if let Err(why) = lab.count_beside() {
            skip("lab", &why);
            return None;
        }
        let (ada, _) = founder(&mut lab).await;
        let (bob, desk) = (machine(&mut lab, BOB).await, machine(&mut lab, DESK).await);
        join(&ada, &bob, "bob", &["--role", "developer"]).await;
        join(&ada, &desk, "desk", &["--device"]).await;
        let mut three = Self { ups: vec![ada, bob, desk], devices: vec![], lab };
        three.reached().await;
        three.learn_names().await;
        three.in_touch().await;
        three.project().await;
        Some(three)
    }

    pub fn ada(&self) -> &Up {
        &self.ups[LAPTOP]
    }

    pub fn bob(&self) -> &Up {
        &self.ups[BOB]
    }

    /// Notes how each is called in the org.
    async fn learn_names(&mut self) {
        let listed = self.ada().act("device.list", json!({})).await;
        for up in &self.ups {
            let key = text(&up.ok(&["org", "show"]).await["device"]);
            let device = listed.as_array().unwrap().iter().find(|one| one["did"] == key.as_str()).unwrap();
            self.devices.push(Device { name: text(&device["name"]), key });
        }
    }

    /// Waits until each reaches all.
    pub async fn reached(&self) {
        all_reached(&self.ups.iter().collect::<Vec<_>>()).await;
    }

    /// Waits until each reaches and hears all.
    pub async fn in_touch(&self) {
        self.reached().await;
        let heard = |seen: &Value| {
            let all = seen.as_array().unwrap();
            all.len() == 3 && all.iter().all(|one| one["state"] != "suspected")
        };
        for up in &self.ups {
            until(up, "device.capacity", "all are heard", heard).await;
        }
    }

    /// Waits until one machine neither reaches nor hears others.
    pub async fn out_of_touch(&self, at: usize, others: &[usize]) {
        let is = |one: &Value, key: &str| others.iter().any(|other| one[key] == self.devices[*other].key.as_str());
        let unreached = |seen: &Value| seen.as_array().unwrap().iter().all(|one| !is(one, "did") || one["reachable"] == false);
        until(&self.ups[at], "device.list", "the others are not reached", unreached).await;
        let stale = |seen: &Value| seen.as_array().unwrap().iter().all(|one| !is(one, "device") || one["state"] == "suspected");
        until(&self.ups[at], "device.capacity", "the others are not heard", stale).await;
    }

    /// A project of Ada's that all three have, and two agents.
    async fn project(&self) {
        let tasks: String = (1..=8).map(|n| format!("- [ ] T00{n} [P] Do {n}\n")).collect();
        let made = Repository::with_tasks(self.ada().folder().join("story"), "001-work", &tasks, SETTINGS);
        self.ada().ok(&["project", "add", made.path().to_str().unwrap()]).await;
        for (name, command) in [("quick", QUICK), ("slow", SLOW)] {
            self.ada().ok(&["agent", "add", name, "--engine", "command", "--command", command]).await;
        }
        for other in [BOB, DESK] {
            self.ada().ok(&["project", "share", &self.devices[other].key]).await;
        }
        for up in [self.bob(), &self.ups[DESK]] {
            let look = || async {
                let (status, seen) = up.call("project.show", json!({"project": "story"})).await;
                let agents = up.act("agent.list", json!({})).await;
                if status == 200 && agents.as_array().unwrap().len() == 2 { Ok(()) } else { Err(json!([seen, agents])) }
            };
            up.until("project and agents are there", look).await;
        }
    }

    /// Waits until Ada's laptop knows something of another device's room.
    pub async fn sees(&self, device: usize, what: &str, fits: impl Fn(&Value) -> bool) {
        let key = self.devices[device].key.as_str();
        let found = |seen: &Value| seen.as_array().unwrap().iter().any(|one| one["device"] == key && fits(one));
        until(self.ada(), "device.capacity", what, found).await;
    }

    /// What is said of a device in an explanation.
    pub fn of<'v>(&self, why: &'v Value, device: usize) -> &'v Value {
        let found = why["devices"].as_array().unwrap().iter().find(|one| one["device"] == self.devices[device].key.as_str());
        found.unwrap_or_else(|| panic!("the device is not in {why:#}"))
    }

    /// The codes of the reasons for which it cannot take the task.
    pub fn codes(&self, why: &Value, device: usize) -> Vec<String> {
        self.of(why, device)["refusals"].as_array().unwrap().iter().map(|refusal| text(&refusal["code"])).collect()
    }

    /// Gives a task of Ada's to the slow agent, waits until that is at work, and gives the run and its machine.
    pub async fn working(&self, task: &str, how: &[&str]) -> (String, usize) {
        let answer = self.ada().ok(&[&["task", "run", task, "--agent", "slow"][..], how].concat()).await;
        let run = text(&answer["runs"][0]["run"]);
        let at = self.at(&run).await;
        (run, at)
    }

    /// Waits until the slow agent is at work, and says on which machine.
    pub async fn at(&self, run: &str) -> usize {
        let seen = self.ada().in_state(run, "working").await;
        let at = self.devices.iter().position(|device| seen["device"] == device.key.as_str()).unwrap();
        self.beat(at, run).await;
        at
    }

    /// The worktree of a live run.
    pub fn work(&self, at: usize, run: &str) -> PathBuf {
        self.ups[at].data().join("orgs/crew/runs").join(run).join("work")
    }

    /// How far the slow agent has counted; waits until it has begun.
    pub async fn beat(&self, at: usize, run: &str) -> u64 {
        let file = self.work(at, run).join("beat");
        let look = || async {
            let found = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
            found.ok_or_else(|| json!(file.display().to_string()))
        };
        self.ups[at].until("the agent counts", look).await
    }

    /// Waits until the slow agent has counted on for a while.
    pub async fn counts_on(&self, at: usize, run: &str) {
        let before = self.beat(at, run).await;
        let look = || async {
            let now = self.beat(at, run).await;
            if now >= before + BEATS { Ok(()) } else { Err(json!([before, now])) }
        };
        self.ups[at].until("the agent counts on", look).await;
    }

    /// Lets the slow agent finish.
    pub fn go(&self, at: usize, run: &str) {
        fs::write(self.work(at, run).join("go"), "").unwrap();
    }

    /// Lets the slow agent finish, and waits until Ada has its patch.
    pub async fn done(&self, at: usize, run: &str) -> Value {
        self.go(at, run);
        let ended = self.ada().ended(run).await;
        assert_eq!(ended["state"], "done", "{ended:#}\n{}", self.ups[at].log());
        ended
    }

    /// The run that goes on from another.
    pub async fn after(&self, task: &str, run: &str) -> String {
        let look = || async {
            let shown = self.ada().act("task.show", json!({ "task": task })).await;
            let next = text(&shown["runs"][0]["id"]);
            if next == run { Err(shown) } else { Ok(next) }
        };
        let next = self.ada().until("its task goes on with a new run", look).await;
        assert_eq!(self.ada().act("run.show", json!({ "run": next })).await["continues"], run);
        next
    }

    /// Waits until all three tell the same of everything.
    pub async fn same(&self) {
        let look = || async {
            let mut hashes = vec![];
            for up in &self.ups {
                hashes.push(up.act("journal.hash", json!({})).await["hash"].clone());
            }
            if hashes.iter().all(|hash| hash.is_string() && *hash == hashes[0]) { Ok(()) } else { Err(json!(hashes)) }
        };
        self.ada().until("all three tell the same", look).await;
    }
}
