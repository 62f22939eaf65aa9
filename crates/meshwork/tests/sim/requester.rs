//! What a device does for the runs that it asks for: it places them, signs for their keys, and pays for them. Whom it asks, and what
//! becomes of a run that nobody takes, `domain::placement` says; whether it may ask, or sign, `domain::fence`.

use crate::{
    Fault,
    device::Asking,
    message::{Message, Then, Timer, blob},
    world::World,
};
use domain::{
    Did, Hash, Oid, RunId, Timestamp,
    capacity::{Capacity, Resources},
    event::{Body, kind, spent_id},
    fence::{self, Asked},
    lease::Admission,
    manifest::{self, Class, Manifest, Network, TimeLimits, Work},
    placement::{self, Avoid, Candidate, Decision, Refusal, Request, Round, Snapshot, Untaken, Verdict},
    quota::{Period, Quotas},
    run::{Placed, Reason, Run, RunState},
    spend::{Line, NotHeld},
    usage::{Budget, ModelCall, Usage},
};
use identity::{Delegation, Envelope, envelope};
use std::{collections::BTreeMap, mem, rc::Rc};

/// How long a lease lasts without a heartbeat, in milliseconds.
pub const LEASE_MS: u64 = 60_000;
/// How long a manifest counts that another device is sent, in milliseconds.
const ASKED_VALID_MS: u64 = 10_000;
/// How long one counts that this device itself is asked with, in milliseconds.
const MANIFEST_VALID_MS: u64 = 60_000;
/// How long the answer to a probe is waited for, in milliseconds.
const PROBE_MS: u64 = 1_000;
/// How long a lease or a refusal is waited for, in milliseconds.
const SCHEDULE_MS: u64 = 3_000;
/// How long a refusal counts, in milliseconds.
const REFUSAL_COUNTS_MS: u64 = 15_000;
/// After how long a device that is not heard of is suspected, in milliseconds.
pub const SUSPECTED_MS: u64 = 30_000;
/// What a call of a model may use at the most, in tokens.
const CALL_TOKENS: u64 = 40;

impl World {
    // --- Placing --------------------------------------------------------------------------------------------------------

    /// Looks at the runs that wait.
    pub fn dispatch(&mut self, at: usize) {
        let here = self.devices[at].did.clone();
        for run in self.devices[at].active() {
            let memory = &self.devices[at].memory;
            let busy = memory.asking.contains_key(&run.id) || memory.following.contains_key(&run.id);
            if run.requester != here || !run.state.waits() || busy {
                continue;
            }
            match fence::asked(&run, &here) {
                Some(Asked::Runs(device)) => self.follow(at, &run, self.places[&device], 0),
                Some(Asked::Unanswered(device)) if self.now() < self.manifest(at, &run).0.expires => {
                    let (to, call) = (self.places[&device], self.number());
                    let again = Asking { to, call, sent: true, again: true, ..asking(&run, &here, Decision::default()) };
                    self.devices[at].memory.asking.insert(run.id.clone(), again);
                    self.schedule(at, &run, call, to);
                }
                _ => self.plan(at, &run),
            }
        }
    }

    fn plan(&mut self, at: usize, run: &Run) {
        let wanted = self.draft(at, run, ASKED_VALID_MS);
        let mut decision = self.decide(at, run, &wanted);
        let here = &self.devices[at].did;
        // Whom the scores put first is chance here: so others are asked as often as the device itself.
        if self.random.below(2) == 0 {
            decision.order.sort_by_key(|did| did == here);
        }
        let asking = asking(run, here, decision);
        self.devices[at].memory.asking.insert(run.id.clone(), asking);
        self.ask_next(at, &run.id);
    }

    /// What a device said of a run, as long as it counts: room may come back, what it never takes counts for good.
    fn said_no(&self, at: usize, id: &RunId, did: &Did) -> Option<&Vec<Refusal>> {
        let (at_ms, reasons) = self.devices[at].memory.refused.get(&(id.clone(), did.clone()))?;
        let counts = !Refusal::may_take_later(reasons) || self.clock.now_ms() < at_ms + REFUSAL_COUNTS_MS;
        counts.then_some(reasons)
    }

