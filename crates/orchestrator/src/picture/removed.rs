//! What is left of a device that was removed from the org: nothing of it goes on, and what it made stays.

use crate::org::Org;
use domain::{Did, follow::GivenUp, patch::PatchState, run::Run, task::Claim};
use forge::OrgState;

/// A run that goes on by what is known, as it is where the device is removed from the org that would tell more: the one that executes it,
/// else the one that asked for it. Then it is over. Of what is executed here this device itself tells.
pub(super) fn without_removed(state: &OrgState, here: &Did, run: Run) -> Run {
    let executor = run.device.as_ref().filter(|_| run.state.holds_slot());
    let last = executor.unwrap_or(&run.requester).clone();
    let gone = state.gone(&last).filter(|_| !run.state.ended() && last != *here);
    let Some(gone) = gone else { return run };
    let (to, reason) = GivenUp::Outside.end(run.clone(), &last);
    // What it saved lies there, unless it came to who asked for it.
    let checkpoint = run.checkpoint.filter(|_| run.requester == *here);
    Run { state: to, reason: Some(reason), ended_at: Some(gone.at), paused: false, questions: vec![], questions_more: 0, checkpoint, ..run }
}

/// Whether another device was removed from the org, as far as is known here: one that is not listed may only have joined a moment ago.
pub(super) fn is_removed(org: &Org, device: &Did) -> bool {
    *device != org.device && org.remote.org().is_gone(device)
}

/// The claim of a device that was removed, with what became of its patch since: nobody's journal tells that any more.
pub(super) fn as_radicle_shows(org: &Org, claim: Claim) -> Claim {
    let Some(id) = claim.patch.as_ref().filter(|_| !claim.merged) else { return claim };
    let project = org.project(Some(&claim.task.project));
    match project.and_then(|project| org.forge.patch(&project.rid, &project.name, id)) {
        Ok(patch) => with_state(claim, patch.state),
        // One that is not here stays as its device told.
        Err(_) => claim,
    }
}

/// A claim whose patch is in this state.
fn with_state(claim: Claim, state: PatchState) -> Claim {
    Claim { merged: state == PatchState::Merged, rejected: state == PatchState::Archived, ..claim }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        fixtures::{self, did},
        names,
    };
    use domain::{
        Timestamp,
        manifest::Class,
        org::{Device, KeyKind, Revocation},
        run::RunState,
    };
    use serde_json::json;

    /// An org that lists the devices `a` and `b`, and removed `g`.
    fn without_g() -> OrgState {
        let device = |letter| Device::new(format!("box-{letter}"), did(letter), "ada");
        let gone = Revocation { did: did('g'), kind: KeyKind::Device, at: Timestamp(7), why: "sold".into(), name: Some("box-g".into()) };
        let devices = ['a', 'b'].map(|letter| (format!("box-{letter}"), device(letter))).into();
        OrgState { devices, ended: vec![gone], ..fixtures::state() }
    }

    #[test]
    fn a_run_of_a_removed_device_is_over_and_one_that_others_tell_of_is_not() {
        let asked = |by: char, on: Option<char>, state| {
            let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
            let new = new_run(id, Class::Agent, "demo".parse().unwrap(), did('B'), did(by), Timestamp(0));
            Run { device: on.map(did), state, checkpoint: Some("e".repeat(40).parse().unwrap()), ..new }
        };
        let org = without_g();
        for (here, by, on, state, over) in [
            ('a', 'g', Some('g'), RunState::Working, true),
            ('a', 'g', None, RunState::Placing, true),
            ('a', 'b', Some('g'), RunState::Working, true),
            ('a', 'g', Some('b'), RunState::Working, false),
            ('a', 'g', Some('a'), RunState::Working, false),
            ('a', 'b', Some('b'), RunState::Working, false),
            ('a', 'b', None, RunState::Queued, false),
            // This device itself was removed.
            ('g', 'g', Some('g'), RunState::Working, false),
        ] {
            let run = asked(by, on, state);
            let seen = without_removed(&org, &did(here), run.clone());
            let expected = if over { RunState::Lost } else { state };
            assert_eq!(seen.state, expected, "at {here}: asked by {by}, on {on:?}, {state:?}");
            assert_eq!(seen == run, !over);
        }
        let over = without_removed(&org, &did('a'), asked('g', Some('g'), RunState::Working));
        let why = names::within(&org, &over.why().unwrap());
        assert_eq!(why, "It was lost: Its device box-g (removed) does not belong to the org any more.");
        assert_eq!((over.ended_at, over.checkpoint), (Some(Timestamp(7)), None));
        let done = without_removed(&org, &did('a'), asked('g', Some('g'), RunState::Done));
        assert_eq!(done.state, RunState::Done, "what it did stays");
    }

    #[test]
    fn what_became_of_a_removed_devices_patch_is_told_by_radicle() {
        let claim: Claim = serde_json::from_value(json!({
            "task": {"project": "demo", "feature": "001-hello", "task": "T001"}, "device": did('g'), "runs": [], "patch": "a".repeat(40),
        }))
        .unwrap();
        let became = |state| {
            let claim = with_state(claim.clone(), state);
            (claim.merged, claim.rejected)
        };
        assert_eq!(
            [PatchState::Open, PatchState::Archived, PatchState::Merged].map(became),
            [(false, false), (false, true), (true, false)]
        );
    }
}
