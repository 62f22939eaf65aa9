//! The people of the org: they give tasks to agents, review and merge, and remember every answer that they got.

use crate::host::{Door, FEATURES, ended};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep},
};

/// How many tasks are under way at once.
const OPEN_MAX: usize = 8;
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(60);

/// The pause between two looks whether all is at rest: they take of the processor that the work needs.
const REST_LOOK_EVERY: Duration = Duration::from_millis(500);

/// How far all is from rest.
struct Rest {
    /// Runs that have not ended, and tasks that wait.
    open: usize,
    /// Runs that have ended, and tasks that are merged.
    done: usize,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Runs that were said to be started.
    pub runs: BTreeSet<String>,
    /// Patches that were said to be merged.
    pub merged: BTreeSet<String>,
    /// Patches that were said to be accepted.
    pub accepted: BTreeSet<String>,
    /// Patches of which changes were said to be requested.
    pub rejected: BTreeSet<String>,
    /// Runs that were said to be stopped.
    pub stopped: BTreeSet<String>,
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, merged, accepted) = (self.runs.len(), self.merged.len(), self.accepted.len());
        let (rejected, stopped) = (self.rejected.len(), self.stopped.len());
        write!(f, "answered: {runs} runs, {accepted} accepted, {merged} merged, {rejected} with changes requested, {stopped} stopped")
    }
}

pub struct People {
    shared: Arc<Shared>,
    work: JoinHandle<()>,
}

struct Shared {
    door: Door,
    acknowledged: Mutex<Acknowledged>,
    answered: Notify,
    starts: AtomicBool,
    ends: AtomicBool,
    turn: Mutex<usize>,
}

impl People {
    pub fn begin(door: Door) -> Self {
        let shared = Shared {
            door,
            acknowledged: Mutex::default(),
            answered: Notify::new(),
            starts: AtomicBool::new(true),
            ends: AtomicBool::new(false),
            turn: Mutex::new(0),
        };
        let shared = Arc::new(shared);
        let work = tokio::spawn(shared.clone().work());
        Self { shared, work }
    }

    /// Returns right after a run was answered to be started.
    pub async fn after_an_answer(&self) {
        let answered = tokio::time::timeout(Duration::from_secs(20), self.shared.answered.notified()).await;
        answered.expect("tasks are given to agents");
    }

    /// Returns right after a run was answered to be started, or after this time.
    pub async fn after_an_answer_or(&self, time: Duration) {
        let _ = tokio::time::timeout(time, self.shared.answered.notified()).await;
    }

    /// No further tasks are given to agents; what is under way goes on.
    pub fn start_no_more(&self) {
        self.shared.starts.store(false, Ordering::SeqCst);
    }

    /// Waits until nothing is under way, and no patch waits. It is given up when no run ended and nothing was merged for the
    /// time `still`, and at `most`: how long the work itself takes depends on what else the machine does.
    pub async fn until_rest(&self, still: Duration, most: Duration) -> bool {
        let begun = Instant::now();
        let (mut moved, mut seen) = (begun, 0);
        while moved.elapsed() < still && begun.elapsed() < most {
            match self.shared.rest().await {
                Some(Rest { open: 0, .. }) => return true,
                Some(Rest { done, .. }) if done > seen => (moved, seen) = (Instant::now(), done),
                _ => {}
            }
            sleep(REST_LOOK_EVERY).await;
        }
        false
    }

    pub fn acknowledged(&self) -> Acknowledged {
        self.shared.acknowledged.lock().unwrap().clone()
    }

    pub async fn end(self) -> Acknowledged {
        self.shared.ends.store(true, Ordering::SeqCst);
        let _ = self.work.await;
        self.shared.acknowledged.lock().unwrap().clone()
    }
}

