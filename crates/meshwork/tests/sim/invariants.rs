//! What must hold at every step, watched from outside: by what devices did, and not by what they believe.

use crate::{device::Device, requester::LEASE_MS};
use domain::{
    Did, PatchId, RunId, TaskRef,
    event::{Body, Event},
    limits::ASK_MAX,
    org,
    quota::{Period, Quota, Quotas},
    run::{Run, RunState},
};
use std::collections::{BTreeMap, BTreeSet};
use store::{Piece, chain::Digest};

/// How long a run may go on after its lease is over, until that is noticed, in milliseconds.
const NOTICED_MS: u64 = 20_000;
/// What each device may spend, in tokens.
const SHARE_TOKENS: u64 = 500;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// A run begins at most once, on one device.
    Fencing,
    /// A requester asks one device at a time, and the next only after a refusal, or once what it sent does not count any more.
    Asking,
    /// Nobody is asked for a run in place of one that was given up and had ended with a patch, as is known where it is asked for.
    Twice,
    /// Whoever accepts a patch knows of no other that was accepted; and of a task no two are.
    Acceptance,
    /// What works has a lease.
    Lease,
    /// A run is lost only when its device does not answer and its lease is over.
    Lost,
    /// No device spends more than its share, and all together no more than the whole.
    Budget,
    /// A device signs one journal, and copies verify.
    Chain,
    /// What was acknowledged is there after a crash.
    Durable,
    /// After healing all devices have the same picture.
    Convergence,
    /// Every run ends, with a reason; none because no device took it, since there is one that could.
    Settled,
    /// A device that is its owner's alone leases nothing to guests, and none works there.
    Owner,
}

/// What was broken.
#[derive(Clone, Debug)]
pub struct Broken {
    pub invariant: Invariant,
    pub what: String,
    pub at_ms: u64,
}

/// Who was asked for a run, by whom, and until when that counts.
#[derive(Clone, Copy, Debug)]
struct Asked {
    by: usize,
    to: usize,
    expires_ms: u64,
}

/// Watches.
#[derive(Debug)]
pub struct Oracle {
    pub broken: Option<Broken>,
    /// What all may use together.
    pub quota: Quota,
    /// The devices among which that is divided.
    pub listed: Vec<org::Device>,
    begun: BTreeMap<RunId, usize>,
    /// Where a run works now.
    working: BTreeMap<RunId, usize>,
    /// Until when its executor's journal says that its lease lasts, in milliseconds.
    leases: BTreeMap<RunId, u64>,
    /// Before this moment no lease of what works can be over for too long, in milliseconds.
    lasting_ms: u64,
    asked: BTreeMap<RunId, Asked>,
    /// When the executor of a run was heard of last, by the requester as it runs now.
    heard: BTreeMap<RunId, (usize, u64)>,
    /// Who told that a patch of a task was accepted, as which event, and of which.
    accepted: BTreeMap<TaskRef, Vec<(usize, u64, PatchId)>>,
    /// The runs of which a device has the fact, in a copy of the journal of whoever executed them, that they published a patch.
    published: BTreeSet<(usize, RunId)>,
    spent: BTreeMap<usize, u64>,
    /// The devices that are their owners' alone, and since when, in milliseconds.
    reclaimed: BTreeMap<usize, u64>,
    /// Every event that ever was on a disk: its hash, by device, incarnation and number.
    signed: BTreeMap<(usize, u64, u64), Digest>,
    /// What was acknowledged, and must be there: by device and number.
    kept: BTreeMap<(usize, u64), (u64, Digest)>,
}

