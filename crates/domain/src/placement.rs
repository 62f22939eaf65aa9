//! Placement: pure functions from a request and a snapshot of the mesh to a decision.
//!
//! [`plan`] says fast whom to ask; [`explain`] says slowly, for each device, why or why not. They always agree. [`order`] says which
//! waiting run comes first, [`keeps`] for whom of them room is kept, and [`victims`] which running ones may have to go. What devices
//! announce is a hint: their own admission decides, by [`refusals`]. [`Round`] asks them one by one, and [`Untaken`] says what becomes of
//! a run that none takes. Nothing here knows a clock, a network or the journal.

mod pick;
mod preempt;
mod queue;
mod refusal;
mod round;
mod rows;
mod score;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
mod turn;
mod untaken;

pub use preempt::{Running, victims};
pub use queue::{Ahead, Behind, QueuePlace, Share, Waiting, order};
pub use refusal::{Avoid, Refusal};
pub use round::Round;
pub use score::{Merit, Part};
pub use snapshot::Snapshot;
pub use turn::{Keeps, keeps};
pub use untaken::Untaken;

use crate::{Did, Rid, Timestamp, capacity::Capacity, lend::Reclaim, limits::WARM_REPOSITORIES_MAX, manifest::Manifest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// A device as the planner knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The device.
    pub device: Did,
    /// The name of the member who owns it. Whom else it works for is a guest.
    pub owner: String,
    /// What it announced, its own tags and those that the org promises together. Its classes are those that it lends to guests: the
    /// owner's own runs need no leave.
    pub capacity: Capacity,
    /// Why it takes no guests now; none: it does.
    pub reclaimed: Option<Reclaim>,
    /// Repositories that lie in its storage, the ones used last first.
    pub repositories: Vec<Rid>,
    /// How many of these, from the first on, it worked at lately.
    pub worked_at: u32,
    /// Engines that are installed there.
    pub engines: Vec<String>,
    /// Whether it was not heard of lately.
    pub suspected: bool,
    /// How long it takes to it and back, in milliseconds; none: not known. The asking device itself is at 0.
    pub round_trip_ms: Option<u32>,
}

impl Candidate {
    /// The repositories that it worked at last, as far as they count.
    fn warm(&self) -> &[Rid] {
        let most = usize::try_from(self.worked_at).unwrap_or(usize::MAX).min(WARM_REPOSITORIES_MAX);
        self.repositories.get(..most).unwrap_or(&self.repositories)
    }
}

/// What is asked of all devices.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The workload.
    pub manifest: &'a Manifest,
    /// The name of the member for whom it asks.
    pub member: &'a str,
    /// The engine that must be installed, if any.
    pub engine: Option<&'a str>,
    /// Devices that may read the repository; none given: all.
    pub readers: Option<&'a BTreeSet<Did>>,
    /// Devices that are not to be asked for this, and why.
    pub avoid: &'a BTreeMap<Did, Avoid>,
    /// Now.
    pub at: Timestamp,
}

/// What the planner says of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeviceVerdict")]
pub struct Verdict {
    /// The device.
    pub device: Did,
    /// Why not; empty when it could.
    pub refusals: Vec<Refusal>,
    /// How well it suits, higher is better: the points of all parts together. 0 when it cannot.
    pub score: i64,
    /// What the score is made of; empty when it cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// The planner's decision: every device's verdict, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Devices that could, in the order in which they are asked; of these [`crate::limits::ASK_MAX`] are.
    pub order: Vec<Did>,
    /// All verdicts.
    pub verdicts: Vec<Verdict>,
}

impl Decision {
    /// Whether some device could take it, now or after waiting.
    pub fn may_come(&self) -> bool {
        self.verdicts.iter().any(|v| v.refusals.iter().all(Refusal::passes))
    }
}

/// The devices to ask, best first, at most [`crate::limits::ASK_MAX`]: the first of what [`explain`] gives as its order.
pub fn plan(request: &Request<'_>, snapshot: &Snapshot) -> Vec<Did> {
    pick::best(request, snapshot)
}

