//! What people do, and what breaks: chance decides, by the seed.

use crate::{
    Fault,
    device::Stage,
    message::{Happens, Message},
    requester::SUSPECTED_MS,
    world::World,
};
use domain::{
    PatchId, TaskRef,
    event::{Body, kind},
    picture::{self, ClaimIn},
    run::{Run, RunState},
    task::{Claim, Takeover},
};
use serde_json::json;

/// The pause between two things that people do, in milliseconds: at least, and how much more at the most.
const PEOPLE_MS: (u64, u64) = (3_000, 6_000);
/// The same between two things that break.
const BREAKS_MS: (u64, u64) = (2_000, 5_000);
/// How long something is broken, in milliseconds: at least, and how much more at the most.
const BROKEN_MS: (u64, u64) = (4_000, 45_000);
/// How many of a hundred requests for a lease are followed by a cut between the two devices, which is the worst moment for one.
const CUT_PERCENT: u64 = 12;
/// How long such a cut lasts: longer than a manifest counts, and shorter than a delegation is asked for.
const CUT_MS: (u64, u64) = (12_000, 26_000);
/// The device that alone moves the default branch.
const MERGES: usize = 0;

impl World {
    fn one_of(&mut self, all: usize) -> usize {
        usize::try_from(self.random.below(all as u64)).unwrap()
    }

    fn span(&mut self, (least, more): (u64, u64)) -> u64 {
        least + self.random.below(more)
    }

    // --- People ---------------------------------------------------------------------------------------------------------

    /// Somebody begins a task, and somebody accepts a patch.
    pub fn people(&mut self) {
        if self.healing {
            return;
        }
        let tasks = 12 + self.devices.len() / 8;
        let (at, task) = (self.one_of(self.devices.len()), 1 + self.one_of(tasks));
        let task: TaskRef =
            serde_json::from_value(json!({"project": "sim", "feature": "001-work", "task": format!("T{task:03}")})).unwrap();
        if self.devices[at].up {
            self.start(at, &task);
        }
        self.accept_some();
        let ms = self.span(PEOPLE_MS);
        self.clock.after(ms, Happens::People);
    }

    /// Somebody has an agent begin at a task, if it is free; a maintainer takes it over where its device is away.
    fn start(&mut self, at: usize, task: &TaskRef) {
        let (device, name) = (&self.devices[at], task.to_string());
        let (own, others) = (device.claim(&name), device.claims(&name));
        // Of a task that it executes for another it has that one's claim, and leaves it alone.
        let begun = own.as_ref().is_some_and(|own| !own.counts() || own.claim.merged || own.holds());
        if begun || others.iter().any(|other| other.claim.merged) {
            return;
        }
        let turn = others.iter().chain(&own).map(|claim| claim.claim.turn).max().unwrap_or_default() + 1;
        let held: Vec<_> = others.into_iter().filter(|other| picture::in_the_way(own.as_ref(), other)).collect();
        let mut bodies = vec![];
        if !held.is_empty() {
            let from: Vec<_> = held.iter().map(|claim| claim.journal.clone()).collect();
            if !from.iter().all(|did| self.is_away(at, self.places[did])) || self.random.below(3) > 0 {
                return;
            }
            let takeover = Takeover { task: task.clone(), device: self.devices[at].did.clone(), from, turn };
            bodies.push(Body::TaskTakenOver(takeover));
        }
        let run = self.new_run(at, task);
        bodies.push(Body::RunQueued { run: Box::new(run) });
        self.write(at, bodies, vec![]);
    }

    fn is_away(&self, at: usize, other: usize) -> bool {
        let heard = self.devices[at].memory.heard.get(&other);
        heard.is_none_or(|heard| self.clock.now_ms() > heard.at_ms + SUSPECTED_MS)
    }

    /// Owners of claims accept patches of their tasks, also rivals, and now and then a second one.
    fn accept_some(&mut self) {
        for _ in 0..2 {
            let owns = |device: &crate::device::Device| -> Vec<Claim> {
                let claims: Vec<(u64, Claim)> = device.journal.known.list(kind::CLAIM);
                claims.into_iter().map(|(_, claim)| claim).filter(|claim| claim.device == device.did && claim.patch.is_some()).collect()
            };
            let up = self.devices.iter().enumerate().filter(|(_, device)| device.up);
            let all: Vec<(usize, Claim)> = up.flat_map(|(at, device)| owns(device).into_iter().map(move |claim| (at, claim))).collect();
            if all.is_empty() {
                return;
            }
            let (at, claim) = all[self.one_of(all.len())].clone();
            let patches = self.patches(at, &claim);
            let patch = patches[self.one_of(patches.len())].clone();
            self.accept(at, &claim, &patch);
        }
    }