    /// Why a device does not take a run, by its own word, or by what the planner said of it before any was asked.
    fn why_not(&self, at: usize, id: &RunId, did: &Did, looked: &[Verdict]) -> Vec<Refusal> {
        let verdict = || looked.iter().find(|verdict| verdict.device == *did).map(|verdict| verdict.refusals.clone());
        let said = self.said_no(at, id, did).cloned().or_else(verdict);
        let mut reasons = said.unwrap_or_else(|| vec![Refusal::NotKnown { message: "Nothing was heard of it yet.".into() }]);
        if self.settings.fault == Some(Fault::LeaseForgotten) {
            // It is like any other that never takes the run.
            let forgotten = reasons.iter_mut().filter(|reason| **reason == Refusal::LeasedBefore);
            forgotten.for_each(|reason| *reason = Refusal::NotShared);
        }
        reasons
    }

    /// Whom to ask, by what the planner says.
    fn decide(&self, at: usize, run: &Run, wanted: &Manifest) -> Decision {
        let (now_ms, device) = (self.clock.now_ms(), &self.devices[at]);
        let said = self.places.keys().filter_map(|did| Some((did, self.said_no(at, &run.id, did)?)));
        let avoid: BTreeMap<Did, Avoid> =
            said.map(|(did, said)| (did.clone(), Avoid::RefusedBefore { message: Refusal::texts(said) })).collect();
        let mut snapshot = Snapshot::new();
        for (of, heard) in &device.memory.heard {
            let (here, suspected) = (*of == at, now_ms > heard.at_ms + SUSPECTED_MS);
            let capacity = if here { device.capacity() } else { Capacity::clone(&heard.capacity) };
            snapshot.put(Candidate {
                device: self.devices[*of].did.clone(),
                owner: format!("member-{of}"),
                capacity,
                reclaimed: None,
                repositories: vec![],
                worked_at: 0,
                engines: vec![],
                suspected: suspected && !here,
                round_trip_ms: here.then_some(0),
            });
        }
        let member = format!("member-{at}");
        let request = Request { manifest: wanted, member: &member, engine: None, readers: None, avoid: &avoid, at: self.now() };
        placement::explain(&request, &snapshot)
    }

    fn draft(&self, at: usize, run: &Run, valid_ms: u64) -> Manifest {
        let commit: Oid = "a".repeat(40).parse().unwrap();
        Manifest {
            version: manifest::VERSION,
            org: "sim".parse().unwrap(),
            run: run.id.clone(),
            requester: self.devices[at].did.clone(),
            member: run.member.clone(),
            at: self.now(),
            expires: self.now().plus_ms(valid_ms),
            class: Class::Agent,
            work: Work::Task {
                repository: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(),
                task: run.task.clone().unwrap(),
                spec_hash: Hash::from_bytes([0; 32]),
                definitions: commit.clone(),
                agent: "coder".parse().unwrap(),
                base: commit,
                continues: run.continues.clone(),
                patch: None,
                rebase: false,
                from: None,
            },
            resources: Resources { cpu_milli: 1_000, memory_bytes: 500, disk_bytes: 500, gpus: 0 },
            tags: run.tags.clone(),
            runtime: None,
            network: Network::default(),
            limits: TimeLimits::default(),
            budget: Budget::default(),
            priority: run.priority,
            gave_way: 0,
            apart: None,
        }
    }

    /// The manifest with which a run was placed, and its signed form.
    pub fn manifest(&self, at: usize, run: &Run) -> (Manifest, Rc<Envelope>) {
        let sealed = self.devices[at].blobs[run.envelope.as_ref().unwrap()].clone();
        let (opened, _) = identity::manifest::open(&sealed, |signer| *signer == run.requester).unwrap();
        (opened, sealed)
    }

    fn ask_next(&mut self, at: usize, id: &RunId) {
        let call = self.number();
        let Some(asking) = self.devices[at].memory.asking.get_mut(id) else { return };
        let Some(did) = asking.round.ask() else { return self.nobody(at, id) };
        let to = self.places[&did];
        (asking.to, asking.call, asking.sent) = (to, call, false);
        if to == at {
            return self.placed(at, id, call, to);
        }
        self.send(at, to, Message::Probe { call, run: id.clone() });
        self.timer(at, PROBE_MS, Timer::Answer { run: id.clone(), call });
    }

