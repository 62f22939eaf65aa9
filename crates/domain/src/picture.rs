//! The picture of the whole org: which journal's word counts where several tell of one thing. A run is what its requester's journal
//! says, and its executor's where that tells more; a claim is what its owner's journal says. Nobody else's word counts.

mod way;

pub use way::{begun_elsewhere, in_the_way, to_take_over};

use crate::{
    Did, PatchId, RunId, Timestamp,
    gate::{Missing, PatchStanding},
    patch::PatchState,
    run::{Reason, Run, RunState},
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
    /// Whether the device was removed from the org: nothing more will come of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// What a stop order halts that cuts it off from this device, in words; none: no order does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// Where it is away, and executes a run for this device: then the run counts as lost, unless the device is heard of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Whose {
    /// Of a device that belongs to the org, and that no stop order cuts off.
    pub fn new(device: Did, as_of: Option<Timestamp>, reachable: bool) -> Self {
        Self { device, as_of, reachable, removed: false, halted: None, until: None }
    }
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
    /// Whether that waits, and goes on from saved work.
    pub saved: bool,
    /// Whether its device was removed from the org: it keeps nobody from the task any more, and what it brought stays.
    pub removed: bool,
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

    /// Whether nobody else may begin at the task: its run goes on, or its patch is neither merged nor closed. Never that of a device which
    /// was removed: nobody could end it.
    pub fn holds(&self) -> bool {
        let open = self.claim.patch.is_some() && !self.claim.merged && !self.claim.rejected;
        !self.removed && (self.runs() || (open && self.latest.as_ref().is_none_or(|run| run.state == RunState::Done)))
    }

    /// Whether another claim took this one over, and was not taken over by it in turn. Where both took over at once, neither knowing of the
    /// other, neither has it; and what a device took over that was removed, nobody has.
    pub fn taken_over_by(&self, other: &Self) -> bool {
        other.counts() && !other.removed && other.claim.over.contains(&self.journal) && other.claim.turn > self.claim.turn
    }

    /// Its patch, where that was accepted.
    fn accepted(&self) -> Option<&PatchId> {
        self.claim.patch.as_ref().filter(|_| self.counts() && self.claim.merged)
    }

    /// How far the task came by it; of two that came as far, that of a removed device stands behind.
    fn far(&self) -> u8 {
        let far = match (self.claim.merged, self.claim.patch.is_some() && !self.claim.rejected, self.runs()) {
            (true, ..) => 7,
            (_, true, _) => 5,
            (_, _, true) => 3,
            _ => 1,
        };
        far - u8::from(self.removed)
    }
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

/// One of several patches of a task, of which at most one is accepted: each by another device, which claimed the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rival {
    /// The patch.
    pub patch: PatchId,
    /// Where it is.
    pub state: PatchState,
    /// Where it stands by its gate; of a patch that has not come from its device yet only whether it is merged or closed is known.
    pub standing: PatchStanding,
    /// The device whose claim it is of.
    pub device: Did,
    /// For whom that worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Did>,
    /// The run that made it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Another device took the task over from that one.
    pub taken_over: bool,
    /// Who had it merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_by: Option<Did>,
    /// From whose journal it is known, where that is another device's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whose: Option<Whose>,
}

/// The patches of a task that claims brought, those of several devices and of runs that were given up, the accepted one first; none where
/// there is but one.
pub fn rivals(claims: &[ClaimIn]) -> Vec<Rival> {
    let mut of: Vec<(&ClaimIn, &PatchId)> = vec![];
    for claim in claims.iter().filter(|c| c.counts()) {
        let new: Vec<_> = claim.claim.patches().filter(|patch| of.iter().all(|(_, known)| known != patch)).collect();
        of.extend(new.into_iter().map(|patch| (claim, patch)));
    }
    if of.len() < 2 {
        return vec![];
    }
    of.sort_by_key(|(c, patch)| (c.accepted() != Some(*patch), is_taken_over(c, claims), c.journal.clone()));
    of.into_iter().map(|(claim, patch)| rival(claim, patch, claims)).collect()
}

