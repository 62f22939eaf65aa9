//! Who may execute a run, and whose word about it counts: the decisions that keep two devices from executing one run, and one device
//! from executing it twice. Pure: who asks reads the journal before, and writes what follows in the same step.
//!
//! Which device is asked stands in the requester's journal before it is asked. Only that device gets the delegation of the run's key,
//! once, and without it no engine starts: an answer that comes late, or is lost, starts nothing a second time.

use crate::{
    Did, Hash,
    event::Body,
    lease::Lease,
    placement::Refusal,
    run::{Reason, Run, RunState},
};
use serde::Deserialize;

/// What of a run says whether it may be leased: read by itself, since reading all of a run takes longer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// As in [`Run::state`].
    pub state: RunState,
    /// As in [`Run::manifest`].
    #[serde(default)]
    pub manifest: Option<Hash>,
}

impl From<&Run> for Known {
    fn from(run: &Run) -> Self {
        Self { state: run.state, manifest: run.manifest.clone() }
    }
}

/// Why a device that is asked for a run does not lease it again: it was leased before, or was placed with another manifest.
/// `known` is the run as that device's journal has it.
pub fn leases(known: Option<&Known>, manifest: &Hash) -> Vec<Refusal> {
    match known {
        Some(run) if !run.state.waits() => vec![Refusal::LeasedBefore],
        Some(run) if run.manifest.as_ref() != Some(manifest) => {
            vec![Refusal::NotAllowed { message: "This run was placed with another manifest.".into() }]
        }
        _ => vec![],
    }
}

/// The lease that this very manifest of this requester got before, also where its run is over by now: the requester may not have had
/// the answer.
pub fn leased_before(known: Option<Run>, requester: &Did, manifest: Hash) -> Option<Lease> {
    let run = known.filter(|run| run.requester == *requester && run.manifest.as_ref() == Some(&manifest) && !run.state.waits())?;
    Some(Lease { id: run.lease?, run: run.id, manifest, device: run.device?, until: run.lease_until? })
}

/// What a requester answers to a key that is reported for its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing: the run is over, or has another key.
    Over,
    /// The delegation that it signed for this key before.
    Signed(Hash),
    /// A delegation that is signed now, if the run is still so when it is written: see [`still_asked`].
    New,
}

/// What a requester answers to this key for its run. That the run's place is the device that reports it was looked at before.
pub fn key(run: &Run, key: &Did) -> Key {
    match (&run.key, &run.delegation) {
        _ if run.state.ended() || run.ending.is_some() => Key::Over,
        (Some(known), Some(delegation)) if known == key => Key::Signed(delegation.clone()),
        (Some(_), _) => Key::Over,
        _ => Key::New,
    }
}

/// Whether a run is `now` as it was `then`, and has no key yet. Another device may be asked for it by now: then that one runs it.
pub fn still_asked(now: Option<&Run>, then: &Run) -> bool {
    let same = |run: &Run| run.place() == then.place() && run.manifest == then.manifest;
    now.is_some_and(|run| same(run) && run.key.is_none() && !run.state.ended() && run.ending.is_none())
}

/// Whether a requester may still move a run that has no device. Whoever has the delegation of its key runs it: then only a note why it
/// is not heard of counts. `places` says whether the move asks another device.
pub fn may_move(run: &Run, to: RunState, places: bool) -> bool {
    run.state.waits() && (run.key.is_none() || (to == RunState::Placing && !places))
}

/// Another device that was asked for a run, and whose answer is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It got the delegation of the run's key: so it runs it, and is followed.
    Runs(Did),
    /// It may have got what was sent: while that counts the very same is sent again, and no other device is asked.
    Unanswered(Did),
}

/// The other device that has a run of `here`, or may have it.
pub fn asked(run: &Run, here: &Did) -> Option<Asked> {
    let device = run.elsewhere(here)?.clone();
    if run.state != RunState::Placing || run.envelope.is_none() {
        return None;
    }
    Some(if run.key.is_some() { Asked::Runs(device) } else { Asked::Unanswered(device) })
}

