//! What a device does for the runs that it executes: it leases, starts nothing without a delegation, keeps leases, and tells.

use crate::{
    Fault,
    device::{Live, Stage},
    message::{Message, Then, Timer, blob},
    requester::LEASE_MS,
    world::World,
};
use domain::{
    Did, PatchId, RunId,
    event::Body,
    fence,
    lease::{self, Admission, Beat, Lease},
    manifest::{Manifest, Work},
    placement::{self, Refusal},
    run::{Placed, Reason, Run, RunState},
};
use identity::{Delegation, Envelope, Key, envelope};
use std::rc::Rc;

/// How long a delegation is asked for, in milliseconds.
const DELEGATION_WAIT_MS: u64 = 45_000;
/// The pause between two tries, in milliseconds.
const DELEGATION_PAUSE_MS: u64 = 1_500;
/// The pause between two steps of an engine, in milliseconds.
const STEP_MS: u64 = 12_000;
/// How long the gateway's answer is waited for, in milliseconds.
const SPEND_MS: u64 = 4_000;
/// How long an engine works, in milliseconds.
const WORK_MS: u64 = 140_000;

impl World {
    // --- Admission ------------------------------------------------------------------------------------------------------

    /// Answers a signed manifest with a lease or with reasons.
    pub fn admit(&mut self, at: usize, from: usize, call: u64, sealed: &Rc<Envelope>) {
        let caller = self.devices[from].did.clone();
        let Ok((wanted, _)) = identity::manifest::open(sealed, |signer| *signer == caller) else { return };
        let (hash, known) = (envelope::hash(sealed), self.devices[at].run(&wanted.run));
        if let Some(lease) = fence::leased_before(known.clone(), &caller, hash.clone()) {
            return self.schedule_answer(at, from, call, &wanted.run, Admission::Leased { lease }, 0);
        }
        let mut reasons = placement::refusals(&wanted, &self.devices[at].capacity());
        reasons.extend(fence::leases(known.as_ref().map(fence::Known::from).as_ref(), &hash));
        if from != at && self.settings.fault != Some(Fault::GuestsTaken) {
            reasons.extend(self.devices[at].reclaimed().map(|why| Refusal::Reclaimed { why }));
        }
        if self.now() > wanted.expires {
            reasons.push(Refusal::Expired);
        }
        if !reasons.is_empty() {
            return self.schedule_answer(at, from, call, &wanted.run, Admission::Refused { reasons }, 0);
        }
        let (here, after) = (self.devices[at].did.clone(), self.devices[at].journal.known.tail.seq.0);
        let until = self.now().plus_ms(LEASE_MS);
        let lease = Lease { id: self.ulid().parse().unwrap(), run: wanted.run.clone(), manifest: hash, device: here, until };
        self.devices[at].blobs.insert(blob(sealed), sealed.clone());
        let bodies = self.leased(at, from, known.is_none(), &wanted, &lease, sealed);
        let run = wanted.run.clone();
        self.write(at, bodies, vec![Then::Drive { run }]);
        self.schedule_answer(at, from, call, &wanted.run, Admission::Leased { lease }, after);
    }

    fn schedule_answer(&mut self, at: usize, to: usize, call: u64, run: &RunId, admission: Admission, after: u64) {
        let message = Message::Scheduled { call, run: run.clone(), admission, after };
        self.later(at, Then::Send { to, message });
    }

    fn leased(&mut self, at: usize, from: usize, new: bool, wanted: &Manifest, lease: &Lease, sealed: &Envelope) -> Vec<Body> {
        let Work::Task { task, base, continues, .. } = &wanted.work else { unreachable!("it is a task") };
        let (run, device) = (lease.run.clone(), lease.device.clone());
        let placed = Placed {
            manifest: lease.manifest.clone(),
            envelope: blob(sealed),
            base: base.clone(),
            spec_hash: None,
            from: None,
            left: None,
            device: Some(device.clone()),
        };
        let asked = new.then(|| {
            Box::new(Run {
                id: run.clone(),
                member: wanted.member.clone(),
                requester: wanted.requester.clone(),
                continues: continues.clone(),
                manifest: Some(placed.manifest.clone()),
                envelope: Some(placed.envelope.clone()),
                asked: placed.device.clone(),
                ..self.new_run(at, task)
            })
        });
        let placed = (from != at && !new).then(|| Body::RunPlaced { run: run.clone(), placed });
        let leased = Body::RunLeased { run, lease: lease.id.clone(), device, until: lease.until, reserved: wanted.resources, asked };
        placed.into_iter().chain([leased]).collect()
    }

