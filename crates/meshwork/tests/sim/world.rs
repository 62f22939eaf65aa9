//! The simulated world: devices on one clock and one network, and what happens in it, one thing after the other.
//!
//! What devices decide by is production code: the links of journals (`store::link`), projections and the decisions of `domain`, signed
//! manifests and delegations (`identity`). What carries that out, in the product async code over gRPC and SQLite, is played here by
//! messages and timers.

use crate::{
    Fault,
    device::{Device, Memory, QUICK_MS, TAG},
    invariants::{Broken, Invariant, Oracle},
    message::{Happens, Heard, Message, Then, Timer},
};
use domain::{
    Did, RunId, TaskRef, Timestamp,
    event::{self, Body, Event, kind},
    limits::RESUME_ATTEMPTS_MAX,
    picture::{RunIn, Whole},
    run::{Reason, Run, RunState},
    task::Claim,
};
use serde_json::json;
use std::{collections::BTreeMap, rc::Rc};
use store::Point;
use testkit::{
    Random,
    sim::{Clock, Network},
};

/// Midnight, so that no day ends while the world turns.
const BEGINS_MS: u64 = 1_700_006_400_000;
/// For how long things break and people begin tasks.
const BREAKS_MS: u64 = 400_000;
/// How long everything has afterwards to come to rest.
const RESTS_MS: u64 = 3_600_000;
/// How often a device looks by itself.
const TICK_MS: u64 = 5_000;
/// How long messages take at the most.
const SLOWEST_MS: u64 = 120;
/// How many groups of a journal are sent at once.
const PIECES_MAX: usize = 64;

/// What a world is made from.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub devices: usize,
    pub seed: u64,
    pub fault: Option<Fault>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub done: usize,
    pub elsewhere: usize,
    pub ended: usize,
    pub accepted: usize,
    pub crashes: usize,
    pub restores: usize,
    pub found: usize,
    pub reclaims: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.elsewhere += other.elsewhere;
        self.ended += other.ended;
        self.accepted += other.accepted;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.found += other.found;
        self.reclaims += other.reclaims;
    }
}