    /// Nobody takes it now.
    fn nobody(&mut self, at: usize, id: &RunId) {
        let Some(asking) = self.devices[at].memory.asking.remove(id) else { return };
        self.oracle.exhausted(self.clock.now_ms(), id, asking.order, asking.refused);
        let Some(run) = self.devices[at].run(id) else { return };
        let each: Vec<_> = self.places.keys().map(|did| (did.clone(), self.why_not(at, id, did, &asking.looked))).collect();
        let untaken = Untaken::of(&run, &self.devices[at].did, &each, |did| self.said_no(at, id, did).is_some());
        let (to, reason) = untaken.moves("No device takes it.".into());
        let noted = run.state == to && run.reason.as_ref().is_some_and(|before| reason.still(before));
        if fence::may_move(&run, to, false) && !(noted && asking.untold.is_empty()) {
            let mut bodies = asking.untold;
            bodies.push(Body::RunMoved { run: id.clone(), to, reason: Some(reason) });
            let then = (untaken == Untaken::Anew).then(|| Then::TakeUp { run: id.clone() });
            self.write(at, bodies, then.into_iter().collect());
        }
    }

    pub fn probed(&mut self, at: usize, id: &RunId, call: u64) {
        let asking = self.devices[at].memory.asking.get(id).filter(|asking| asking.call == call && !asking.sent);
        if let Some(to) = asking.map(|asking| asking.to) {
            self.placed(at, id, call, to);
        }
    }

    /// Writes down which device is asked, and with what; then it is asked.
    fn placed(&mut self, at: usize, id: &RunId, call: u64, to: usize) {
        let run = self.devices[at].run(id).filter(|run| fence::may_move(run, RunState::Placing, true));
        let Some(run) = run else {
            self.devices[at].memory.asking.remove(id);
            return;
        };
        if self.takes_end(at, &run) {
            self.devices[at].memory.asking.remove(id);
            return;
        }
        let wanted = self.draft(at, &run, if to == at { MANIFEST_VALID_MS } else { ASKED_VALID_MS });
        let asked = self.devices[to].did.clone();
        let device = &mut self.devices[at];
        let sealed = envelope::seal(&wanted, manifest::PAYLOAD_TYPE, &device.did, |message| Ok(device.key.sign(message))).unwrap();
        let (hash, name) = (envelope::hash(&sealed), blob(&sealed));
        device.blobs.insert(name.clone(), Rc::new(sealed));
        let Work::Task { base, .. } = wanted.work else { unreachable!("it is a task") };
        let placed = Placed { manifest: hash, envelope: name, base, spec_hash: None, from: None, left: None, device: Some(asked) };
        let mut bodies = device.memory.asking.get_mut(id).map(|asking| mem::take(&mut asking.untold)).unwrap_or_default();
        bodies.push(Body::RunPlaced { run: id.clone(), placed });
        bodies.push(Body::RunMoved { run: id.clone(), to: RunState::Placing, reason: None });
        self.write(at, bodies, vec![Then::Ask { run: id.clone(), call, to }]);
    }

    pub fn ask_now(&mut self, at: usize, id: &RunId, call: u64, to: usize) {
        let asking = self.devices[at].memory.asking.get_mut(id).filter(|asking| asking.call == call);
        let Some(asking) = asking else { return };
        asking.sent = true;
        if let Some(run) = self.devices[at].run(id) {
            self.schedule(at, &run, call, to);
        }
    }

    fn schedule(&mut self, at: usize, run: &Run, call: u64, to: usize) {
        let (wanted, sealed) = self.manifest(at, run);
        let expires_ms = u64::try_from(wanted.expires.0).unwrap();
        self.oracle.asks(self.clock.now_ms(), &run.id, at, to, expires_ms);
        self.send(at, to, Message::Schedule { call, sealed });
        if to != at {
            self.timer(at, SCHEDULE_MS, Timer::Answer { run: run.id.clone(), call });
        }
    }

