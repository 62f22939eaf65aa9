//! The picture of the whole org: which journal's word counts where several tell of one thing. A run is what its requester's journal
//! says, and its executor's where that tells more; a claim is what its owner's journal says. Nobody else's word counts.

use crate::{
    Did, PatchId, RunId, Timestamp,
    run::{Run, RunState},
    task::Claim,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// From whose journal something is known, where that is another device's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Whose {
    /// The device.
    pub device: Did,
    /// As of when its journal is known whole here, by the clock here; none where that never was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Whether its journal is followed now.
    pub reachable: bool,
}

/// A run as one journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunIn {
    /// Whose journal.
    pub journal: Did,
    /// The number of the event there that changed it last.
    pub seq: u64,
    /// The run.
    pub run: Run,
}

/// A claim as one journal has it, with the latest run at it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimIn {
    /// Whose journal.
    pub journal: Did,
    /// The claim.
    pub claim: Claim,
    /// Its latest run.
    pub latest: Option<Run>,
}

/// The version of a run that counts, whoever looks; none where nobody tells of it whose word counts.
pub fn run(versions: &[RunIn]) -> Option<&RunIn> {
    among(versions, |_| true)
}

fn among(versions: &[RunIn], fits: impl Fn(&RunIn) -> bool) -> Option<&RunIn> {
    let asked = versions.iter().find(|v| fits(v) && v.journal == v.run.requester);
    let executed = versions.iter().find(|v| fits(v) && v.run.device.as_ref() == Some(&v.journal));
    match (asked, executed) {
        (Some(asked), Some(executed)) if tells_more(executed, asked) => Some(executed),
        (Some(asked), _) => Some(asked),
        (None, executed) => executed,
    }
}

/// The version of a run that a device shows: its own of what it asked for itself, whatever others say of that; of what runs here only
/// what its requester says, as the own journal knows them.
pub fn run_at<'v>(here: &Did, versions: &'v [RunIn]) -> Option<&'v RunIn> {
    let Some(own) = versions.iter().find(|v| v.journal == *here) else { return run(versions) };
    if own.run.requester == *here {
        return Some(own);
    }
    // Who asked for it the own journal knows: another that claims to have done so is not heard.
    among(versions, |v| v.run.requester == own.run.requester).or(Some(own))
}

/// Whether the executor's journal tells more of a run than its requester has heard. What the requester's calls ended is over.
fn tells_more(executed: &RunIn, asked: &RunIn) -> bool {
    let (there, here) = (&executed.run, &asked.run);
    let just_leased = || here.lease.is_none() && here.manifest.is_some() && here.manifest == there.manifest && there.state.holds_slot();
    let same = (here.lease.is_some() && here.lease == there.lease) || just_leased();
    same && !here.state.ended() && here.told.as_ref().is_none_or(|told| told.seq < executed.seq)
}

impl ClaimIn {
    /// Whether it is its owner's to tell.
    pub fn counts(&self) -> bool {
        self.claim.device == self.journal
    }

    /// Whether its run goes on.
    pub fn runs(&self) -> bool {
        self.latest.as_ref().is_some_and(|run| !run.state.ended())
    }

    /// Whether nobody else may begin at the task: its run goes on, or its patch is neither merged nor closed.
    pub fn holds(&self) -> bool {
        let open = self.claim.patch.is_some() && !self.claim.merged && !self.claim.rejected;
        self.runs() || (open && self.latest.as_ref().is_none_or(|run| run.state == RunState::Done))
    }

    /// Whether another claim takes this one over, and is not taken over by it in turn.
    pub fn taken_over_by(&self, other: &Self) -> bool {
        other.counts() && other.claim.over.contains(&self.journal) && !self.claim.over.contains(&other.journal)
    }

    /// How far the task came by it.
    fn far(&self) -> u8 {
        match (self.claim.merged, self.claim.patch.is_some() && !self.claim.rejected, self.runs()) {
            (true, ..) => 3,
            (_, true, _) => 2,
            (_, _, true) => 1,
            _ => 0,
        }
    }
}

/// The claims of others that stand in the way of a device which begins at their task: all that may come to something, but for those that
/// were taken over from here. What this device has begun itself it may go on with, unless another took that over.
pub fn in_the_way(own: Option<&ClaimIn>, others: Vec<ClaimIn>) -> Vec<ClaimIn> {
    let mine = |other: &ClaimIn| own.is_some_and(|own| other.taken_over_by(own) || (own.holds() && !own.taken_over_by(other)));
    others.into_iter().filter(|other| other.holds() && !mine(other)).collect()
}

/// Why a patch of a task is not accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rival<'c> {
    /// Another patch of the task was accepted, by the owner of this claim.
    Accepted(&'c ClaimIn, &'c PatchId),
    /// Another device took the claim over.
    TakenOver(&'c ClaimIn),
}