/// The world.
#[derive(Debug)]
pub struct World {
    pub clock: Clock<Happens>,
    pub network: Network,
    pub random: Random,
    pub devices: Vec<Device>,
    pub places: BTreeMap<Did, usize>,
    pub oracle: Oracle,
    pub settings: Settings,
    pub healing: bool,
    pub tally: Tally,
    numbers: u64,
    rested: bool,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        let devices: Vec<Device> = (0..settings.devices).map(Device::new).collect();
        let places = devices.iter().enumerate().map(|(at, device)| (device.did.clone(), at)).collect();
        let seed = settings.seed.wrapping_mul(1_000).wrapping_add(settings.devices as u64);
        let mut world = Self {
            clock: Clock::new(BEGINS_MS),
            network: Network::new(SLOWEST_MS),
            random: Random::of(seed, String::new()),
            oracle: Oracle::new(settings.devices),
            devices,
            places,
            settings,
            healing: false,
            tally: Tally::default(),
            numbers: 0,
            rested: false,
        };
        for at in 0..settings.devices {
            world.started(at);
            let first_ms = world.random.below(TICK_MS);
            world.clock.after(first_ms, Happens::Tick { device: at });
        }
        world.clock.after(0, Happens::People);
        world.clock.after(0, Happens::Breaks);
        world.clock.after(BREAKS_MS, Happens::Heal);
        world
    }

    /// Turns until everything has come to rest, or something is broken that must hold.
    pub fn turn(mut self) -> Result<Tally, Broken> {
        while let Some(happens) = self.clock.next_due() {
            self.happens(happens);
            self.oracle.look(self.clock.now_ms());
            if let Some(broken) = self.oracle.broken.take() {
                return Err(broken);
            }
            if self.rested {
                break;
            }
        }
        Ok(self.tally)
    }

    fn happens(&mut self, happens: Happens) {
        match happens {
            Happens::Tick { device } => {
                self.clock.after(TICK_MS, Happens::Tick { device });
                if self.devices[device].up {
                    self.tick(device);
                }
            }
            Happens::Arrives { from, to, message } if self.devices[to].up => {
                self.cut_at_the_worst(from, to, &message);
                self.receive(to, from, message);
            }
            Happens::Written { device, boot } if self.devices[device].boot == boot => self.written(device),
            Happens::Timer { device, boot, timer } if self.devices[device].boot == boot => self.rings(device, timer),
            Happens::Arrives { .. } | Happens::Written { .. } | Happens::Timer { .. } => {}
            Happens::Restart { device } => self.restart(device),
            Happens::Restore { device, kept } => self.restore(device, kept),
            Happens::Lent { device } => self.lend(device),
            Happens::People => self.people(),
            Happens::Breaks => self.breaks(),
            Happens::Joined => self.network.join(),
            Happens::QuickDisk { device } => self.devices[device].journal.disk.slowest_ms = QUICK_MS,
            Happens::Heal => self.heal(),
            Happens::Rest => self.rest(),
        }
    }

    fn tick(&mut self, at: usize) {
        self.announce(at);
        self.ask_for_journals(at);
        self.send_guests_away(at);
        self.look_after_leases(at);
        self.dispatch(at);
        let following: Vec<RunId> = self.devices[at].memory.following.keys().cloned().collect();
        following.iter().for_each(|run| self.watch(at, run));
    }

    fn receive(&mut self, at: usize, from: usize, message: Message) {
        match message {
            Message::Probe { call, run } => self.send(at, from, Message::Probed { call, run }),
            Message::Probed { call, run } => self.probed(at, &run, call),
            Message::Schedule { call, sealed } => self.admit(at, from, call, &sealed),
            Message::Scheduled { call, run, admission, after } => self.answered(at, from, call, &run, admission, after),
            Message::Delegate { run, key } => self.delegate(at, from, &run, key),
            Message::Delegated { run, key, sealed } => self.delegated(at, &run, &key, sealed.as_deref()),
            Message::Watch { call, run, after } => self.tell(at, from, call, &run, after),
            Message::Told { call, run, facts } => self.hear(at, from, call, &run, facts),
            Message::Spend { run, number } => self.spend(at, from, &run, number),
            Message::Spent { run, number, granted } => self.spent(at, &run, number, granted),
            Message::Journal { after } => {
                let pieces = self.devices[at].journal.after(after, PIECES_MAX);
                if !pieces.is_empty() {
                    self.send(at, from, Message::Pieces { after, pieces });
                }
            }
            Message::Pieces { after, pieces } => self.copy(at, from, after, &pieces),
            Message::Gossip { heard } => self.hears_of(at, &heard),
        }
    }

    fn rings(&mut self, at: usize, timer: Timer) {
        match timer {
            Timer::Answer { run, call } => self.late(at, &run, call),
            Timer::Watch { run, call } => self.unheard(at, &run, call),
            Timer::Delegate { run } => self.ask_delegation(at, &run),
            Timer::Engine { run } => self.engine(at, &run),
            Timer::Spend { run, number } => self.call_again(at, &run, number),
            Timer::Settle { run, number, by, ids, held } => self.settle(at, &run, number, by, ids, held),
        }
    }

    pub fn perform(&mut self, at: usize, then: Then) {
        match then {
            Then::Send { to, message } => self.send(at, to, message),
            Then::Ask { run, call, to } => self.ask_now(at, &run, call, to),
            Then::Drive { run } => self.drive(at, &run),
            Then::Begin { run } => self.begin(at, &run),
            Then::Publish { run, bodies } => self.verified(at, &run, bodies),
            Then::GiveBack { ids, call } => self.devices[at].memory.promised.give_back(&ids, call),
            Then::TakeUp { run } => self.take_up(at, &run),
        }
    }

    // --- What all use ---------------------------------------------------------------------------------------------------

    pub fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.clock.now_ms()).unwrap())
    }

    /// A number that nothing else has.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A new id of a run or a lease.
    pub fn ulid(&mut self) -> String {
        format!("{:026}", self.number())
    }

    pub fn send(&mut self, from: usize, to: usize, message: Message) {
        let now_ms = self.clock.now_ms();
        if let Some(ms) = self.network.carry(&mut self.random, now_ms, from, to) {
            self.clock.after(ms, Happens::Arrives { from, to, message });
        }
    }

    pub fn timer(&mut self, at: usize, ms: u64, timer: Timer) {
        let boot = self.devices[at].boot;
        self.clock.after(ms, Happens::Timer { device: at, boot, timer });
    }

    pub fn event(&self, at: usize, body: Body) -> Event {
        Event { version: event::VERSION, at: self.now(), actor: self.devices[at].did.clone(), via: None, told: None, body }
    }

    pub fn write(&mut self, at: usize, bodies: Vec<Body>, thens: Vec<Then>) {
        let events: Vec<Event> = bodies.into_iter().map(|body| self.event(at, body)).collect();
        self.write_events(at, &events, thens);
    }

    pub fn write_events(&mut self, at: usize, events: &[Event], thens: Vec<Then>) {
        let now_ms = self.clock.now_ms();
        let device = &mut self.devices[at];
        let ms = device.journal.append(&mut self.random, now_ms, events);
        device.thens.push_back(thens);
        self.clock.after(ms, Happens::Written { device: at, boot: device.boot });
    }

    /// Does something once all that was decided before is on disk.
    pub fn later(&mut self, at: usize, then: Then) {
        if let Some(then) = self.devices[at].after_disk(then) {
            self.perform(at, then);
        }
    }

    fn written(&mut self, at: usize) {
        let Some(piece) = self.devices[at].journal.written() else { return };
        self.durable(at, &piece);
        let thens = self.devices[at].thens.pop_front().unwrap_or_default();
        for then in thens {
            self.perform(at, then);
        }
    }

    /// A group is on disk: others may know of it.
    fn durable(&mut self, at: usize, piece: &Rc<store::Piece>) {
        let now_ms = self.clock.now_ms();
        self.oracle.durable(now_ms, at, piece, &self.devices[at]);
        let before = self.devices[at].journal.disk.written().iter().rev().nth(1).map(|piece| piece.end());
        for to in (0..self.devices.len()).filter(|to| *to != at) {
            self.send(at, to, Message::Pieces { after: before.unwrap_or_default(), pieces: vec![piece.clone()] });
        }
    }

    // --- Gossip and copies ----------------------------------------------------------------------------------------------

    fn announce(&mut self, at: usize) {
        let (now_ms, others) = (self.clock.now_ms(), self.devices.len() as u64);
        let device = &mut self.devices[at];
        device.announced += 1;
        let own = Heard { number: device.announced, capacity: Rc::new(device.capacity()), at_ms: now_ms };
        device.memory.heard.insert(at, own);
        let heard = Rc::new(device.memory.heard.clone());
        for _ in 0..2 {
            let to = usize::try_from(self.random.below(others)).unwrap();
            self.send(at, to, Message::Gossip { heard: heard.clone() });
        }
    }

    fn hears_of(&mut self, at: usize, heard: &BTreeMap<usize, Heard>) {
        let now_ms = self.clock.now_ms();
        let known = &mut self.devices[at].memory.heard;
        for (of, new) in heard.iter().filter(|(of, _)| **of != at) {
            if known.get(of).is_none_or(|before| before.number < new.number) {
                known.insert(*of, Heard { at_ms: now_ms, ..new.clone() });
            }
        }
    }

    fn ask_for_journals(&mut self, at: usize) {
        let (all, turn) = (self.devices.len(), usize::try_from(self.devices[at].announced).unwrap());
        let asked = if self.healing { 4 } else { 1 };
        for further in 0..asked {
            let to = (at + 1 + (turn * asked + further) % (all - 1)) % all;
            let after = self.devices[at].copies.get(&to).map(|copy| copy.tail.point()).unwrap_or_default();
            self.send(at, to, Message::Journal { after });
        }
    }

    /// As on a stream, only what follows on what is here is taken; else the rest is asked for.
    fn copy(&mut self, at: usize, from: usize, after: Point, pieces: &[Rc<store::Piece>]) {
        let did = self.devices[from].did.clone();
        let copy = self.devices[at].copies.entry(from).or_insert_with(|| crate::journal::Known::empty(did));
        let (here, end) = (copy.tail.point(), pieces.last().map(|piece| piece.end()).unwrap_or_default());
        if after != here {
            if end > here {
                self.send(at, from, Message::Journal { after: here });
            }
            return;
        }
        if let Some(why) = pieces.iter().find_map(|piece| copy.take(piece).err()) {
            return self.oracle.breaks(self.clock.now_ms(), Invariant::Chain, format!("device {at} has of {from}: {why}"));
        }
        pieces.iter().for_each(|piece| self.oracle.copied(at, piece));
    }

    // --- Crashes and starts ---------------------------------------------------------------------------------------------

    pub fn crash(&mut self, at: usize) {
        self.tally.crashes += 1;
        let device = &mut self.devices[at];
        let kept = usize::try_from(self.random.below(device.journal.disk.waiting() as u64 + 1)).unwrap();
        device.journal.disk.crash(kept);
        (device.up, device.memory) = (false, Memory::default());
        device.boot += 1;
        device.thens.clear();
        self.oracle.crashed(at);
    }

    fn restart(&mut self, at: usize) {
        if self.devices[at].up {
            return;
        }
        self.devices[at].up = true;
        if let Err(why) = self.devices[at].journal.read() {
            return self.oracle.breaks(self.clock.now_ms(), Invariant::Chain, format!("device {at} reads its own journal: {why}"));
        }
        self.oracle.read_again(self.clock.now_ms(), at, &self.devices[at]);
        self.started(at);
        self.recover(at);
    }

    /// Its process begins.
    fn started(&mut self, at: usize) {
        let started = self.event(at, Body::DeviceStarted { version: format!("sim-{}", self.clock.now_ms()), demo: false });
        let now_ms = self.clock.now_ms();
        let piece = self.devices[at].journal.append_now(now_ms, &[started]);
        self.durable(at, &piece);
    }

    /// An older copy of the journal is put in its place, where it lacks nothing by which anybody decided.
    fn restore(&mut self, at: usize, kept: usize) {
        let journal = &self.devices[at].journal;
        let backed_up = journal.events.iter().rev().take(2).all(|(_, event)| matches!(event.body, Body::BackedUp));
        let quiet = backed_up && journal.disk.waiting() == 0 && journal.disk.written().len() == kept + 2;
        if self.healing || !self.devices[at].up || !quiet {
            return;
        }
        self.tally.restores += 1;
        self.crash(at);
        self.devices[at].journal.disk.restore(kept);
        self.devices[at].up = true;
        self.devices[at].journal.read().unwrap();
        self.oracle.restored(at, self.devices[at].journal.known.tail.seq.0);
        let now_ms = self.clock.now_ms();
        if self.settings.fault != Some(Fault::ForkedJournal) {
            let _ = self.devices[at].journal.begin(now_ms);
            let restored = self.event(at, Body::Restored);
            let piece = self.devices[at].journal.append_now(now_ms, &[restored]);
            self.durable(at, &piece);
        }
        self.started(at);
        self.recover(at);
    }

    /// After a start: what was executed here is over, what others execute is followed, what ended is taken up again.
    fn recover(&mut self, at: usize) {
        let here = self.devices[at].did.clone();
        for run in self.devices[at].active() {
            if run.state.holds_slot() && run.device.as_ref() == Some(&here) {
                self.end(at, &run.id, RunState::Lost, Reason::Vanished { message: "The device crashed.".into() });
            } else if let (Some(told), Some(there)) = (&run.told, run.elsewhere(&here)) {
                let to = self.places[there];
                self.follow(at, &run, to, told.seq);
            }
        }
        let claims: Vec<(u64, Claim)> = self.devices[at].journal.known.list(kind::CLAIM);
        for last in claims.iter().filter_map(|(_, claim)| claim.runs.last()) {
            self.later(at, Then::TakeUp { run: last.clone() });
        }
    }

    /// A run that was lost or evicted goes on as a new one.
    fn take_up(&mut self, at: usize, id: &RunId) {
        let device = &self.devices[at];
        let Some(run) = device.run(id) else { return };
        let Some((task, attempt)) = run.task.clone().zip(run.next_attempt(&device.did)) else { return };
        let newest = device.claim(&task.to_string()).is_some_and(|own| own.claim.runs.last() == Some(id));
        if newest {
            let next = Run { attempt, continues: Some(id.clone()), ..self.new_run(at, &task) };
            self.write(at, vec![Body::RunQueued { run: Box::new(next) }], vec![]);
        }
    }

    pub fn new_run(&mut self, at: usize, task: &TaskRef) -> Run {
        let (id, device) = (self.ulid(), &self.devices[at]);
        let tags: BTreeMap<&str, &str> = task.task.as_str().ends_with(['3', '6', '9']).then_some(TAG).into_iter().collect();
        let run = json!({
            "id": id, "class": "agent", "project": task.project, "task": task, "agent": "coder", "member": device.member,
            "requester": device.did, "state": "queued", "queued_at": self.clock.now_ms(), "tags": tags,
        });
        serde_json::from_value(run).unwrap()
    }

    // --- The end --------------------------------------------------------------------------------------------------------

    fn heal(&mut self) {
        self.healing = true;
        self.network.heal();
        for at in 0..self.devices.len() {
            self.devices[at].journal.disk.slowest_ms = QUICK_MS;
            self.lend(at);
            self.restart(at);
        }
        self.clock.after(10_000, Happens::Rest);
    }

    fn rest(&mut self) {
        let over = self.clock.now_ms() >= BEGINS_MS + BREAKS_MS + RESTS_MS;
        match self.unrest() {
            Some(what) if over => self.oracle.breaks(self.clock.now_ms(), Invariant::Settled, what),
            Some(_) => self.clock.after(10_000, Happens::Rest),
            None => self.at_rest(),
        }
    }

    /// What still goes on.
    fn unrest(&self) -> Option<String> {
        for (at, device) in self.devices.iter().enumerate() {
            if let Some(run) = device.active().first() {
                return Some(format!("device {at} has the run {} of {} {:?}: {:?}", run.id, run.requester, run.state, run.reason));
            }
            if device.journal.disk.waiting() > 0 {
                return Some(format!("device {at} still writes"));
            }
            let behind = |(of, other): &(usize, &Device)| {
                *of != at && device.copies.get(of).is_none_or(|copy| copy.tail.point() != other.journal.known.tail.point())
            };
            if let Some((of, _)) = self.devices.iter().enumerate().find(behind) {
                return Some(format!("device {at} has not all of the journal of {of}"));
            }
        }
        None
    }

    /// Everything has come to rest: all have the same picture, and each run ended with a reason.
    fn at_rest(&mut self) {
        let now_ms = self.clock.now_ms();
        self.rested = true;
        self.oracle.rests(now_ms);
        let first = self.whole(0);
        for at in 0..self.devices.len() {
            if self.whole(at) != first {
                self.oracle.breaks(now_ms, Invariant::Convergence, format!("device {at} has another picture of the org than device 0"));
            }
            for of in (0..self.devices.len()).filter(|of| *of != at) {
                if self.devices[at].copies[&of].picture != self.devices[of].journal.known.picture {
                    self.oracle.breaks(now_ms, Invariant::Convergence, format!("device {at} projects the journal of {of} otherwise"));
                }
            }
            let device = &self.devices[at];
            let runs: Vec<(u64, Run)> = device.journal.known.list(kind::RUN);
            for (_, run) in runs.iter().filter(|(_, run)| run.requester == device.did) {
                self.tally.ended += 1;
                self.tally.done += usize::from(run.state == RunState::Done);
                self.tally.elsewhere += usize::from(run.state == RunState::Done && run.device.as_ref() != Some(&device.did));
                if run.reason.is_none() {
                    self.oracle.breaks(now_ms, Invariant::Settled, format!("the run {} ended without a reason", run.id));
                }
                // For each task there is a device that could.
                let refused = run.state == RunState::Failed && matches!(run.reason, Some(Reason::Refused { .. }));
                if refused && run.attempt < RESUME_ATTEMPTS_MAX {
                    self.oracle.breaks(now_ms, Invariant::Settled, format!("nobody took the run {}: {:?}", run.id, run.refused));
                }
            }
        }
    }

    /// The hash of all that counts of the journals that a device knows.
    fn whole(&self, at: usize) -> domain::Hash {
        let device = &self.devices[at];
        let known = std::iter::once(&device.journal.known).chain(device.copies.values());
        let (mut runs, mut claims) = (vec![], vec![]);
        for known in known {
            let journal = &known.tail.device;
            let found = known.list::<Run>(kind::RUN).into_iter();
            runs.extend(found.map(|(seq, run)| RunIn { journal: journal.clone(), seq, run }));
            let found = known.list::<Claim>(kind::CLAIM).into_iter();
            claims.extend(found.map(|(_, claim)| (journal.clone(), claim)));
        }
        identity::envelope::hash_bytes(&identity::canonical(&Whole::new(runs, claims)).unwrap())
    }
}
