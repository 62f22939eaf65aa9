//! Room is looked for and taken in one transaction of the journal: two requests never get the same room.

use super::{Asked, DeviceLimits, Wanted, foreign, on};
use crate::{
    clock,
    lending::{
        self, Lending,
        guests::{self, Owner},
    },
    limits,
    org::Org,
    queue::{
        self,
        room::{self, Asks, Found},
    },
    stops,
};
use domain::{
    Did, Hash, Problem, RunId, Timestamp,
    capacity::Taken,
    event::{Body, Event, kind},
    fence,
    lease::{Admission, Lease},
    manifest::{Class, Manifest},
    placement::{self, Refusal, Waiting},
    run::{Placed, Run, RunState},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use store::{Order, Parked, Ready, View};

/// Looks for room and takes it. `kept` is the manifest, where it is to be kept with the lease.
pub(super) async fn reserve(org: &Arc<Org>, asked: &Asked, wanted: Wanted, kept: Option<Parked>) -> Result<Admission, Problem> {
    let now = clock::now();
    let lease = Lease {
        id: clock::lease_id(),
        run: asked.manifest.run.clone(),
        manifest: asked.hash.clone(),
        device: org.device.clone(),
        until: now.plus_ms(crate::fault::lease_ms()),
    };
    let new = foreign(&asked.manifest, now);
    let request = Request::new(org, asked, wanted, &new, now).await?;
    // Whoever asks for others' runs asks for what is not known here, and for its own for what is: made ready for that, before its turn.
    let leasing = Leasing { manifest: asked.manifest.clone(), new, lease: lease.clone(), kept };
    let (guess, expected) = (leasing.kept.is_none(), leasing.events(leasing.kept.is_none())?);
    let outcome = Arc::new(Mutex::new(Said::default()));
    let told = outcome.clone();
    let decided = org.store.append_ready_if(move |view| {
        let known: Option<fence::Known> = view.get(kind::RUN, leasing.lease.run.as_str())?;
        let said = request.take(view, known.as_ref())?;
        if !said.reasons.is_empty() {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = said;
            return Ok(Ready::default());
        }
        if known.is_some() == guess { Ok(expected) } else { leasing.events(known.is_some()) }
    });
    decided.await?;
    let Said { reasons, gives_way } = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
    if reasons.is_empty() {
        queue::served(org, &asked.manifest);
        return Ok(Admission::Leased { lease });
    }
    if !gives_way.is_empty() {
        room::make(org, &asked.manifest, &gives_way, now).await?;
    }
    Ok(Admission::Refused { reasons })
}

/// What a request is refused for, and which runs give way to it.
#[derive(Default)]
struct Said {
    reasons: Vec<Refusal>,
    gives_way: Vec<RunId>,
}

/// A request, and what is known for it before its turn at the journal.
struct Request {
    org: Arc<Org>,
    manifest: Arc<Manifest>,
    /// The manifest's.
    hash: Hash,
    owner: Owner,
    /// Whether it is a guest here.
    guest: bool,
    lending: Lending,
    /// With what the org promises about this device.
    lends: DeviceLimits,
    /// Who waits for this device's room, the first first.
    line: Vec<Waiting>,
    /// What keeps it out whatever room there is.
    barred: Vec<Refusal>,
    now: Timestamp,
}

impl Request {
    async fn new(org: &Arc<Org>, asked: &Asked, wanted: Wanted, new: &Run, now: Timestamp) -> Result<Self, Problem> {
        let (manifest, mut lends) = (asked.manifest.clone(), DeviceLimits::of(org));
        lends.tags.extend(wanted.promised);
        let mut line = vec![];
        if manifest.class != Class::Ci && !queue::is_alone(org, &manifest.run) {
            let asking = manifest.clone();
            line = org.blocking(move |org: &Arc<Org>| queue::line(org, &org.active_runs()?, Some(&*asking))).await?;
        }
        Ok(Self {
            org: org.clone(),
            hash: asked.hash.clone(),
            guest: wanted.owner.is_guest(new, |id| org.store.get(kind::RUN, id.as_str()))?,
            owner: wanted.owner,
            lending: lending::now(org),
            lends,
            line,
            barred: barred(org, &manifest, new, now),
            manifest,
            now,
        })
    }

    /// Takes room, or says why not. It is its turn.
    fn take(mut self, view: &mut View<'_>, known: Option<&fence::Known>) -> Result<Said, Problem> {
        let own: Taken = view.get(kind::TAKEN, self.org.device.as_str())?.unwrap_or_default();
        let runs = self.counted(view, own)?;
        let begun: BTreeSet<&RunId> = runs.iter().filter(|run| !run.state.waits()).map(|run| &run.id).collect();
        self.line.retain(|waiting| !begun.contains(&waiting.run));
        let here = on(runs, &self.org.device);
        let org = self.org.clone();
        let turn = match org.room.turn() {
            Err(problem) if problem.passes() => {
                return Ok(Said { reasons: vec![Refusal::NotKnown { message: problem.to_string() }], gives_way: vec![] });
            }
            turn => turn?,
        };
        let mut reasons = placement::refusals(&self.manifest, &self.lends.capacity(own, turn.others, self.manifest.class));
        if self.guest {
            reasons.extend(guests::refusals(&self.lending, &self.manifest, self.guests_of_its_kind(view, &here)?));
        }
        reasons.append(&mut self.barred);
        reasons.extend(fence::leases(known, &self.hash));
        let mut gives_way = vec![];
        if self.manifest.class != Class::Ci && reasons.iter().all(Refusal::of_room) {
            match self.beside_others(&here, turn.others) {
                Found::Room => {}
                Found::Refused(more) => reasons.extend(more),
                Found::GivesWay(runs) => {
                    reasons.push(Refusal::MakesRoom { runs: runs.len() });
                    gives_way = runs;
                }
            }
        }
        if reasons.is_empty() {
            // Before the lease: who dies in between has taken too much for a moment, and never too little.
            org.room.tell(own.with(self.manifest.class, RunState::Starting, self.manifest.resources))?;
        }
        Ok(Said { reasons, gives_way })
    }

    /// The runs that have not ended, where it counts who they are; how much is taken is kept.
    fn counted(&self, view: &mut View<'_>, own: Taken) -> Result<Vec<Run>, Problem> {
        let any = own != Taken::default() || !self.line.is_empty();
        let counted = any && (self.manifest.class != Class::Ci || self.guest && self.lending.policy.slots.is_some());
        if counted { active(view) } else { Ok(vec![]) }
    }

    /// How many guests of its kind, work or checks, run here.
    fn guests_of_its_kind(&self, view: &mut View<'_>, here: &[Run]) -> Result<u32, Problem> {
        let mut guests = 0;
        for run in here.iter().filter(|r| r.state.holds_slot() && (r.class == Class::Ci) == (self.manifest.class == Class::Ci)) {
            guests += u32::from(self.owner.is_guest(run, |id| view.get(kind::RUN, id.as_str()))?);
        }
        Ok(guests)
    }

    /// What there is for it beside who works here, and who waits in front.
    fn beside_others(&mut self, here: &[Run], others: Taken) -> Found {
        let Self { org, manifest, owner, guest, lending, lends, line, now, .. } = self;
        let guests = |stay: &[&Run]| stay.iter().filter(|run| working(run) && room::is_guest(owner, run)).count();
        let guests_free =
            |stay: &[&Run]| lending.policy.slots.map(|slots| slots.saturating_sub(u32::try_from(guests(stay)).unwrap_or(u32::MAX)));
        // For guests in front, whom this device does not take now, nothing is kept.
        let takes = lending.broken.is_none() && lending.reclaimed.is_none() && guests_free(&here.iter().collect::<Vec<_>>()) != Some(0);
        line.retain(|waiting| waiting.run == manifest.run || takes || owner.owns(&waiting.member));
        let beside = |stay: &[&Run]| {
            let mut free = lends.capacity(Taken::by(stay.iter().copied()), others, manifest.class);
            free.slots_free = free.slots_free.min(guests_free(stay).filter(|_| *guest).unwrap_or(u32::MAX));
            free
        };
        let state = org.remote.org();
        let name = |key: &Did| queue::name(&state, key);
        Asks { queue: &org.queue, name: &name, manifest, owner, here, line, beside: &beside, now: *now }.look()
    }
}

/// What keeps a request out whatever room there is.
fn barred(org: &Org, manifest: &Manifest, new: &Run, now: Timestamp) -> Vec<Refusal> {
    let closing = (*org.closing.borrow()).then_some(Refusal::Closing);
    let apart = manifest.apart.as_ref().filter(|apart| apart.device == org.device);
    let apart = apart.map(|apart| Refusal::AntiAffinity { message: apart.text() });
    let sent_away = org.lending.sent_away.refusal_of(manifest, now);
    [closing, halted(org, new), sent_away, apart].into_iter().flatten().collect()
}

/// The stop order that halts a run that no device has yet, on this one.
fn halted(org: &Org, run: &Run) -> Option<Refusal> {
    let stop = stops::halting(org, run)?;
    Some(Refusal::Halted { message: format!("A stop order halts {}. {}", stop.order.scope.text(), stops::why(&stop)) })
}

/// Whether it is work, and holds a slot.
fn working(run: &Run) -> bool {
    run.state.holds_slot() && run.class != Class::Ci
}

/// The runs that have not ended.
fn active(view: &mut View<'_>) -> Result<Vec<Run>, Problem> {
    let ids: Vec<domain::RunId> = view.list(kind::ACTIVE, Order::Oldest, limits::RUNS_MAX)?;
    let mut runs = Vec::with_capacity(ids.len());
    for id in &ids {
        runs.extend(view.get::<Run>(kind::RUN, id.as_str())?);
    }
    Ok(runs)
}

/// What is journaled of a lease.
struct Leasing {
    manifest: Arc<Manifest>,
    /// The run, as far as its manifest tells.
    new: Run,
    lease: Lease,
    /// The manifest, where it is to be kept with the lease.
    kept: Option<Parked>,
}

impl Leasing {
    /// Of a run that is known here, or of one that is not.
    fn events(&self, known: bool) -> Result<Ready, Problem> {
        let Lease { id, run, manifest, device, until } = self.lease.clone();
        let placed = self.kept.as_ref().map(|kept| Placed::of(&self.manifest.work, manifest, kept.hash().clone(), device.clone()));
        let leased = |asked| Body::RunLeased {
            run: run.clone(),
            lease: id,
            device: device.clone(),
            until,
            reserved: self.manifest.resources,
            asked,
        };
        let bodies = if known {
            let placed = placed.map(|placed| Body::RunPlaced { run: run.clone(), placed });
            placed.into_iter().chain([leased(None)]).collect()
        } else {
            let mut new = self.new.clone();
            if let Some(placed) = placed {
                (new.manifest, new.envelope) = (Some(placed.manifest), Some(placed.envelope));
                (new.from, new.asked) = (placed.from, placed.device);
            }
            vec![leased(Some(Box::new(new)))]
        };
        let (at, actor) = (self.new.queued_at, &device);
        let event = |body| Event { version: domain::event::VERSION, at, actor: actor.clone(), via: None, told: None, body };
        Ok(Ready::new(bodies.into_iter().map(event).collect())?.with_blobs(self.kept.clone()))
    }
}
