//! A device: what is on its disks, and what its process has in memory.

use crate::{
    journal::{Journal, Known},
    message::{Facts, Heard, Then},
};
use domain::{
    Did, Hash, PatchId, RunId, TaskRef,
    capacity::{Capacity, Resources, Runtime, Taken},
    event::{Body, Event, kind},
    follow::{self, Came},
    lend::Click,
    manifest::Class,
    picture::ClaimIn,
    placement::{Refusal, Round, Verdict},
    run::Run,
    spend::Promised,
    task::Claim,
};
use identity::{Envelope, Key};
use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

/// How many runs a device executes at once.
const SLOTS: u32 = 2;
/// A tag that one device of three has, and that some tasks need: for those there may be one device alone.
pub const TAG: (&str, &str) = ("bench", "true");
/// How many facts are told at once.
const FACTS_MAX: usize = 32;
/// How long a group takes to be on disk at the most, where nothing is wrong, in milliseconds.
pub const QUICK_MS: u64 = 20;

/// A device.
#[derive(Debug)]
pub struct Device {
    pub did: Did,
    /// Of three devices one has no sandbox that works, and only asks others.
    works: bool,
    /// Whether it has the tag.
    tagged: bool,
    pub key: Rc<Key>,
    /// The member's key on it.
    pub member: Did,
    pub up: bool,
    /// What its owner said by a click, which a crash does not end.
    pub click: Option<Click>,
    /// Counts its starts.
    pub boot: u64,
    pub journal: Journal,
    pub copies: BTreeMap<usize, Known>,
    pub blobs: BTreeMap<Hash, Rc<Envelope>>,
    /// The patches that it merged, by their tasks: they are on the default branch, whatever becomes of journals.
    pub branch: BTreeMap<TaskRef, PatchId>,
    /// Counts its announcements, also over its restarts.
    pub announced: u64,
    /// What follows when the groups that wait are on disk, in their order.
    pub thens: VecDeque<Vec<Then>>,
    pub memory: Memory,
}

/// What a crash ends.
#[derive(Debug, Default)]
pub struct Memory {
    pub heard: BTreeMap<usize, Heard>,
    pub asking: BTreeMap<RunId, Asking>,
    pub following: BTreeMap<RunId, Following>,
    pub live: BTreeMap<RunId, Live>,
    pub promised: Promised,
    /// When a device refused a run last, in milliseconds, and why.
    pub refused: BTreeMap<(RunId, Did), (u64, Vec<Refusal>)>,
}

/// A run for which a device is being asked.
#[derive(Debug)]
pub struct Asking {
    pub round: Round,
    /// What the planner said of each device, before any was asked.
    pub looked: Vec<Verdict>,
    /// How many devices were to be asked, and how many refused.
    pub order: usize,
    pub refused: usize,
    pub to: usize,
    pub call: u64,
    /// Whether it was sent the manifest, or only probed.
    pub sent: bool,
    /// Whether it is asked the very same again.
    pub again: bool,
    /// Refusals that go into the journal with the next step.
    pub untold: Vec<Body>,
}

/// A run that another device executes.
#[derive(Debug)]
pub struct Following {
    pub to: usize,
    pub first: u64,
    pub known: follow::Following,
    pub call: u64,
    pub answered: bool,
}

/// A run that is executed here.
#[derive(Debug)]
pub struct Live {
    pub requester: usize,
    pub key: Did,
    pub stage: Stage,
    pub since_ms: u64,
    /// When the runner was heard of last.
    pub heard_ms: u64,
    /// Whether the runner says nothing any more.
    pub hangs: bool,
    /// When its work is done.
    pub done_ms: u64,
    /// The call that is under way, and since when it is tried.
    pub call: Option<(u64, u64)>,
}

/// How far a run that is executed here is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waits for the delegation of its key.
    Waits,
    Begins,
    Works,
    Publishes,
}