/// What stands against accepting a patch of a task, whose claim this device has as `own`: at most one patch of a task is accepted, by
/// the claim's owner. As far as is known here.
pub fn rival<'c>(own: &'c ClaimIn, others: &'c [ClaimIn], patch: &PatchId) -> Option<Rival<'c>> {
    let accepted = |claim: &'c ClaimIn| claim.claim.patch.as_ref().filter(|known| claim.counts() && claim.claim.merged && *known != patch);
    let before = std::iter::once(own).chain(others).find_map(|claim| Some(Rival::Accepted(claim, accepted(claim)?)));
    before.or_else(|| others.iter().find(|other| own.taken_over_by(other)).map(Rival::TakenOver))
}

/// All that counts of the journals that are known: every run as its word counts, every claim as its owner says. The same on devices that
/// have the same journals.
#[derive(Debug, Serialize)]
pub struct Whole {
    runs: BTreeMap<RunId, Run>,
    claims: BTreeMap<String, BTreeMap<Did, Claim>>,
}

impl Whole {
    /// From the runs that journals tell of, and the claims, each with the journal that tells of it.
    pub fn new(mut runs: Vec<RunIn>, claims: Vec<(Did, Claim)>) -> Self {
        // In one order, whoever looks.
        runs.sort_by(|a, b| a.journal.cmp(&b.journal));
        let mut versions: BTreeMap<RunId, Vec<RunIn>> = BTreeMap::new();
        for version in runs {
            versions.entry(version.run.id.clone()).or_default().push(version);
        }
        let counting = versions.into_iter().filter_map(|(id, all)| Some((id, run(&all)?.run.clone()))).collect();
        let mut owned: BTreeMap<String, BTreeMap<Did, Claim>> = BTreeMap::new();
        for (device, claim) in claims.into_iter().filter(|(device, claim)| claim.device == *device) {
            owned.entry(claim.task.to_string()).or_default().insert(device, claim);
        }
        Self { runs: counting, claims: owned }
    }

    /// How many runs and tasks there are in it.
    pub fn len(&self) -> usize {
        self.runs.len() + self.claims.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The claim on a task that a device shows: its own while its run goes on, else the one by which the task came furthest; of two equal
/// ones its own, then the older.
pub fn claim_at<'c>(here: &Did, claims: &'c [ClaimIn]) -> Option<&'c ClaimIn> {
    let counting = || claims.iter().filter(|c| c.counts() && !claims.iter().any(|other| c.taken_over_by(other)));
    let own = counting().find(|c| c.journal == *here && c.runs());
    own.or_else(|| counting().min_by_key(|c| (u8::MAX - c.far(), c.journal != *here, c.claim.runs.first().cloned(), c.journal.clone())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::event::Told;
    use serde_json::json;

    fn did(letter: char) -> Did {
        format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap()
    }

    /// A run that `a` asked for and `b` executes, as a journal has it.
    fn version(journal: char, seq: u64, state: &str, heard: Option<u64>) -> RunIn {
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did('m'), "requester": did('a'),
            "device": did('b'), "lease": "01ARZ3NDEKTSV4RRFFQ69G5FAW", "state": state, "queued_at": 0,
        });
        let mut run: Run = serde_json::from_value(run).unwrap();
        run.told = heard.map(|seq| Told { device: did('b'), seq, heard_at: Timestamp(0) });
        RunIn { journal: did(journal), seq, run }
    }

    #[test]
    fn a_run_is_what_its_requester_says_unless_its_executor_tells_more() {
        let table = [
            // requester's, executor's, who counts
            (Some(("working", Some(9))), Some((9, "working")), Some('a')),
            (Some(("working", Some(9))), Some((12, "done")), Some('b')),
            (Some(("working", None)), Some((12, "done")), Some('b')),
            // What the requester gave up is over, whatever the executor still did.
            (Some(("lost", Some(9))), Some((12, "done")), Some('a')),
            (Some(("working", Some(9))), None, Some('a')),
            (None, Some((12, "done")), Some('b')),
            (None, None, None),
        ];
        for (asked, executed, expected) in table {
            let asked = asked.map(|(state, heard)| version('a', 40, state, heard));
            let executed = executed.map(|(seq, state)| version('b', seq, state, None));
            // A third one's word about it is nobody's.
            let all: Vec<RunIn> = [version('c', 99, "failed", None)].into_iter().chain(asked).chain(executed).collect();
            let case = format!("{all:#?}");
            assert_eq!(run(&all).map(|v| v.journal.clone()), expected.map(did), "{case}");
            let own = all.iter().any(|v| v.journal == did('a'));
            assert_eq!(run_at(&did('a'), &all).map(|v| v.journal.clone()), if own { Some(did('a')) } else { expected.map(did) }, "{case}");
        }
    }