fn rival(of: &ClaimIn, patch: &PatchId, claims: &[ClaimIn]) -> Rival {
    let ClaimIn { journal, claim, latest, .. } = of;
    // What is said of the claim's patch is not said of those beside it.
    let own = claim.patch.as_ref() == Some(patch);
    let (state, standing) = match (own && claim.merged, own && claim.rejected) {
        (true, _) => (PatchState::Merged, PatchStanding::Merged),
        (_, true) => (PatchState::Archived, PatchStanding::Closed),
        _ => (PatchState::Open, PatchStanding::ToReview),
    };
    Rival {
        patch: patch.clone(),
        state,
        standing,
        device: journal.clone(),
        member: latest.as_ref().map(|run| run.member.clone()),
        run: latest.as_ref().filter(|run| run.patch.as_ref() == Some(patch)).map(|run| run.id.clone()),
        taken_over: is_taken_over(of, claims),
        merged_by: claim.merged_by.clone().filter(|_| own),
        whose: None,
    }
}

fn is_taken_over(claim: &ClaimIn, claims: &[ClaimIn]) -> bool {
    claims.iter().any(|other| claim.taken_over_by(other))
}

/// The claim that took another over last, if one did.
fn taker<'c>(claim: &ClaimIn, claims: &'c [ClaimIn]) -> Option<&'c ClaimIn> {
    claims.iter().filter(|other| claim.taken_over_by(other)).max_by_key(|other| (other.claim.turn, other.journal.clone()))
}

/// Takes back of claims that their patches were accepted where that is not believed. `shown` says whether a patch was, as far as that is
/// known here; of what is not, `word` says whether that is believed of a device.
pub fn believe(claims: &mut [ClaimIn], shown: impl Fn(&PatchId) -> Option<bool>, word: impl Fn(&Did) -> bool) {
    for found in claims.iter_mut().filter(|found| found.claim.merged) {
        let believed = |patch: &PatchId| shown(patch).unwrap_or_else(|| word(&found.journal));
        found.claim.merged = found.claim.patch.as_ref().is_some_and(believed);
    }
}

/// The patch of a task that was accepted, and the device whose claim it is of; of several the same, whoever looks.
pub fn accepted(claims: &[ClaimIn]) -> Option<(&PatchId, &Did)> {
    claims.iter().filter_map(|c| Some((c.accepted()?, &c.journal))).min_by_key(|(_, device)| *device)
}

/// What the claims on its task say against accepting a patch: that another was accepted, or that its own claim was taken over.
pub fn against(patch: &PatchId, claims: &[ClaimIn]) -> Option<Missing> {
    let others = claims.iter().filter(|c| c.accepted().is_some_and(|accepted| accepted != patch));
    if let Some((claim, accepted)) = others.min_by_key(|c| c.journal.clone()).and_then(|c| Some((c, c.accepted()?))) {
        return Some(Missing::Accepted { task: claim.claim.task.clone(), patch: accepted.clone() });
    }
    // Who merely names the patch of another as its own does not have it taken over with its claim.
    let naming = claims.iter().filter(|c| c.counts() && c.claim.patches().any(|named| named == patch));
    let takers: Option<Vec<(&ClaimIn, &ClaimIn)>> = naming.map(|own| Some((own, taker(own, claims)?))).collect();
    let (own, by) = takers?.into_iter().next()?;
    Some(Missing::TakenOver { task: own.claim.task.clone(), by: by.journal.clone() })
}