    pub fn answered(&mut self, at: usize, from: usize, call: u64, id: &RunId, admission: Admission, after: u64) {
        let asking = self.devices[at].memory.asking.get(id);
        if asking.is_none_or(|asking| asking.call != call || !asking.sent) {
            return;
        }
        match admission {
            Admission::Refused { reasons } => {
                self.oracle.refused(id, from);
                self.refused(at, id, reasons);
            }
            Admission::Leased { .. } => {
                self.devices[at].memory.asking.remove(id);
                if let Some(run) = self.devices[at].run(id).filter(|_| from != at) {
                    self.follow(at, &run, from, after);
                }
            }
        }
    }

    /// The device that was asked last refused, or cannot be reached.
    fn refused(&mut self, at: usize, id: &RunId, reasons: Vec<Refusal>) {
        let (now_ms, run) = (self.clock.now_ms(), self.devices[at].run(id));
        let Some(to) = self.devices[at].memory.asking.get(id).map(|asking| asking.to) else { return };
        let did = self.devices[to].did.clone();
        let known = run.as_ref().is_some_and(|run| run.refused.iter().any(|said| said.device == did));
        let memory = &mut self.devices[at].memory;
        memory.refused.insert((id.clone(), did.clone()), (now_ms, reasons.clone()));
        let Some(asking) = memory.asking.get_mut(id) else { return };
        asking.round.refused(&reasons);
        if !known {
            asking.untold.push(Body::RunRefused { run: id.clone(), device: did, reasons });
        }
        if !asking.again {
            asking.refused += 1;
            return self.ask_next(at, id);
        }
        let mut bodies = mem::take(&mut asking.untold);
        memory.asking.remove(id);
        if run.is_some_and(|run| fence::may_move(&run, RunState::Queued, false)) {
            let reason = Reason::WaitsForRoom { message: "It refused after all.".into() };
            bodies.push(Body::RunMoved { run: id.clone(), to: RunState::Queued, reason: Some(reason) });
            self.write(at, bodies, vec![]);
        }
    }

    /// No answer came in time.
    pub fn late(&mut self, at: usize, id: &RunId, call: u64) {
        let asking = self.devices[at].memory.asking.get(id).filter(|asking| asking.call == call);
        let Some(sent) = asking.map(|asking| asking.sent) else { return };
        let Some(run) = self.devices[at].run(id) else { return };
        if !sent {
            // Unless the probe was answered, and that this device is asked is on its way to the disk.
            if !self.is_placing(at, id, call) {
                self.refused(at, id, vec![Refusal::NotKnown { message: "It does not answer.".into() }]);
            }
            return;
        }
        if self.settings.fault == Some(Fault::SilenceIsRefusal) {
            return self.refused(at, id, vec![Refusal::NotKnown { message: "It did not answer in time.".into() }]);
        }
        self.devices[at].memory.asking.remove(id);
        let reason = Some(Reason::WaitsForDevice { message: "It did not answer in time.".into() });
        if run.reason != reason && fence::may_move(&run, RunState::Placing, false) {
            self.write(at, vec![Body::RunMoved { run: id.clone(), to: RunState::Placing, reason }], vec![]);
        }
    }

    /// Whether that a device is asked for a run is still on its way to the disk.
    fn is_placing(&self, at: usize, id: &RunId, call: u64) -> bool {
        let this = |then: &Then| matches!(then, Then::Ask { run, call: of, .. } if run == id && *of == call);
        self.devices[at].thens.iter().flatten().any(this)
    }

    // --- The key of a run -----------------------------------------------------------------------------------------------

    /// Signs the delegation of a run's key, for the device that was asked last, once.
    pub fn delegate(&mut self, at: usize, from: usize, id: &RunId, key: Did) {
        let fenced = self.settings.fault != Some(Fault::FencingSkipped);
        let caller = self.devices[from].did.clone();
        let run = self.devices[at].run(id).filter(|run| run.requester == self.devices[at].did);
        let Some(run) = run.filter(|run| run.envelope.is_some() && (run.place() == Some(&caller) || !fenced)) else {
            return self.later(at, Then::Send { to: from, message: Message::Delegated { run: id.clone(), key, sealed: None } });
        };
        let sealed = match fence::key(&run, &key) {
            fence::Key::Over if fenced => None,
            fence::Key::Signed(delegation) => self.devices[at].blobs.get(&delegation).cloned(),
            _ if fenced && !fence::still_asked(self.devices[at].run(id).as_ref(), &run) => None,
            _ => {
                let (wanted, asked) = self.manifest(at, &run);
                let from = Timestamp(self.now().0 - 60_000);
                let statement = Delegation {
                    executor: run.elsewhere(&self.devices[at].did).cloned(),
                    ..Delegation::of(&wanted, envelope::hash(&asked), key.clone(), from, self.now().plus_ms(3_600_000))
                };
                let device = &mut self.devices[at];
                let sealed = Rc::new(statement.seal(|message| Ok(device.key.sign(message))).unwrap());
                let delegation = blob(&sealed);
                device.blobs.insert(delegation.clone(), sealed.clone());
                self.write(at, vec![Body::RunDelegated { run: id.clone(), key: key.clone(), delegation }], vec![]);
                Some(sealed)
            }
        };
        self.later(at, Then::Send { to: from, message: Message::Delegated { run: id.clone(), key, sealed } });
    }