    /// The patch of a claim, and its rivals as far as they are known.
    fn patches(&self, at: usize, claim: &Claim) -> Vec<PatchId> {
        let copies = self.devices[at].copies.values();
        let runs = copies.flat_map(|copy| copy.list::<Run>(kind::RUN)).map(|(_, run)| run);
        let rivals = runs.filter(|run| claim.runs.contains(&run.id) && run.state == RunState::Done).filter_map(|run| run.patch);
        let mut all: Vec<PatchId> = claim.patch.iter().cloned().chain(rivals).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Has a patch of a device's claim merged by the one device that can, if that is there. Whose claim it is sees so at once.
    fn accept(&mut self, at: usize, claim: &Claim, patch: &PatchId) {
        let (now_ms, task) = (self.clock.now_ms(), claim.task.clone());
        if !self.devices[MERGES].up || !self.network.reaches(now_ms, at, MERGES) {
            return;
        }
        let refused = claim.merged || self.is_refused(&task, patch);
        if refused && self.settings.fault != Some(Fault::DoubleAccept) {
            return;
        }
        self.tally.accepted += 1;
        self.oracle.accepts(now_ms, at, &task, &self.devices[at]);
        self.devices[MERGES].branch.insert(task.clone(), patch.clone());
        let commit = patch.as_str().parse().unwrap();
        let accepted = Body::PatchMerged { project: task.project.clone(), patch: patch.clone(), commit, task: Some(task) };
        self.write(at, vec![accepted], vec![]);
    }

    /// Whether the device that merges refuses a patch: of what was merged it believes its own branch, and no journal.
    fn is_refused(&self, task: &TaskRef, patch: &PatchId) -> bool {
        let (device, name) = (&self.devices[MERGES], task.to_string());
        let merged = device.branch.get(task);
        let mut claims: Vec<ClaimIn> = device.claims(&name).into_iter().chain(device.claim(&name)).collect();
        picture::believe(&mut claims, |patch| Some(merged == Some(patch)), |_| false);
        // What the branch has ticked another patch does not do again, also where the claim has not come yet.
        merged.is_some_and(|merged| merged != patch) || picture::against(patch, &claims).is_some()
    }

    // --- What breaks ----------------------------------------------------------------------------------------------------

    pub fn breaks(&mut self) {
        if self.healing {
            return;
        }
        let (what, at, ms) = (self.random.below(12), self.one_of(self.devices.len()), self.span(BROKEN_MS));
        match what {
            0..=2 if !self.network.is_parted() => {
                self.network.part(self.devices.len(), &mut self.random);
                self.clock.after(ms, Happens::Joined);
            }
            3 => self.network.lost_percent = self.random.below(30),
            4..=5 if self.devices[at].up => {
                self.crash(at);
                self.clock.after(ms, Happens::Restart { device: at });
            }
            6 => {
                self.devices[at].journal.disk.slowest_ms = 600;
                self.clock.after(ms, Happens::QuickDisk { device: at });
            }
            7 => self.hang(at),
            8..=10 if self.devices[at].up && self.devices[at].journal.disk.waiting() == 0 => {
                // A backup is made, and put back in a moment: if nothing happened here since, nothing by which anybody decided is lost.
                let kept = self.devices[at].journal.disk.written().len();
                self.write(at, vec![Body::BackedUp], vec![]);
                self.write(at, vec![Body::BackedUp], vec![]);
                let ms = 1_000 + ms / 10;
                self.clock.after(ms, Happens::Restore { device: at, kept });
            }
            11 if self.devices[at].click.is_none() => {
                self.reclaim(at);
                self.clock.after(ms, Happens::Lent { device: at });
            }
            _ => {}
        }
        let ms = self.span(BREAKS_MS);
        self.clock.after(ms, Happens::Breaks);
    }

    /// A runner says nothing any more, though its process lives.
    fn hang(&mut self, at: usize) {
        let mut working = self.devices[at].memory.live.values_mut().filter(|live| live.stage == Stage::Works);
        if let Some(live) = working.next() {
            live.hangs = true;
        }
    }

    /// Cuts two devices off from each other just when one asks the other for a lease.
    pub fn cut_at_the_worst(&mut self, from: usize, to: usize, message: &Message) {
        let asks = matches!(message, Message::Schedule { .. }) && from != to && !self.healing;
        if asks && self.random.below(100) < CUT_PERCENT {
            let until_ms = self.clock.now_ms() + self.span(CUT_MS);
            self.network.cut(from, to, until_ms);
        }
    }
}
