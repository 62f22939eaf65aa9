//! What another device's claim on a task keeps this one from.

use super::ClaimIn;
use crate::Did;

/// Whether a device, with this own claim, can take over the claim of another: it may come to something, or it took the own one over; also
/// where both are there, as after both began while they could not hear of each other.
pub fn to_take_over(own: Option<&ClaimIn>, other: &ClaimIn) -> bool {
    match own {
        Some(own) if own.taken_over_by(other) => true,
        Some(own) => other.holds() && !other.taken_over_by(own),
        None => other.holds(),
    }
}

/// Whether the claim of another keeps a device, with this own claim, from beginning at its task: what it has begun itself it may go on with
/// until that is taken over; and what it took over is its own until it is taken back.
pub fn in_the_way(own: Option<&ClaimIn>, other: &ClaimIn) -> bool {
    to_take_over(own, other) && own.is_none_or(|own| own.taken_over_by(other) || !own.holds())
}

/// The device at which the task of a run that waits here goes on, so that the run does not begin: a run there has begun and is not over, or
/// the patch there is open, and this device did not take the task over. What waits there too keeps nobody: each would wait for the other.
/// But the next revision of a patch does, which waits for nobody else's; and what goes on from saved work, where this device has none.
pub fn begun_elsewhere<'c>(here: &Did, claims: &'c [ClaimIn]) -> Option<&'c Did> {
    let own = claims.iter().find(|claim| claim.journal == *here && claim.counts());
    let others = claims.iter().filter(|other| other.journal != *here && other.counts() && other.holds());
    let first = |other: &ClaimIn| other.saved && own.is_none_or(|own| !own.saved);
    let begun = |other: &ClaimIn| first(other) || other.latest.as_ref().is_none_or(|run| !run.state.waits() || run.patch.is_some());
    let free = |other: &ClaimIn| own.is_some_and(|own| other.taken_over_by(own));
    others.filter(|other| begun(other) && !free(other)).map(|other| &other.journal).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        run::{Run, RunState},
        task::Claim,
    };
    use serde_json::json;

    fn did(letter: char) -> Did {
        format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap()
    }

    /// The claim of a device whose run is in this state, with a patch of it or without.
    fn claim(owner: char, state: &str, patch: bool) -> ClaimIn {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let run = json!({
            "id": id, "class": "agent", "project": "demo", "member": did('m'), "requester": did(owner), "state": state, "queued_at": 0,
        });
        let claim = json!({
            "task": {"project": "demo", "feature": "001-hello", "task": "T001"}, "device": did(owner), "runs": [id],
        });
        let (run, claim): (Run, Claim) = (serde_json::from_value(run).unwrap(), serde_json::from_value(claim).unwrap());
        let patch = patch.then(|| "a".repeat(40).parse().unwrap());
        ClaimIn { journal: did(owner), claim: Claim { patch, ..claim }, latest: Some(run), saved: false, removed: false }
    }

    #[test]
    fn what_waits_does_not_begin_while_its_task_goes_on_elsewhere() {
        let (own, bobs) = (claim('a', "queued", false), did('b'));
        let at = |other: ClaimIn| begun_elsewhere(&did('a'), &[own.clone(), other]).cloned();
        assert_eq!(at(claim('b', "working", false)), Some(bobs.clone()));
        assert_eq!(at(claim('b', "done", true)), Some(bobs), "its patch is open");
        assert_eq!(at(claim('b', "queued", false)), None, "each would wait for the other");
        assert_eq!(at(claim('b', "failed", false)), None);
        let with = |change: fn(&mut ClaimIn)| {
            let mut other = claim('b', "done", true);
            change(&mut other);
            at(other)
        };
        assert_eq!(with(|other| other.claim.rejected = true), None, "its patch was closed");
        let revises = |other: &mut ClaimIn| {
            other.latest.iter_mut().for_each(|run| (run.state, run.patch) = (RunState::Queued, other.claim.patch.clone()))
        };
        assert_eq!(with(revises), Some(did('b')), "its patch is open while the next revision waits");
        assert_eq!(with(|other| other.removed = true), None);
        assert_eq!(with(|other| other.journal = did('c')), None, "a claim is what its owner says");
        let saved = |claim: ClaimIn| ClaimIn { saved: true, ..claim };
        assert_eq!(at(saved(claim('b', "queued", false))), Some(did('b')), "what was done there goes first");
        let both = [saved(own.clone()), saved(claim('b', "queued", false))];
        assert_eq!(begun_elsewhere(&did('a'), &both), None, "each would wait for the other");
        let mut over = own.clone();
        (over.claim.over, over.claim.turn) = (vec![did('b')], 1);
        assert_eq!(begun_elsewhere(&did('a'), &[over, claim('b', "working", false)]), None, "it was taken over here");
    }
}