/// Judges every device and says why.
pub fn explain(request: &Request<'_>, snapshot: &Snapshot) -> Decision {
    let mut verdicts: Vec<Verdict> = snapshot.iter().map(|candidate| judge(request, candidate)).collect();
    // The snapshot gives them in the order of their names, and this sort leaves equals as they are.
    verdicts.sort_by_key(|v| (!v.refusals.is_empty(), Reverse(v.score)));
    let order = verdicts.iter().filter(|v| v.refusals.is_empty()).map(|v| v.device.clone()).collect();
    Decision { order, verdicts }
}

fn judge(request: &Request<'_>, candidate: &Candidate) -> Verdict {
    let refusals = why_not(request, candidate);
    let parts = if refusals.is_empty() { score::parts(request, candidate) } else { vec![] };
    let score: i64 = parts.iter().map(|part| i64::from(part.points)).sum();
    Verdict { device: candidate.device.clone(), refusals, score, parts }
}

/// All reasons for which a device is not asked.
fn why_not(request: &Request<'_>, candidate: &Candidate) -> Vec<Refusal> {
    let own = candidate.owner == request.member;
    let mut found: Vec<Refusal> = request.avoid.get(&candidate.device).map(Avoid::refusal).into_iter().collect();
    if request.at > request.manifest.expires {
        found.push(Refusal::Expired);
    }
    if candidate.suspected {
        found.push(Refusal::Suspected);
    }
    if let Some(why) = candidate.reclaimed.as_ref().filter(|why| !own && request.at < until(why)) {
        found.push(Refusal::Reclaimed { why: why.clone() });
    }
    if request.readers.is_some_and(|readers| !readers.contains(&candidate.device)) {
        found.push(Refusal::NotShared);
    }
    if let Some(engine) = request.engine.filter(|engine| !candidate.engines.iter().any(|there| there == engine)) {
        found.push(Refusal::Engine { engine: engine.to_owned() });
    }
    let of_capacity = refusals(request.manifest, &candidate.capacity).into_iter();
    found.extend(of_capacity.filter(|refusal| !(own && matches!(refusal, Refusal::Class { .. }))));
    found
}

/// Until when a device is its owner's alone, as far as can be told beforehand.
fn until(why: &Reclaim) -> Timestamp {
    match why {
        Reclaim::Asked { until: Some(until) } => *until,
        _ => Timestamp(i64::MAX),
    }
}

/// All reasons for which a device with this capacity cannot take the workload. Also what its own admission asks.
pub fn refusals(manifest: &Manifest, capacity: &Capacity) -> Vec<Refusal> {
    let mut found = Vec::new();
    if !capacity.classes.contains(&manifest.class) {
        found.push(Refusal::Class { class: manifest.class });
    }
    let runs = manifest.runtime.map_or(!capacity.runtimes.is_empty(), |wanted| capacity.runtimes.contains(&wanted));
    if !runs {
        found.push(Refusal::Runtime { wanted: manifest.runtime });
    }
    for (tag, wanted) in &manifest.tags {
        let has = capacity.tags.get(tag);
        if has != Some(wanted) {
            found.push(Refusal::Tag { tag: tag.clone(), wanted: wanted.clone(), has: has.cloned() });
        }
    }
    if capacity.total.lacks(manifest.resources) {
        let never = capacity.total.lacking(manifest.resources);
        found.extend(never.map(|(resource, has, wanted)| Refusal::TooSmall { resource: resource.into(), has, wanted }));
    } else {
        let now = capacity.free.lacking(manifest.resources);
        found.extend(now.map(|(resource, free, wanted)| Refusal::Busy { resource: resource.into(), free, wanted }));
    }
    // Of what can run nothing it is not said besides that its slots are taken.
    if capacity.slots_free == 0 && !capacity.runtimes.is_empty() {
        found.push(Refusal::NoSlot { slots: capacity.slots });
    }
    let full = found.iter().any(|r| matches!(r, Refusal::Busy { .. } | Refusal::NoSlot { .. }));
    if full && !capacity.others.is_empty() {
        found.push(Refusal::OtherOrgs { taken: capacity.others });
    }
    found
}
