//! Which saved work a run goes on from: that of the nearest run before it, as far as it can be had where the run will be. What the journal
//! names and no disk has any more is forgotten when something is to go on from it (`gone`).

use super::gone;
use crate::{limits, org::Org, remote};
use domain::{
    Did, Kind, Oid, Problem, RunId,
    event::kind,
    run::{LeftBehind, Run, RunState, SavedWork},
};

/// Where in the folder of a run the saved work lies that was brought from another device for this run alone.
pub(crate) const BROUGHT: &str = "saved.git";

/// The nearest of the runs that this one goes on from whose work can be had where this one is placed: it is here, or there.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn saved_before(org: &Org, run: &Run) -> Result<Option<Run>, Problem> {
    let there = run.place().unwrap_or(&org.device);
    let had = |found: &Run| commit_for(found, there == &org.device, found.device.as_ref() == Some(there)).is_some();
    saved(org, run, |found| Ok(had(found) && belongs(org, found)?))
}

/// The same, wherever that work is.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn saved_somewhere(org: &Org, run: &Run) -> Result<Option<Run>, Problem> {
    saved(org, run, |found| belongs(org, found))
}

/// The same, also where nothing may go on from it any more.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn saved_by_anybody(org: &Org, run: &Run) -> Result<Option<Run>, Problem> {
    saved(org, run, |_| Ok(true))
}

/// Whether the device that asked for a run belongs to the org still. From what another one left here nothing goes on.
fn belongs(org: &Org, run: &Run) -> Result<bool, Problem> {
    if run.requester == org.device {
        return Ok(true);
    }
    match remote::device(org, &run.requester) {
        Ok(_) => Ok(true),
        Err(problem) if problem.kind == Kind::Forbidden => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// The checkpoint of a run with which the next may begin: `here`, or on the device that made it. One that is there is the latest.
fn commit_for(found: &Run, here: bool, made_there: bool) -> Option<&Oid> {
    let made = found.checkpoint.as_ref().filter(|_| made_there && !here);
    made.or(found.held.as_ref())
}

fn saved(org: &Org, run: &Run, fits: impl Fn(&Run) -> Result<bool, Problem>) -> Result<Option<Run>, Problem> {
    saved_in(run, |id| org.store.get(kind::RUN, id.as_str()), fits)
}

/// The nearest of the runs that this one goes on from which has saved work and `fits`, among those that are `known`.
///
/// # Errors
/// When either fails.
pub(crate) fn saved_in(
    run: &Run,
    known: impl Fn(&RunId) -> Result<Option<Run>, Problem>,
    fits: impl Fn(&Run) -> Result<bool, Problem>,
) -> Result<Option<Run>, Problem> {
    let mut earlier = run.continues.clone();
    for _ in 0..limits::CONTINUED_MAX {
        let Some(found) = earlier.map(|id| known(&id)).transpose()?.flatten() else { break };
        if found.checkpoint.is_some() && found.rebase == run.rebase && fits(&found)? {
            return Ok(Some(found));
        }
        earlier = found.continues;
    }
    Ok(None)
}

/// The saved work that one begins with who stands on this commit.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn to_begin_with(org: &Org, run: &Run, base: &Oid) -> Result<Option<SavedWork>, Problem> {
    let there = run.place().unwrap_or(&org.device);
    let found = saved_before(org, run)?.filter(|earlier| earlier.base.as_ref() == Some(base));
    Ok(found.and_then(|earlier| {
        let commit = commit_for(&earlier, there == &org.device, earlier.device.as_ref() == Some(there))?.clone();
        Some(SavedWork { run: earlier.id, device: earlier.device?, commit })
    }))
}

/// The run whose saved work this one began with, as far as this device knows it as one of the same requester and project, and its
/// checkpoint was not dropped. Another device that asks for a run does not get a third one's work by naming it; what this one asks for it
/// has chosen itself.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn begun_from(org: &Org, run: &Run) -> Result<Option<Run>, Problem> {
    let found = run.from.as_ref().map(|from| org.store.get::<Run>(kind::RUN, from.run.as_str())).transpose()?.flatten();
    let own = run.requester == org.device;
    let same = |earlier: &Run| (own || earlier.requester == run.requester) && earlier.project == run.project;
    Ok(found.filter(|earlier| earlier.checkpoint.is_some() && same(earlier)))
}