    fn claim(owner: char, journal: char, change: impl FnOnce(&mut Claim), state: &str) -> ClaimIn {
        let run = version(owner, 1, state, None).run;
        let claim = json!({
            "task": {"project": "demo", "feature": "001-hello", "task": "T001"}, "device": did(owner), "runs": [run.id],
        });
        let mut claim: Claim = serde_json::from_value(claim).unwrap();
        change(&mut claim);
        ClaimIn { journal: did(journal), claim, latest: Some(run) }
    }

    #[test]
    fn a_claim_is_what_its_owner_says_and_holds_while_something_may_come_of_it() {
        let patch = |c: &mut Claim| c.patch = Some("a".repeat(40).parse().unwrap());
        let (works, failed) = (claim('b', 'b', |_| {}, "working"), claim('a', 'a', |_| {}, "failed"));
        let review = claim('b', 'b', patch, "done");
        let closed = claim('b', 'b', |c| (c.patch, c.rejected) = (Some("a".repeat(40).parse().unwrap()), true), "done");
        let of_nobody = claim('a', 'b', patch, "done");
        assert!(works.holds() && review.holds() && !failed.holds() && !closed.holds());
        let shown = |here: char, all: &[ClaimIn]| claim_at(&did(here), all).map(|c| c.journal.clone());
        assert_eq!(shown('a', &[failed.clone(), works.clone()]), Some(did('b')));
        assert_eq!(shown('a', &[failed.clone(), closed]), Some(did('a')));
        assert_eq!(shown('a', &[of_nobody]), None);
        let own = claim('a', 'a', |_| {}, "working");
        assert_eq!(shown('a', &[review.clone(), own.clone()]), Some(did('a')));
        assert_eq!(shown('c', &[own.clone(), review.clone()]), Some(did('b')));
        // Taken over by `c`, which has done nothing yet; and taken back.
        let taken = claim('c', 'c', |c| (c.runs, c.over) = (vec![], vec![did('a'), did('b')]), "failed");
        for here in ['a', 'b', 'c'] {
            assert_eq!(shown(here, &[own.clone(), review.clone(), taken.clone()]), Some(did('c')));
        }
        let back = claim('b', 'b', |c| c.over = vec![did('c')], "working");
        assert_eq!(shown('c', &[own, back, taken]), Some(did('b')));
    }

    #[test]
    fn one_patch_of_a_task_is_accepted_by_the_owner_of_its_claim() {
        let (first, second): (PatchId, PatchId) = ("a".repeat(40).parse().unwrap(), "b".repeat(40).parse().unwrap());
        let merged = claim('b', 'b', |c| (c.patch, c.merged) = (Some("a".repeat(40).parse().unwrap()), true), "done");
        let of_nobody = claim('a', 'b', |c| (c.patch, c.merged) = (Some("a".repeat(40).parse().unwrap()), true), "done");
        let own = claim('a', 'a', |_| {}, "done");
        assert_eq!(rival(&own, std::slice::from_ref(&merged), &second), Some(Rival::Accepted(&merged, &first)));
        assert_eq!(rival(&own, std::slice::from_ref(&merged), &first), None, "the very same");
        assert_eq!(rival(&merged, &[], &second), Some(Rival::Accepted(&merged, &first)));
        assert_eq!(rival(&own, &[of_nobody], &second), None, "that is not its to tell");
        let taken = claim('c', 'c', |c| c.over = vec![did('a')], "working");
        assert_eq!(rival(&own, std::slice::from_ref(&taken), &first), Some(Rival::TakenOver(&taken)));
        assert_eq!(in_the_way(Some(&own), vec![taken.clone()]), std::slice::from_ref(&taken));
        assert!(in_the_way(Some(&taken), vec![claim('a', 'a', |_| {}, "working")]).is_empty());
        assert!(in_the_way(None, vec![claim('b', 'b', |_| {}, "failed")]).is_empty());
    }

    #[test]
    fn the_whole_picture_is_the_same_whoever_looks() {
        let (asked, executed) = (version('a', 40, "working", Some(9)), version('b', 12, "done", None));
        let claims = vec![(did('a'), claim('a', 'a', |_| {}, "done").claim), (did('b'), claim('a', 'b', |_| {}, "done").claim)];
        let told = |runs: Vec<RunIn>, claims| serde_json::to_value(Whole::new(runs, claims)).unwrap();
        let one = told(vec![asked.clone(), executed.clone()], claims.clone());
        assert_eq!(one, told(vec![executed, asked], claims.into_iter().rev().collect()));
        assert_eq!(one["runs"]["01ARZ3NDEKTSV4RRFFQ69G5FAV"]["state"], "done");
        assert_eq!(one["claims"]["demo/001-hello/T001"].as_object().map(serde_json::Map::len), Some(1));
    }
}