    // --- Starting -------------------------------------------------------------------------------------------------------

    /// The runner of a run that was leased makes its key, for which the delegation is asked.
    pub fn drive(&mut self, at: usize, id: &RunId) {
        let Some(run) = self.devices[at].run(id).filter(|run| run.state == RunState::Starting) else { return };
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&self.number().to_be_bytes());
        let (requester, now_ms) = (self.places[&run.requester], self.clock.now_ms());
        let live = Live {
            requester,
            key: Key::from_seed(&seed).did(),
            stage: Stage::Waits,
            since_ms: now_ms,
            heard_ms: now_ms,
            hangs: false,
            done_ms: 0,
            call: None,
        };
        self.devices[at].memory.live.insert(id.clone(), live);
        self.ask_delegation(at, id);
    }

    pub fn ask_delegation(&mut self, at: usize, id: &RunId) {
        let now_ms = self.clock.now_ms();
        let Some(live) = self.devices[at].memory.live.get(id).filter(|live| live.stage == Stage::Waits) else { return };
        let (to, key, since_ms) = (live.requester, live.key.clone(), live.since_ms);
        if now_ms > since_ms + DELEGATION_WAIT_MS {
            let reason = Reason::Hindered { message: "The delegation of its key did not come.".into() };
            return self.end(at, id, RunState::Failed, reason);
        }
        self.send(at, to, Message::Delegate { run: id.clone(), key });
        self.timer(at, DELEGATION_PAUSE_MS, Timer::Delegate { run: id.clone() });
    }

    /// The delegation came, or was refused. Without one nothing starts.
    pub fn delegated(&mut self, at: usize, id: &RunId, key: &Did, sealed: Option<&Envelope>) {
        let waits = |live: &&Live| live.stage == Stage::Waits && live.key == *key;
        if self.devices[at].memory.live.get(id).filter(waits).is_none() {
            return;
        }
        let Some(run) = self.devices[at].run(id) else { return };
        let refused = |message: String| Reason::Hindered { message };
        let Some(sealed) = sealed else {
            return self.end(at, id, RunState::Failed, refused("The delegation of its key was refused.".into()));
        };
        let (_, asked) = self.manifest(at, &run);
        let accepted = Delegation::accept(sealed, &asked, id, key, self.now());
        if let (Err(problem), true) = (accepted, self.settings.fault != Some(Fault::FencingSkipped)) {
            return self.end(at, id, RunState::Failed, refused(problem.to_string()));
        }
        if let Some(live) = self.devices[at].memory.live.get_mut(id) {
            live.stage = Stage::Begins;
        }
        let mut bodies = vec![];
        if run.requester != self.devices[at].did {
            let delegation = blob(sealed);
            self.devices[at].blobs.insert(delegation.clone(), Rc::new(sealed.clone()));
            bodies.push(Body::RunDelegated { run: id.clone(), key: key.clone(), delegation });
        }
        for to in [RunState::Preparing, RunState::Working] {
            bodies.push(Body::RunMoved { run: id.clone(), to, reason: None });
        }
        self.write(at, bodies, vec![Then::Begin { run: id.clone() }]);
    }

    /// The engine begins.
    pub fn begin(&mut self, at: usize, id: &RunId) {
        let now_ms = self.clock.now_ms();
        let work_ms = 10_000 + self.random.below(WORK_MS);
        let Some(live) = self.devices[at].memory.live.get_mut(id) else { return };
        (live.stage, live.heard_ms, live.done_ms) = (Stage::Works, now_ms, now_ms + work_ms);
        self.oracle.works(now_ms, at, live.requester, id);
        self.oracle.begins(now_ms, at, id);
        self.timer(at, STEP_MS, Timer::Engine { run: id.clone() });
    }

    // --- Working --------------------------------------------------------------------------------------------------------

    /// The engine goes on: it calls its model, or is done.
    pub fn engine(&mut self, at: usize, id: &RunId) {
        let now_ms = self.clock.now_ms();
        let Some(live) = self.devices[at].memory.live.get_mut(id).filter(|live| live.stage == Stage::Works) else { return };
        if live.hangs {
            return;
        }
        self.oracle.works(now_ms, at, live.requester, id);
        if now_ms >= live.done_ms {
            live.stage = Stage::Publishes;
            return self.publish(at, id);
        }
        let number = self.number();
        if let Some(live) = self.devices[at].memory.live.get_mut(id) {
            live.call = Some((number, now_ms));
        }
        self.call_model(at, id, number);
    }

    fn call_model(&mut self, at: usize, id: &RunId, number: u64) {
        let Some(live) = self.devices[at].memory.live.get(id) else { return };
        let to = live.requester;
        self.send(at, to, Message::Spend { run: id.clone(), number });
        self.timer(at, SPEND_MS, Timer::Spend { run: id.clone(), number });
    }

    /// The gateway did not answer: the run is frozen, and ends when that lasts longer than a lease.
    pub fn call_again(&mut self, at: usize, id: &RunId, number: u64) {
        let Some(live) = self.devices[at].memory.live.get(id) else { return };
        let Some((_, since_ms)) = live.call.filter(|(of, _)| *of == number) else { return };
        if self.clock.now_ms() > since_ms + LEASE_MS {
            let device = self.devices[live.requester].did.clone();
            return self.end(at, id, RunState::Evicted, Reason::WaitsForGateway { device });
        }
        self.call_model(at, id, number);
    }

    pub fn spent(&mut self, at: usize, id: &RunId, number: u64, granted: bool) {
        let Some(live) = self.devices[at].memory.live.get_mut(id) else { return };
        if live.call.is_none_or(|(of, _)| of != number) {
            return;
        }
        live.call = None;
        if granted {
            let ms = 1_000 + self.random.below(STEP_MS);
            return self.timer(at, ms, Timer::Engine { run: id.clone() });
        }
        self.end(at, id, RunState::Failed, Reason::BudgetSpent { message: "The gateway refused.".into() });
    }

    /// The work is done: it is verified, and its patch published.
    fn publish(&mut self, at: usize, id: &RunId) {
        let patch: PatchId = format!("{:040x}", self.number()).parse().unwrap();
        let published = Body::PatchPublished {
            run: id.clone(),
            revision: patch.as_str().parse().unwrap(),
            commit: patch.as_str().parse().unwrap(),
            patch,
        };
        let moved = |to, reason| Body::RunMoved { run: id.clone(), to, reason };
        let rest = vec![moved(RunState::Publishing, None), published, moved(RunState::Done, Some(Reason::Completed))];
        self.devices[at].memory.live.remove(id);
        self.oracle.stops(at, id);
        self.write(at, vec![moved(RunState::Verifying, None)], vec![Then::Publish { run: id.clone(), bodies: rest }]);
    }

    /// Its checks have ended: its patch is published, unless it was sent away meanwhile.
    pub fn verified(&mut self, at: usize, id: &RunId, bodies: Vec<Body>) {
        if self.devices[at].run(id).is_some_and(|run| !run.state.ended()) {
            self.write(at, bodies, vec![]);
        }
    }

    /// A run that is executed here ends.
    pub fn end(&mut self, at: usize, id: &RunId, to: RunState, reason: Reason) {
        self.devices[at].memory.live.remove(id);
        self.oracle.stops(at, id);
        if self.devices[at].run(id).is_some_and(|run| !run.state.ended()) {
            let ended = Body::RunMoved { run: id.clone(), to, reason: Some(reason) };
            self.write(at, vec![ended], vec![Then::TakeUp { run: id.clone() }]);
        }
    }

    /// Leases of what is executed here go on while the runner is heard of.
    pub fn look_after_leases(&mut self, at: usize) {
        let (now, now_ms, here) = (self.now(), self.clock.now_ms(), self.devices[at].did.clone());
        for run in self.devices[at].active() {
            let Some(live) = self.devices[at].memory.live.get_mut(&run.id) else { continue };
            if !run.state.holds_slot() || run.device.as_ref() != Some(&here) {
                continue;
            }
            if !live.hangs {
                live.heard_ms = now_ms;
            }
            match lease::beat(run.lease_until, now_ms - live.heard_ms, now, LEASE_MS) {
                Beat::Over => {
                    let seconds = (now_ms - live.heard_ms) / 1_000;
                    self.end(at, &run.id, RunState::Lost, Reason::RunnerSilent { seconds });
                }
                Beat::Renew(until) if self.settings.fault != Some(Fault::LostRenewal) => {
                    self.write(at, vec![Body::LeaseRenewed { run: run.id.clone(), until }], vec![]);
                }
                Beat::Renew(_) | Beat::Lasts => {}
            }
        }
    }

    /// Tells the device that asked for a run what is on disk of it.
    pub fn tell(&mut self, at: usize, from: usize, call: u64, id: &RunId, after: u64) {
        let (caller, device) = (&self.devices[from].did, &self.devices[at]);
        let facts = device.run(id).filter(|run| run.requester == *caller).map(|_| device.facts(id, after));
        self.send(at, from, Message::Told { call, run: id.clone(), facts });
    }
}
