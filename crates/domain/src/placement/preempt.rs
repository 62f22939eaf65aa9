//! Which running work gives way to more important work on one device.

use super::{Refusal, Request, refusals};
use crate::{
    RunId, Timestamp,
    capacity::{Capacity, Lane, Resources, Taken},
    limits::{VICTIMS_EXACT_MAX, VICTIMS_SEARCHED_MAX},
    manifest::Class,
    run::RunState,
};
use std::cmp::Reverse;

/// A run that a device executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The run.
    pub run: RunId,
    /// The name of the member for whom.
    pub member: String,
    /// Whether that member does not own the device.
    pub guest: bool,
    /// Its class.
    pub class: Class,
    /// Where it is; what it takes depends on that.
    pub state: RunState,
    /// Its standing: the steps of its priority, with those for having given way before.
    pub priority: i32,
    /// When it began: the youngest has least to lose.
    pub started_at: Timestamp,
    /// What is reserved for it.
    pub reserved: Resources,
}

/// The runs to evict so that a device has room for a request: as few as can be; of as many those whose loss hurts least, which are
/// guests' before the owner's, then the least important, then the youngest. Empty where it has room already; none where evicting does
/// not help. `capacity` is as its admission has it for this class.
///
/// Only what has a lower priority gives way, never an equal; and the owner's own runs only to their own. Up to
/// [`VICTIMS_EXACT_MAX`] the set is the smallest; beyond it, one of which none could be spared.
pub fn victims(request: &Request<'_>, running: &[Running], capacity: &Capacity) -> Option<Vec<RunId>> {
    let manifest = request.manifest;
    let room = |refusal: &Refusal| matches!(refusal, Refusal::Busy { .. } | Refusal::NoSlot { .. } | Refusal::OtherOrgs { .. });
    if !refusals(manifest, capacity).iter().all(room) {
        return None;
    }
    let need = Lane { slots: 1u32.saturating_sub(capacity.slots_free), reserved: manifest.resources.minus(capacity.free) };
    if need.is_empty() {
        return Some(vec![]);
    }
    let lower = |run: &&Running| run.priority < manifest.priority.steps() && (run.guest || run.member == request.member);
    let mut runs: Vec<&Running> = running.iter().filter(lower).filter(|run| helps(need, frees(run, manifest.class))).collect();
    runs.sort_by_key(|run| (!run.guest, run.priority, Reverse(run.started_at), run.run.clone()));
    let freed: Vec<Lane> = runs.iter().map(|run| frees(run, manifest.class)).collect();
    let near = &freed[..freed.len().min(VICTIMS_SEARCHED_MAX)];
    let chosen = (1..=VICTIMS_EXACT_MAX).find_map(|size| smallest(near, size, need)).or_else(|| enough(&freed, need))?;
    Some(chosen.into_iter().map(|at| runs[at].run.clone()).collect())
}

/// What a run of the class finds free when this one is gone.
fn frees(run: &Running, class: Class) -> Lane {
    Taken::default().with(run.class, run.state, run.reserved).beside(class)
}

/// What is still needed after something was freed.
fn less(need: Lane, freed: Lane) -> Lane {
    Lane { slots: need.slots.saturating_sub(freed.slots), reserved: need.reserved.minus(freed.reserved) }
}

fn helps(need: Lane, freed: Lane) -> bool {
    less(need, freed) != need
}

/// A set of at most so many that frees what is needed. The last of it stands as near to the front as can be.
fn smallest(freed: &[Lane], size: usize, need: Lane) -> Option<Vec<usize>> {
    if need.is_empty() {
        return Some(vec![]);
    }
    let before = size.checked_sub(1)?;
    (before..freed.len()).find_map(|last| {
        let mut chosen = smallest(&freed[..last], before, less(need, freed[last]))?;
        chosen.push(last);
        Some(chosen)
    })
}

/// From the front on until it is enough; then those are spared again, from the back on, without whom it is enough too.
fn enough(freed: &[Lane], need: Lane) -> Option<Vec<usize>> {
    let (mut left, mut chosen) = (need, vec![]);
    for (at, lane) in freed.iter().enumerate() {
        if helps(left, *lane) {
            left = less(left, *lane);
            chosen.push(at);
        }
    }
    if !left.is_empty() {
        return None;
    }
    for spared in chosen.clone().into_iter().rev() {
        let others = chosen.iter().filter(|at| **at != spared).fold(need, |need, at| less(need, freed[*at]));
        if others.is_empty() {
            chosen.retain(|at| *at != spared);
        }
    }
    Some(chosen)
}
