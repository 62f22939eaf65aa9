//! Kills: `up`, runners, or both; at chosen events of the journal and at any time; while `up` starts, too.

use crate::{
    host::{Host, signal},
    invariants,
    people::People,
};
use futures::StreamExt;
use rustix::process::Signal;
use serde_json::Value;
use std::{collections::BTreeMap, fmt, time::Duration};
use testkit::Random;
use tokio::time::{sleep, timeout};

/// The moves of runs that kills aim at: between this one and the next.
const AIMS: [&str; 11] = [
    "run_queued",
    "placing",
    "starting",
    "preparing",
    "working",
    "verifying",
    "publishing",
    "patch_published",
    "patch_merged",
    // Short ones, which kills at any time would hardly meet.
    "placing",
    "publishing",
];
/// How long an aim is waited for.
const AIM_TIME: Duration = Duration::from_millis(900);

/// How often it is tried to meet a run in a certain state, and how long each try may take.
const MEET_TRIES: usize = 8;
const MEET_TIME: Duration = Duration::from_secs(20);

/// What was killed.
#[derive(Debug, Default)]
pub struct Tally {
    pub kills: usize,
    /// How many kills of each kind.
    pub what: BTreeMap<&'static str, usize>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills: {:?}", self.kills, self.what)
    }
}

pub struct Chaos<'a> {
    host: &'a mut Host,
    people: &'a People,
    random: &'a mut Random,
    tally: Tally,
}

impl<'a> Chaos<'a> {
    pub fn new(host: &'a mut Host, people: &'a People, random: &'a mut Random) -> Self {
        Self { host, people, random, tally: Tally::default() }
    }

    pub async fn kill(&mut self, rounds: usize) {
        while self.tally.kills < rounds {
            self.moment().await;
            let (runner, up) = match self.random.below(10) {
                0..=2 => (true, false),
                3 => (true, true),
                _ => (false, true),
            };
            if runner {
                self.runner();
            }
            if up {
                self.up().await;
            }
        }
    }

    /// Kills until the end of `up` has met a run in each of these states: on a busy machine chance alone may not.
    pub async fn meet(&mut self, states: &[&str]) {
        for state in states {
            for _ in 0..MEET_TRIES {
                if invariants::met(self.host).await.contains_key(*state) {
                    break;
                }
                let _ = timeout(MEET_TIME, self.seen(state)).await;
                self.up().await;
            }
        }
    }

    pub fn end(self) -> Tally {
        self.tally
    }

    /// Waits for the moment to kill.
    async fn moment(&mut self) {
        match self.random.below(10) {
            0..=1 => sleep(self.random.millis(700)).await,
            2 => self.people.after_an_answer_or(Duration::from_millis(500)).await,
            _ => {
                let aim = *self.random.one_of(&AIMS).unwrap();
                let _ = timeout(AIM_TIME, self.seen(aim)).await;
                let after = [0, 0, 3, 15, 60];
                let after = *self.random.one_of(&after).unwrap();
                sleep(Duration::from_millis(after)).await;
            }
        }
    }

    /// Returns when the journal has an event of this type, or a run moved to this state.
    async fn seen(&self, aim: &str) {
        let Some(response) = self.host.door().follow().await else { return };
        let (mut bytes, mut pending) = (response.bytes_stream(), Vec::new());
        while let Some(Ok(piece)) = bytes.next().await {
            pending.extend_from_slice(&piece);
            while let Some(end) = pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let data = line.strip_prefix(b"data:").and_then(|d| serde_json::from_slice::<Value>(d).ok());
                if data.is_some_and(|d| tells(&d["event"], aim)) {
                    return;
                }
            }
        }
    }

    fn count(&mut self, what: &'static str) {
        self.tally.kills += 1;
        *self.tally.what.entry(what).or_default() += 1;
    }

    fn runner(&mut self) {
        if let Some((_, pid)) = self.random.one_of(&self.host.runners()) {
            signal(*pid, Signal::KILL);
            self.count("runner");
        }
    }

    async fn up(&mut self) {
        self.host.kill_up().await;
        self.count("up");
        while self.random.below(6) == 0 {
            self.host.spawn();
            sleep(self.random.millis(150)).await;
            self.host.kill_up().await;
            self.count("up while it starts");
        }
        self.host.begin().await;
    }
}

/// Whether an event is of this type, or moves a run to this state. A lease starts its run.
fn tells(event: &Value, aim: &str) -> bool {
    event["type"] == aim || event["to"] == aim || (aim == "starting" && event["type"] == "run_leased")
}