/// Why a device begins nothing further at a task that it claimed; none: it may.
pub fn lost(here: &Did, claims: &[ClaimIn]) -> Option<Reason> {
    let others = claims.iter().filter(|c| c.journal != *here).filter_map(|c| Some((c.accepted()?, &c.journal)));
    if let Some((patch, by)) = others.min_by_key(|(_, device)| *device) {
        return Some(Reason::Superseded { patch: patch.clone(), by: by.clone() });
    }
    let own = claims.iter().find(|c| c.journal == *here && c.counts())?;
    taker(own, claims).map(|by| Reason::TakenOver { by: by.journal.clone() })
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
        ClaimIn { journal: did(journal), claim, latest: Some(run), saved: false, removed: false }
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
        let taken = claim('c', 'c', |c| (c.runs, c.over, c.turn) = (vec![], vec![did('a'), did('b')], 1), "failed");
        for here in ['a', 'b', 'c'] {
            assert_eq!(shown(here, &[own.clone(), review.clone(), taken.clone()]), Some(did('c')));
        }
        let back = claim('b', 'b', |c| (c.over, c.turn) = (vec![did('c')], 2), "working");
        assert_eq!(shown('c', &[own, back, taken]), Some(did('b')));
    }

    #[test]
    fn the_claim_of_a_removed_device_keeps_nobody_from_the_task_and_what_it_brought_stays() {
        let gone = |claim: ClaimIn| ClaimIn { removed: true, ..claim };
        let with = |owner: char, patch: char, change: fn(&mut Claim)| {
            let set = move |c: &mut Claim| {
                c.patch = Some(id(patch));
                change(c);
            };
            claim(owner, owner, set, "done")
        };
        let (works, review) = (claim('b', 'b', |_| {}, "working"), with('b', 'b', |_| {}));
        for there in [&works, &review] {
            assert!(in_the_way(None, there) && !in_the_way(None, &gone(there.clone())), "{there:?}");
            assert!(!to_take_over(None, &gone(there.clone())), "there is nothing to take over");
        }
        // What it took over is not its own any more, and its own patches are rivals still.
        let ours = with('a', 'a', |_| {});
        let taken = with('b', 'b', |c| (c.over, c.turn) = (vec![did('a')], 1));
        assert!(matches!(against(&id('a'), &[ours.clone(), taken.clone()]), Some(Missing::TakenOver { .. })));
        let over = [ours.clone(), gone(taken)];
        assert_eq!((against(&id('a'), &over), lost(&did('a'), &over), rivals(&over).len()), (None, None, 2));
        // Where another came as far that one is shown, and its own only while nobody has come so far.
        let shown = |all: &[ClaimIn]| claim_at(&did('c'), all).map(|c| c.journal.clone());
        let early = ClaimIn { latest: None, ..gone(review.clone()) };
        assert_eq!(shown(&[early.clone(), ours]), Some(did('a')));
        assert_eq!(shown(&[early, claim('a', 'a', |_| {}, "working")]), Some(did('b')));
        // A patch of it that was accepted stays so.
        let merged = gone(with('b', 'b', |c| c.merged = true));
        assert!(matches!(against(&id('a'), &[merged]), Some(Missing::Accepted { patch, .. }) if patch == id('b')));
    }

    fn id(letter: char) -> PatchId {
        letter.to_string().repeat(40).parse().unwrap()
    }

    #[test]
    fn of_the_patches_of_a_task_one_is_accepted_and_the_others_are_rivals() {
        let with = |owner: char, patch: char, change: fn(&mut Claim)| {
            let set = move |c: &mut Claim| {
                c.patch = Some(id(patch));
                change(c);
            };
            claim(owner, owner, set, "done")
        };
        let (ours, theirs) = (with('a', 'a', |_| {}), with('b', 'b', |_| {}));
        let order = |claims: &[ClaimIn]| rivals(claims).into_iter().map(|r| (r.patch, r.state, r.taken_over)).collect::<Vec<_>>();
        assert!(order(std::slice::from_ref(&ours)).is_empty());
        assert_eq!(order(&[theirs.clone(), ours.clone()]), [(id('a'), PatchState::Open, false), (id('b'), PatchState::Open, false)]);
        // Nobody took it over: a person picks, on either device.
        let both = [ours.clone(), theirs.clone()];
        assert_eq!((against(&id('a'), &both), against(&id('b'), &both), lost(&did('a'), &both)), (None, None, None));

        // What is taken over is accepted for the one who took it, until it is taken back.
        let taken = with('b', 'b', |c| (c.over, c.turn) = (vec![did('a')], 1));
        let over = [ours.clone(), taken.clone()];
        assert!(matches!(against(&id('a'), &over), Some(Missing::TakenOver { by, .. }) if by == did('b')));
        assert_eq!(against(&id('b'), &over), None);
        assert_eq!((lost(&did('a'), &over), lost(&did('b'), &over)), (Some(Reason::TakenOver { by: did('b') }), None));
        let back = [with('a', 'a', |c| (c.over, c.turn) = (vec![did('b')], 2)), taken.clone()];
        assert_eq!((against(&id('a'), &back), lost(&did('b'), &back)), (None, Some(Reason::TakenOver { by: did('a') })));
        assert!(matches!(against(&id('b'), &back), Some(Missing::TakenOver { by, .. }) if by == did('a')));
        // The one that is taken over names the other's patch as its own: that hinders nobody.
        let named = [with('a', 'b', |_| {}), taken.clone()];
        assert_eq!(against(&id('b'), &named), None);
        // Both at once, neither knowing of the other.
        let once = [with('a', 'a', |c| (c.over, c.turn) = (vec![did('b')], 1)), taken];
        assert_eq!((against(&id('a'), &once), against(&id('b'), &once)), (None, None));

        // One is accepted: the other never is, whoever took what over; what somebody else says of a claim counts for nothing.
        let merged = with('a', 'a', |c| (c.merged, c.merged_by) = (true, Some(did('m'))));
        let closed = with('b', 'b', |c| (c.rejected, c.over, c.turn) = (true, vec![did('a')], 1));
        let done = [closed.clone(), merged.clone()];
        assert_eq!(accepted(&done), Some((&id('a'), &did('a'))));
        assert!(matches!(against(&id('b'), &done), Some(Missing::Accepted { patch, .. }) if patch == id('a')));
        assert_eq!(lost(&did('b'), &done), Some(Reason::Superseded { patch: id('a'), by: did('a') }));
        assert_eq!(order(&done), [(id('a'), PatchState::Merged, true), (id('b'), PatchState::Archived, false)]);
        assert_eq!(rivals(&done)[0].merged_by, Some(did('m')));
        // A run that was given up had made one too.
        let given_up = [with('a', 'a', |c| c.others = vec![id('c')])];
        assert_eq!(order(&given_up), [(id('a'), PatchState::Open, false), (id('c'), PatchState::Open, false)]);
        let picked = [with('a', 'a', |c| (c.others, c.merged, c.rejected) = (vec![id('c')], true, false))];
        assert_eq!(order(&picked), [(id('a'), PatchState::Merged, false), (id('c'), PatchState::Open, false)]);
        assert!(matches!(against(&id('c'), &picked), Some(Missing::Accepted { patch, .. }) if patch == id('a')));
        let said = [theirs, ClaimIn { journal: did('c'), ..merged }];
        assert_eq!((accepted(&said), against(&id('b'), &said)), (None, None));
    }

    #[test]
    fn that_a_patch_was_accepted_is_believed_as_it_is_shown_here_and_else_by_the_word_of_who_could_have_done_it() {
        let merged = |owner: char| claim(owner, owner, move |c| (c.patch, c.merged) = (Some(id(owner)), true), "done");
        let open = claim('e', 'e', |c| c.patch = Some(id('e')), "done");
        let mut claims = vec![merged('a'), merged('b'), merged('c'), merged('d'), open];
        let shown = |patch: &PatchId| [('a', true), ('b', false), ('e', true)].into_iter().find(|(of, _)| id(*of) == *patch);
        believe(&mut claims, |patch| shown(patch).map(|(_, is)| is), |device| [did('b'), did('c')].contains(device));
        let believed: Vec<bool> = claims.iter().map(|found| found.claim.merged).collect();
        assert_eq!(believed, [true, false, true, false, false], "shown, shown not, by its word, its word counts for nothing, never said");
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