/// What the device of the run before saved of it alone, and this run did not begin with, because it was heard of only after.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn saved_alone(org: &Org, run: &Run) -> Result<Option<LeftBehind>, Problem> {
    let before = run.continues.as_ref().map(|id| org.store.get::<Run>(kind::RUN, id.as_str())).transpose()?.flatten();
    Ok(before.and_then(|before| left_of(&before, run, &org.device)))
}

fn left_of(before: &Run, run: &Run, here: &Did) -> Option<LeftBehind> {
    let given_up = before.state == RunState::Lost && before.elsewhere(here).is_some();
    let begun_with = run.from.as_ref().map(|from| &from.commit);
    let commit = before.checkpoint.clone().filter(|commit| given_up && run.manifest.is_some() && begun_with != Some(commit))?;
    let work = SavedWork { run: before.id.clone(), device: before.device.clone()?, commit };
    let why = format!("It was heard of only after this run had begun. meshwork run diff {} shows it once it is here.", before.id);
    Some(LeftBehind { work, why })
}

/// Whether the saved work that this run begins with lies on this device, whole.
///
/// # Errors
/// When the journal or the checkpoints cannot be read.
pub(crate) fn lies_here(org: &Org, run: &Run) -> Result<bool, Problem> {
    let (Some(from), Some(earlier)) = (&run.from, begun_from(org, run)?) else { return Ok(false) };
    Ok(earlier.held.as_ref() == Some(&from.commit) && gone::is_whole(org, &earlier, &from.commit)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, manifest::Class};

    #[test]
    fn what_is_here_goes_anywhere_and_what_is_not_only_where_it_was_made() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = crate::admission::new_run(id, Class::Agent, project, did.clone(), did, Timestamp(0));
        let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let (first, last) = (oid("1"), oid("2"));
        let there = Run { checkpoint: Some(last.clone()), ..plain.clone() };
        assert_eq!(commit_for(&there, true, false), None);
        assert_eq!(commit_for(&there, false, false), None);
        assert_eq!(commit_for(&there, false, true), Some(&last));
        let both = Run { checkpoint: Some(last.clone()), held: Some(first.clone()), ..plain };
        assert_eq!(commit_for(&both, false, false), Some(&first), "an earlier one is better than none");
        assert_eq!(commit_for(&both, false, true), Some(&last));
    }

    #[test]
    fn what_a_device_saved_alone_is_told_of_the_run_that_began_without_it() {
        let did = |seed: u8| identity::Key::from_seed(&[seed; 32]).did();
        let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let new = |id: &str| {
            let id = id.parse().unwrap_or_else(|p| unreachable!("{p}"));
            let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
            crate::admission::new_run(id, Class::Agent, project, did(9), did(1), Timestamp(0))
        };
        let new_save = Some(oid("2"));
        let first = new("01ARZ3NDEKTSV4RRFFQ69G5FAV");
        let lost = Run { state: RunState::Lost, device: Some(did(2)), checkpoint: new_save.clone(), ..first };
        let manifest = Some(domain::Hash::from_bytes([0; 32]));
        let anew = Run { manifest, continues: Some(lost.id.clone()), ..new("01ARZ3NDEKTSV4RRFFQ69G5FAW") };
        let with = |digit: &str| {
            let from = SavedWork { run: lost.id.clone(), device: did(2), commit: oid(digit) };
            Run { from: Some(from), ..anew.clone() }
        };
        let left = |before: &Run, run: &Run| left_of(before, run, &did(1)).map(|left| left.work.commit);
        assert_eq!((left(&lost, &anew), left(&lost, &with("1"))), (new_save.clone(), new_save));
        assert_eq!(left(&lost, &with("2")), None, "it began with the newest");
        assert_eq!(left(&lost, &Run { manifest: None, ..anew.clone() }), None, "it may begin with it yet");
        assert_eq!(left(&Run { state: RunState::Evicted, ..lost.clone() }, &anew), None, "all was heard");
        assert_eq!(left(&Run { device: Some(did(1)), ..lost }, &anew), None, "it ran here");
    }
}