/// Whether a fact that `teller` tells, the one of this number in its journal, is news about a run that this device has as `known`. It
/// is none where it was heard before, or another device has the run by now.
pub fn is_news(known: Option<&Run>, fact: &Body, teller: &Did, seq: u64) -> bool {
    let queued = matches!(fact, Body::RunQueued { .. });
    match known {
        // About a run whose beginning is unknown.
        None => queued,
        Some(_) if queued => false,
        Some(run) if run.device.as_ref().is_some_and(|there| there != teller) => false,
        Some(run) => run.told.as_ref().is_none_or(|told| told.seq < seq),
    }
}

/// Whether a run that was given up here published its work `there`, by its executor's own word, under the key that this device signed for.
pub fn published(lost: &Run, there: &Run) -> bool {
    let patch = there.patch.is_some() && there.revision.is_some() && there.commit.is_some();
    lost.state == RunState::Lost && patch && lost.id == there.id && lost.key.is_some() && lost.key == there.key
}

/// Whether such a run takes that end over: no person stopped it, and of the runs that were queued at its task `since` none has begun. One
/// that has begun is not ended for it.
pub fn takes_end(lost: &Run, there: &Run, since: &[Run]) -> bool {
    let begun = |next: &Run| next.key.is_some() || !(next.state.waits() || next.state.ended());
    let stopped = matches!(lost.ending, Some(Reason::Stopped { .. }));
    !stopped && published(lost, there) && !since.iter().any(begun)
}

/// What is to be journaled where a run that was given up takes over the end that it has on another device.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenEnd {
    /// What this device says: what waits at the task since is not needed.
    pub own: Vec<Body>,
    /// What the other device has of the end.
    pub told: Vec<Body>,
}

/// The end that such a run takes over, which it has `there` on this device; none: see [`takes_end`].
pub fn take_end(lost: &Run, device: &Did, there: &Run, since: &[Run]) -> Option<TakenEnd> {
    if !takes_end(lost, there, since) {
        return None;
    }
    let moved = |run: &Run, to, reason| Body::RunMoved { run: run.id.clone(), to, reason: Some(reason) };
    let found_done = || Reason::FoundDone { run: lost.id.clone(), device: device.clone() };
    let waiting = since.iter().filter(|next| next.state.waits());
    let own = waiting.map(|next| moved(next, RunState::Cancelled, found_done())).collect();
    // What its checks said is shown, unless it was heard before with its signature; a merge here makes them anew.
    let checks = Body::ChecksEnded { run: lost.id.clone(), checks: there.checks.clone(), signed: None };
    let checks = (!there.checks.is_empty() && there.checks != lost.checks).then_some(checks);
    let done = moved(lost, RunState::Done, Reason::Completed);
    Some(TakenEnd { own, told: checks.into_iter().chain(patch_published(there)).chain([done]).collect() })
}