impl Device {
    pub fn new(at: usize) -> Self {
        let seed = |kind: u8| {
            let mut seed = [kind; 32];
            seed[..8].copy_from_slice(&(at as u64).to_be_bytes());
            Key::from_seed(&seed)
        };
        let key = Rc::new(seed(1));
        Self {
            did: key.did(),
            works: at % 3 != 2,
            tagged: at % 3 == 1,
            member: seed(2).did(),
            up: true,
            click: None,
            boot: 0,
            journal: Journal::new(key.clone(), QUICK_MS),
            key,
            copies: BTreeMap::new(),
            blobs: BTreeMap::new(),
            branch: BTreeMap::new(),
            announced: 0,
            thens: VecDeque::new(),
            memory: Memory::default(),
        }
    }

    pub fn run(&self, id: &RunId) -> Option<Run> {
        self.journal.known.get(kind::RUN, id.as_str())
    }

    /// The runs that have not ended.
    pub fn active(&self) -> Vec<Run> {
        let ids: Vec<(u64, RunId)> = self.journal.known.list(kind::ACTIVE);
        ids.iter().filter_map(|(_, id)| self.run(id)).collect()
    }

    /// What it has, and what of it is free.
    pub fn capacity(&self) -> Capacity {
        let here = |run: &Run| run.device.as_ref().map_or(run.told.is_none(), |device| *device == self.did);
        let here: Vec<Run> = self.active().into_iter().filter(here).collect();
        let taken = Taken::by(&here).beside(Class::Agent);
        let total = Resources { cpu_milli: 2_000, memory_bytes: 2_000, disk_bytes: 2_000, gpus: 0 };
        Capacity {
            total,
            free: total.minus(taken.reserved),
            tags: self.tagged.then(|| (TAG.0.to_owned(), TAG.1.to_owned())).into_iter().collect(),
            gpus: vec![],
            runtimes: if self.works { vec![Runtime::Local] } else { vec![] },
            classes: vec![Class::Agent],
            slots: SLOTS,
            slots_free: SLOTS.saturating_sub(taken.slots),
            others: domain::capacity::Lane::default(),
        }
    }

    /// Its own claim on a task.
    pub fn claim(&self, task: &str) -> Option<ClaimIn> {
        claim(&self.did, &self.journal.known, task)
    }

    /// The claims of others on a task, as far as they are known here.
    pub fn claims(&self, task: &str) -> Vec<ClaimIn> {
        let found = self.copies.values().filter_map(|copy| claim(&copy.tail.device, copy, task));
        found.filter(ClaimIn::counts).collect()
    }

    /// What is on disk of a run that it executes, after a number of its journal.
    pub fn facts(&self, id: &RunId, after: u64) -> Facts {
        let about = |(_, event): &&(u64, Event)| event.told.is_none() && event.body.run() == Some(id) && event.body.of_executor();
        let all = || self.journal.events.iter().filter(about);
        let facts: Vec<(u64, Event)> = all().filter(|(seq, _)| *seq > after).take(FACTS_MAX).cloned().collect();
        let came = facts.last().filter(|_| facts.len() == FACTS_MAX).map_or(Came::All, |(seq, _)| Came::UpTo(*seq));
        let over = all().any(|(_, event)| matches!(event.body, Body::RunMoved { to, .. } if to.ended()));
        Facts { facts, came, over }
    }

    /// Has something said once all that waits is on disk.
    pub fn after_disk(&mut self, then: Then) -> Option<Then> {
        match self.thens.back_mut() {
            Some(last) => {
                last.push(then);
                None
            }
            None => Some(then),
        }
    }
}

fn claim(journal: &Did, known: &Known, task: &str) -> Option<ClaimIn> {
    let claim: Claim = known.get(kind::CLAIM, task)?;
    let latest = claim.runs.last().and_then(|id| known.get(kind::RUN, id.as_str()));
    Some(ClaimIn { journal: journal.clone(), claim, latest, saved: false, removed: false })
}