impl Shared {
    async fn work(self: Arc<Self>) {
        while !self.ends.load(Ordering::SeqCst) {
            // `up` may be gone at any moment: then they just look again.
            let _ = self.look().await;
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> Option<()> {
        let tasks = self.door.ask("task.list", json!({})).await?;
        let tasks: Vec<&Value> = tasks.as_array()?.iter().collect();
        let state = |task: &Value| task["state"]["state"].as_str().unwrap_or_default().to_owned();
        let open = tasks.iter().filter(|t| ["running", "waiting"].contains(&state(t).as_str())).count();
        if self.starts.load(Ordering::SeqCst) {
            for task in tasks.iter().filter(|t| ["failed", "ready"].contains(&state(t).as_str())).take(OPEN_MAX.saturating_sub(open)) {
                self.start(task).await?;
            }
        }
        for task in tasks.iter().filter(|t| state(t) == "changes_requested") {
            self.start(task).await?;
        }
        for task in tasks.iter().filter(|t| state(t) == "in_review") {
            self.judge(task).await?;
        }
        self.stop_one().await
    }

    fn note<T>(&self, note: impl FnOnce(&mut Acknowledged) -> T) {
        let _ = note(&mut self.acknowledged.lock().unwrap());
    }

    fn turn(&self) -> usize {
        let mut turn = self.turn.lock().unwrap();
        *turn += 1;
        *turn
    }

    async fn start(&self, task: &Value) -> Option<()> {
        let agent = if self.turn().is_multiple_of(4) { "tape" } else { "shell" };
        let input = json!({"feature": task["at"]["feature"], "tasks": [task["at"]["task"]], "agent": agent});
        let (status, answer) = self.door.call("task.run", input).await?;
        if status == 200 {
            let run = answer["runs"][0]["run"].as_str()?.to_owned();
            self.note(|a| a.runs.insert(run));
            self.answered.notify_one();
        }
        Some(())
    }

    /// Accepts and merges; now and then changes are asked for first.
    async fn judge(&self, task: &Value) -> Option<()> {
        let patch = task["state"]["patch"].as_str()?.to_owned();
        let known = self.acknowledged.lock().unwrap().rejected.contains(&patch);
        if !known && self.turn().is_multiple_of(9) {
            let input = json!({"patch": patch, "verdict": "reject", "summary": "Once more."});
            if self.door.call("patch.review", input).await?.0 == 200 {
                self.note(|a| a.rejected.insert(patch));
            }
            return Some(());
        }
        let input = json!({"patch": patch, "verdict": "accept", "summary": "Good."});
        let (status, said) = self.door.call("patch.review", input).await?;
        if status != 200 {
            println!("not accepted: {said}");
            return Some(());
        }
        self.note(|a| a.accepted.insert(patch.clone()));
        let (status, said) = self.door.call("patch.merge", json!({"patch": patch})).await?;
        match said["outcome"].as_str() {
            Some("merged") => self.note(|a| a.merged.insert(patch)),
            Some(_) => {}
            None => println!("not merged: {status} {said}"),
        }
        Some(())
    }

    /// Now and then a working run is stopped.
    async fn stop_one(&self) -> Option<()> {
        if !self.turn().is_multiple_of(40) || !self.starts.load(Ordering::SeqCst) {
            return Some(());
        }
        let runs = self.door.ask("run.list", json!({"state": "working"})).await?;
        let run = runs[0]["id"].as_str()?.to_owned();
        if self.door.call("run.stop", json!({"run": run})).await?.0 == 200 {
            self.note(|a| a.stopped.insert(run));
        }
        Some(())
    }

    async fn rest(&self) -> Option<Rest> {
        let runs = self.door.ask("run.list", json!({"all": true, "limit": 10_000})).await?;
        let tasks = self.door.ask("task.list", json!({})).await?;
        let (runs, tasks) = (runs.as_array()?, tasks.as_array()?);
        assert!(tasks.len() >= FEATURES, "tasks are gone");
        let over = runs.iter().filter(|r| ended(r["state"].as_str().unwrap_or_default())).count();
        let are = |states: &[&str]| tasks.iter().filter(|t| states.contains(&t["state"]["state"].as_str().unwrap_or_default())).count();
        let waiting = are(&["in_review", "changes_requested", "running"]);
        Some(Rest { open: runs.len() - over + waiting, done: over + are(&["merged"]) })
    }
}