/// That a run published its patch, as its executor has it.
pub fn patch_published(there: &Run) -> Option<Body> {
    let ((patch, revision), commit) = there.patch.clone().zip(there.revision.clone()).zip(there.commit.clone())?;
    Some(Body::PatchPublished { run: there.id.clone(), patch, revision, commit })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Timestamp, event::Told};
    use serde_json::json;

    fn did(letter: char) -> Did {
        format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap()
    }

    fn hash(letter: char) -> Hash {
        letter.to_string().repeat(64).parse().unwrap()
    }

    /// A run that `a` asked for, and asks `b` for.
    fn run(state: RunState) -> Run {
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did('m'), "requester": did('a'),
            "state": state, "queued_at": 0, "asked": did('b'), "manifest": hash('1'), "envelope": hash('2'),
        });
        serde_json::from_value(run).unwrap()
    }

    fn leased() -> Run {
        let lease = Some("01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap());
        Run { lease, lease_until: Some(Timestamp(9)), device: Some(did('b')), ..run(RunState::Starting) }
    }

    #[test]
    fn a_manifest_is_leased_once_and_its_own_requester_hears_of_it_again() {
        assert!(leases(None, &hash('1')).is_empty() && leases(Some(&Known::from(&run(RunState::Placing))), &hash('1')).is_empty());
        assert!(matches!(leases(Some(&Known::from(&run(RunState::Placing))), &hash('3'))[..], [Refusal::NotAllowed { .. }]));
        for manifest in ['1', '3'] {
            assert_eq!(leases(Some(&Known::from(&leased())), &hash(manifest)), [Refusal::LeasedBefore]);
        }
        let before = |requester, manifest| leased_before(Some(leased()), &did(requester), hash(manifest)).map(|lease| lease.until);
        assert_eq!(before('a', '1'), Some(Timestamp(9)));
        assert_eq!((before('c', '1'), before('a', '3')), (None, None));
        assert_eq!(leased_before(Some(run(RunState::Placing)), &did('a'), hash('1')), None);
    }

    #[test]
    fn a_run_has_one_key_and_only_while_it_is_asked_for_in_one_place() {
        let free = run(RunState::Placing);
        let signed = Run { key: Some(did('k')), delegation: Some(hash('d')), ..free.clone() };
        let ending = Run { ending: Some(crate::run::Reason::Completed), ..free.clone() };
        let table = [
            (&free, 'k', Key::New),
            (&signed, 'k', Key::Signed(hash('d'))),
            (&signed, 'x', Key::Over),
            (&ending, 'k', Key::Over),
            (&run(RunState::Lost), 'k', Key::Over),
        ];
        for (run, letter, expected) in table {
            assert_eq!(key(run, &did(letter)), expected, "{run:?}");
        }
        assert!(still_asked(Some(&free), &free) && !still_asked(None, &free) && !still_asked(Some(&signed), &free));
        assert!(!still_asked(Some(&Run { asked: Some(did('c')), ..free.clone() }), &free));
        assert!(!still_asked(Some(&Run { manifest: Some(hash('3')), ..free.clone() }), &free));
        assert!(may_move(&free, RunState::Queued, false) && may_move(&free, RunState::Placing, true));
        assert!(!may_move(&signed, RunState::Queued, false) && !may_move(&signed, RunState::Placing, true));
        assert!(may_move(&signed, RunState::Placing, false) && !may_move(&leased(), RunState::Queued, false));
    }

    #[test]
    fn who_was_asked_and_did_not_answer_stays_the_one_who_is_asked() {
        let waits = run(RunState::Placing);
        assert_eq!(asked(&waits, &did('a')), Some(Asked::Unanswered(did('b'))));
        assert_eq!(asked(&Run { key: Some(did('k')), ..waits.clone() }, &did('a')), Some(Asked::Runs(did('b'))));
        assert_eq!(asked(&waits, &did('b')), None, "that is another device's run");
        assert_eq!((asked(&run(RunState::Queued), &did('a')), asked(&Run { envelope: None, ..waits }, &did('a'))), (None, None));
    }

    #[test]
    fn a_run_that_was_given_up_takes_its_end_over_while_nothing_was_begun_instead() {
        let oid = "c".repeat(40);
        let key = Some(did('k'));
        let lost = Run { state: RunState::Lost, key: key.clone(), ..leased() };
        let publishing = Run { state: RunState::Publishing, key: key.clone(), ..leased() };
        let done = Run {
            state: RunState::Done,
            patch: Some(oid.parse().unwrap()),
            revision: Some(oid.parse().unwrap()),
            commit: Some(oid.parse().unwrap()),
            ..publishing.clone()
        };
        let next = |state, key: Option<&Did>| Run { id: "01ARZ3NDEKTSV4RRFFQ69G5FAX".parse().unwrap(), key: key.cloned(), ..run(state) };
        let since = |state| [next(state, None)];
        assert!(takes_end(&lost, &done, &[]) && takes_end(&lost, &done, &since(RunState::Queued)));
        assert!(takes_end(&lost, &done, &since(RunState::Placing)), "nobody has its delegation");
        assert!(takes_end(&lost, &done, &since(RunState::Failed)), "nobody took it");
        let with_key = [RunState::Placing, RunState::Working, RunState::Done].map(|state| next(state, key.as_ref()));
        for begun in with_key.into_iter().chain(since(RunState::Starting)) {
            assert!(!takes_end(&lost, &done, &[next(RunState::Queued, None), begun.clone()]), "{begun:?}");
        }
        assert!(!takes_end(&lost, &publishing, &[]), "no patch of it is known");
        assert!(!takes_end(&lost, &Run { key: Some(did('x')), ..done.clone() }, &[]), "this device signed for another key");
        assert!(!takes_end(&Run { key: None, ..lost.clone() }, &Run { key: None, ..done.clone() }, &[]), "it never began");
        assert!(!takes_end(&Run { ending: Some(Reason::Stopped { by: did('m') }), ..lost.clone() }, &done, &[]), "a person stopped it");
        assert!(!takes_end(&Run { state: RunState::Cancelled, ..lost }, &done, &[]), "a person ended it");
    }

    #[test]
    fn what_waits_in_place_of_a_run_whose_end_is_taken_over_is_not_needed() {
        let oid = "c".repeat(40);
        let check = serde_json::from_value(json!({"name": "test", "passed": true, "duration_ms": 1})).unwrap();
        let lost = Run { state: RunState::Lost, key: Some(did('k')), ..leased() };
        let there = Run {
            state: RunState::Done,
            patch: Some(oid.parse().unwrap()),
            revision: Some(oid.parse().unwrap()),
            commit: Some(oid.parse().unwrap()),
            checks: vec![check],
            ..lost.clone()
        };
        let next = |letter, state| Run { id: format!("01ARZ3NDEKTSV4RRFFQ69G5FA{letter}").parse().unwrap(), ..run(state) };
        let since = [next('W', RunState::Failed), next('X', RunState::Queued)];
        let of = |lost: &Run| take_end(lost, &did('b'), &there, &since).unwrap();
        let found_done = Some(Reason::FoundDone { run: lost.id.clone(), device: did('b') });
        assert_eq!(of(&lost).own, [Body::RunMoved { run: since[1].id.clone(), to: RunState::Cancelled, reason: found_done }]);
        let told = [
            Body::ChecksEnded { run: lost.id.clone(), checks: there.checks.clone(), signed: None },
            patch_published(&there).unwrap(),
            Body::RunMoved { run: lost.id.clone(), to: RunState::Done, reason: Some(Reason::Completed) },
        ];
        assert_eq!(of(&lost).told, told);
        assert_eq!(of(&Run { checks: there.checks.clone(), ..lost }).told, told[1..], "its checks were heard before");
        assert_eq!(take_end(&there, &did('b'), &there, &since), None);
    }

    #[test]
    fn a_fact_is_heard_once_and_from_the_device_that_has_the_run() {
        let moved = Body::RunMoved { run: run(RunState::Queued).id, to: RunState::Working, reason: None };
        let queued = Body::RunQueued { run: Box::new(run(RunState::Queued)) };
        let told = Told { device: did('b'), seq: 7, heard_at: Timestamp(0) };
        let heard = Run { told: Some(told), ..leased() };
        let news = |known: Option<&Run>, fact: &Body, teller, seq| is_news(known, fact, &did(teller), seq);
        assert!(news(None, &queued, 'b', 1) && !news(Some(&heard), &queued, 'b', 9) && !news(None, &moved, 'b', 9));
        assert!(news(Some(&heard), &moved, 'b', 8) && !news(Some(&heard), &moved, 'b', 7) && !news(Some(&heard), &moved, 'c', 9));
        assert!(news(Some(&run(RunState::Placing)), &moved, 'b', 1));
    }
}