impl Oracle {
    pub fn new(devices: usize) -> Self {
        let listed = (0..devices).map(Device::new).map(|device| org::Device::new(device.did.as_str(), device.did.clone(), "ada")).collect();
        let tokens = SHARE_TOKENS * devices as u64;
        Self {
            broken: None,
            quota: Quota { period: Period::Day, tokens: Some(tokens), calls: None, money: None },
            listed,
            begun: BTreeMap::new(),
            working: BTreeMap::new(),
            leases: BTreeMap::new(),
            lasting_ms: 0,
            asked: BTreeMap::new(),
            heard: BTreeMap::new(),
            accepted: BTreeMap::new(),
            published: BTreeSet::new(),
            spent: BTreeMap::new(),
            reclaimed: BTreeMap::new(),
            signed: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// Something that must hold does not. The first counts.
    pub fn breaks(&mut self, at_ms: u64, invariant: Invariant, what: String) {
        self.broken.get_or_insert(Broken { invariant, what, at_ms });
    }

    /// Looks after every step.
    pub fn look(&mut self, now_ms: u64) {
        if now_ms <= self.lasting_ms {
            return;
        }
        let noticed_ms = |id: &RunId| self.leases.get(id).map_or(0, |until_ms| until_ms + NOTICED_MS);
        let first = self.working.iter().map(|(id, at)| (noticed_ms(id), id, at)).min();
        self.lasting_ms = first.map_or(now_ms, |(noticed_ms, ..)| noticed_ms);
        if let Some((_, id, at)) = first.filter(|(noticed_ms, ..)| now_ms > *noticed_ms) {
            let what = format!("the run {id} works on device {at}, and its lease ended at {:?}", self.leases.get(id));
            self.breaks(now_ms, Invariant::Lease, what);
        }
    }

    // --- Runs -----------------------------------------------------------------------------------------------------------

    pub fn begins(&mut self, now_ms: u64, at: usize, id: &RunId) {
        if let Some(before) = self.begun.insert(id.clone(), at) {
            self.breaks(now_ms, Invariant::Fencing, format!("the run {id} began on device {before}, and again on device {at}"));
        }
        self.working.insert(id.clone(), at);
        self.lasting_ms = 0;
    }

    pub fn stops(&mut self, at: usize, id: &RunId) {
        if self.working.get(id) == Some(&at) {
            self.working.remove(id);
        }
    }

    pub fn asks(&mut self, now_ms: u64, id: &RunId, by: usize, to: usize, expires_ms: u64) {
        let before = self.asked.insert(id.clone(), Asked { by, to, expires_ms });
        if let Some(before) = before.filter(|before| before.to != to && now_ms < before.expires_ms) {
            let what = format!("device {by} asks {to} for the run {id}, while what it sent to {} counts", before.to);
            self.breaks(now_ms, Invariant::Asking, what);
        }
    }

    pub fn refused(&mut self, id: &RunId, from: usize) {
        if self.asked.get(id).is_some_and(|asked| asked.to == from) {
            self.asked.remove(id);
        }
    }

    /// A copy of another device's journal went on by this piece.
    pub fn copied(&mut self, at: usize, piece: &Piece) {
        let events = piece.payloads.iter().map(|payload| Event::read(payload).unwrap()).filter(|event| event.told.is_none());
        for event in events {
            if let Body::PatchPublished { run, .. } = event.body {
                self.published.insert((at, run));
            }
        }
    }

    /// A device is about to ask for a run that goes on from this one; these were queued at the task after it.
    pub fn asks_in_place_of(&mut self, now_ms: u64, at: usize, before: &Run, since: &[Run]) {
        let begun = since.iter().any(|next| next.key.is_some());
        if before.state == RunState::Lost && !begun && self.published.contains(&(at, before.id.clone())) {
            let what = format!("device {at} asks for the work of the run {} again, and knows of its patch", before.id);
            self.breaks(now_ms, Invariant::Twice, what);
        }
    }

    /// A round of asking is over, and nobody took the run.
    pub fn exhausted(&mut self, now_ms: u64, id: &RunId, order: usize, refused: usize) {
        if refused != order.min(ASK_MAX) {
            let what = format!("{refused} of the {order} devices that could take the run {id} refused, and no further one was asked");
            self.breaks(now_ms, Invariant::Asking, what);
        }
    }

    pub fn heard(&mut self, now_ms: u64, at: usize, id: &RunId) {
        self.heard.insert(id.clone(), (at, now_ms));
    }

    pub fn lost(&mut self, now_ms: u64, at: usize, run: &Run) {
        let heard = self.heard.get(&run.id).filter(|(by, _)| *by == at).is_some_and(|(_, ms)| now_ms <= ms + LEASE_MS);
        let lasts = run.lease_until.is_some_and(|until| until.0 >= i64::try_from(now_ms).unwrap());
        if heard || lasts {
            let what = format!("device {at} gave the run {} up, heard of lately: {heard}, leased: {lasts}", run.id);
            self.breaks(now_ms, Invariant::Lost, what);
        }
    }

    /// The owner of a device has it for themselves.
    pub fn reclaimed(&mut self, now_ms: u64, at: usize) {
        self.reclaimed.insert(at, now_ms);
    }

    pub fn lent(&mut self, at: usize) {
        self.reclaimed.remove(&at);
    }

    /// A run works on a device.
    pub fn works(&mut self, now_ms: u64, at: usize, requester: usize, id: &RunId) {
        if requester != at && self.reclaimed.contains_key(&at) {
            let what = format!("the run {id} of device {requester} works on device {at}, which is its owner's alone");
            self.breaks(now_ms, Invariant::Owner, what);
        }
    }

    /// A device leased, since its owner has it for themselves, to a guest.
    fn leases_to(&mut self, now_ms: u64, at: usize, event: &Event, device: &Device) {
        let Body::RunLeased { run, .. } = &event.body else { return };
        let since = self.reclaimed.get(&at).is_some_and(|since_ms| event.at.0 > i64::try_from(*since_ms).unwrap());
        let guest = device.run(run).is_some_and(|run| run.requester != device.did);
        if since && guest && event.told.is_none() {
            self.breaks(now_ms, Invariant::Owner, format!("device {at} leased {run} although it is its owner's alone"));
        }
    }

    /// The owner of a claim accepts a patch.
    pub fn accepts(&mut self, now_ms: u64, at: usize, task: &TaskRef, device: &Device) {
        let knows = |(by, seq, _): &&(usize, u64, PatchId)| *by == at || device.copies.get(by).is_some_and(|copy| copy.tail.seq.0 >= *seq);
        if let Some((by, ..)) = self.accepted.get(task).and_then(|all| all.iter().find(knows)) {
            let what = format!("device {at} accepts a patch of {task}, and knows that device {by} accepted one");
            self.breaks(now_ms, Invariant::Acceptance, what);
        }
    }

    /// Everything came to rest: of no task were two patches accepted, whoever could not hear of whom.
    pub fn rests(&mut self, now_ms: u64) {
        let twice = self.accepted.iter().find_map(|(task, all)| {
            let patches: BTreeSet<&PatchId> = all.iter().map(|(_, _, patch)| patch).collect();
            (patches.len() > 1).then(|| format!("of {task} these patches were accepted: {patches:?}"))
        });
        if let Some(what) = twice {
            self.breaks(now_ms, Invariant::Acceptance, what);
        }
    }

    // --- Journals -------------------------------------------------------------------------------------------------------

    /// A group is on disk, and acknowledged.
    pub fn durable(&mut self, now_ms: u64, at: usize, piece: &Piece, device: &Device) {
        for (seq, payload) in (piece.first.0..).zip(&piece.payloads) {
            let Some((incarnation, hash)) = device.journal.known.link(seq) else { continue };
            self.kept.insert((at, seq), (incarnation, hash));
            if self.signed.insert((at, incarnation, seq), hash).is_some_and(|before| before != hash) {
                self.breaks(now_ms, Invariant::Chain, format!("device {at} signed two events {seq} of incarnation {incarnation}"));
            }
            let event = Event::read(payload).unwrap();
            self.leases_to(now_ms, at, &event, device);
            self.note(now_ms, at, seq, &event, &device.did);
        }
    }

    fn note(&mut self, now_ms: u64, at: usize, seq: u64, event: &Event, did: &Did) {
        match &event.body {
            Body::RunLeased { run, until, .. } | Body::LeaseRenewed { run, until } if event.told.is_none() => {
                self.leases.insert(run.clone(), u64::try_from(until.0).unwrap());
                self.lasting_ms = 0;
            }
            Body::PatchMerged { patch, task: Some(task), .. } => {
                self.accepted.entry(task.clone()).or_default().push((at, seq, patch.clone()));
            }
            Body::ModelCalled { call, .. } => self.spends(now_ms, at, call.usage.tokens(), did),
            _ => {}
        }
    }

    fn spends(&mut self, now_ms: u64, at: usize, tokens: u64, did: &Did) {
        let own = self.spent.entry(at).or_default();
        *own += tokens;
        let (own, all) = (*own, self.spent.values().sum::<u64>());
        let part = self.quota.part(Quotas::default().share(did, &self.listed)).tokens;
        if own > part || Some(all) > self.quota.tokens {
            let what = format!("device {at} spent {own} tokens of its {part}, all together {all} of {:?}", self.quota.tokens);
            self.breaks(now_ms, Invariant::Budget, what);
        }
    }

    pub fn crashed(&mut self, at: usize) {
        self.working.retain(|_, on| *on != at);
        self.heard.retain(|_, (by, _)| *by != at);
        // What a device asked of itself is over with it.
        self.asked.retain(|_, asked| asked.by != at || asked.to != at);
    }

    /// A device read its journal anew.
    pub fn read_again(&mut self, now_ms: u64, at: usize, device: &Device) {
        let mut of_device = self.kept.range((at, 0)..(at + 1, 0));
        let lacks = of_device.find(|((_, seq), link)| device.journal.known.link(*seq) != Some(**link));
        if let Some(((_, seq), _)) = lacks {
            let what = format!("device {at} has not its event {seq} any more, which was acknowledged");
            self.breaks(now_ms, Invariant::Durable, what);
        }
    }

    /// A device told that it lost what came after an event.
    pub fn restored(&mut self, at: usize, seq: u64) {
        self.kept.retain(|(of, number), _| *of != at || *number <= seq);
    }
}