    // --- Paying ---------------------------------------------------------------------------------------------------------

    /// The budget of the whole org that this device may spend its part of.
    fn line(&self, at: usize) -> Line {
        let (quota, device) = (self.oracle.quota, &self.devices[at]);
        let listed = &self.oracle.listed;
        let share = match self.settings.fault {
            Some(Fault::OverspentShare) => Quotas::default().share(&device.did, listed.iter().filter(|other| other.did == device.did)),
            _ => Quotas::default().share(&device.did, listed),
        };
        Line {
            whose: "The org (today, UTC)".into(),
            id: spent_id("org", &Period::Day.key(self.now())),
            with: vec![],
            budget: quota.part(share),
            raise: String::new(),
        }
    }

    /// A run wants to call its model.
    pub fn spend(&mut self, at: usize, from: usize, id: &RunId, number: u64) {
        let open = self.devices[at].run(id).is_some_and(|run| !run.state.ended());
        let admitted = self.now();
        let (line, call) = (self.line(at), Usage { calls: 1, input_tokens: CALL_TOKENS, ..Usage::default() });
        let device = &mut self.devices[at];
        let journal = &device.journal.known;
        let held =
            device.memory.promised.hold(std::slice::from_ref(&line), call, |of| Ok(journal.get(kind::SPENT, of).unwrap_or_default()));
        match held {
            Ok(()) if open => {
                let ms = 100 + self.random.below(1_500);
                self.timer(at, ms, Timer::Settle { run: id.clone(), number, by: from, ids: vec![line.id], held: (call, admitted) });
            }
            Ok(()) => device.memory.promised.give_back(&[line.id], call),
            Err(NotHeld::Busy | NotHeld::Unreadable(_)) => return,
            Err(NotHeld::Spent(_)) => {}
        }
        if !open || self.is_spent(at, call) {
            self.send(at, from, Message::Spent { run: id.clone(), number, granted: false });
        }
    }

    /// Whether the budget has no room for a call, whatever others under way leave of it.
    fn is_spent(&self, at: usize, call: Usage) -> bool {
        let line = self.line(at);
        let spent: Usage = self.devices[at].journal.known.get(kind::SPENT, &line.id).unwrap_or_default();
        line.budget.allows(&line.whose, spent, call).is_err()
    }

    /// The provider has answered: what was used is counted, and then given back.
    pub fn settle(&mut self, at: usize, id: &RunId, number: u64, by: usize, ids: Vec<String>, (held, admitted): (Usage, Timestamp)) {
        let tokens = 1 + self.random.below(CALL_TOKENS);
        let usage = Usage { calls: 1, input_tokens: tokens, ..Usage::default() };
        let call = ModelCall { model: "m".into(), status: 200, usage, duration_ms: 100, admitted };
        let counted = Body::ModelCalled { run: id.clone(), call, content: vec![], standby: None };
        let answer = Message::Spent { run: id.clone(), number, granted: true };
        self.write(at, vec![counted], vec![Then::GiveBack { ids, call: held }, Then::Send { to: by, message: answer }]);
    }
}

/// A round of asking that begins.
fn asking(run: &Run, here: &Did, decision: Decision) -> Asking {
    let Decision { order, verdicts } = decision;
    Asking {
        order: order.len(),
        round: Round::new(run, here, order),
        looked: verdicts,
        refused: 0,
        to: 0,
        call: 0,
        sent: false,
        again: false,
        untold: vec![],
    }
}
