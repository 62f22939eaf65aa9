//! Which saved work a run goes on from: that of the nearest run before it, as far as it can be had where the run will be. What the journal
//! names and no disk has any more, as where an older copy of one was put back, is forgotten when something is to go on from it.

use crate::{clock, limits, org::Org, remote};
use domain::{
    Did, Kind, Oid, Problem, RunId,
    event::{Body, Event, Told, kind},
    run::{CheckpointDropped, LeftBehind, Run, RunState, SavedWork},
};
use std::sync::Arc;
use store::Order;

/// Where in the folder of a run the saved work lies that was brought from another device for this run alone.
pub(crate) const BROUGHT: &str = "saved.git";

/// Why nothing goes on from a checkpoint that the journal alone has.
pub(crate) const GONE: &str = "It is not on that device's disk any more, as where an older copy of the disk was put back.";

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
    let mut earlier = run.continues.clone();
    for _ in 0..limits::CONTINUED_MAX {
        let Some(found) = earlier.map(|id| org.store.get::<Run>(kind::RUN, id.as_str())).transpose()?.flatten() else { break };
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

/// Whether the saved work that this run begins with lies on this device.
///
/// # Errors
/// When the journal or the checkpoints cannot be read.
pub(crate) fn lies_here(org: &Org, run: &Run) -> Result<bool, Problem> {
    let (Some(from), Some(earlier)) = (&run.from, begun_from(org, run)?) else { return Ok(false) };
    Ok(earlier.held.as_ref() == Some(&from.commit) && !is_gone(org, &earlier)?)
}

/// The checkpoint of a run that this device's disk has.
fn on_disk(org: &Org, run: &Run) -> Result<Option<Oid>, Problem> {
    let rid = org.project(Some(&run.project))?.rid;
    match org.forge.checkpoint_of(&rid, &run.id) {
        Err(problem) if problem.kind == Kind::NotFound => Ok(None),
        found => Ok(found?.map(|saved| saved.commit)),
    }
}

/// Whether the disk does not have the checkpoint of a run that lies here by the journal.
fn is_gone(org: &Org, run: &Run) -> Result<bool, Problem> {
    Ok(run.held.is_some() && on_disk(org, run)? != run.held)
}

/// The runs that are over whose checkpoints lie here by the journal, and none of which the disk has; newest first. Of one that works a new
/// one may be on the disk a moment before the journal says so.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn gone(org: &Org) -> Result<Vec<RunId>, Problem> {
    let runs: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    // Of what cannot be read now nothing is said.
    let lost = |run: &Run| run.held.is_some() && run.state.ended() && on_disk(org, run).is_ok_and(|there| there.is_none());
    Ok(runs.into_iter().filter(lost).map(|run| run.id).collect())
}

/// Sees whether the disk has the checkpoint of a run that lies here by the journal. Where it does not, this is written down, and true is
/// given: what is known of the run has to be read anew. Then it has what is on the disk, or none; what another device made of it is there
/// still, as far as is known.
///
/// # Errors
/// When the checkpoints cannot be read, or the journal not be written.
pub(crate) async fn forget_gone(org: &Arc<Org>, run: &Run) -> Result<bool, Problem> {
    let Some(held) = run.held.clone() else { return Ok(false) };
    let wanted = run.clone();
    let there = org.blocking(move |org| on_disk(org, &wanted)).await?;
    if there.as_ref() == Some(&held) {
        return Ok(false);
    }
    tracing::warn!(run = %run.id, checkpoint = %held, "a checkpoint that the journal names is not on the disk; nothing goes on from it");
    let event = |(body, told): (Body, Option<Told>)| {
        let plain = org.event(told.as_ref().map_or(&org.device, |told| &told.device), body);
        Event { told, ..plain }
    };
    let events = corrected(run, there.as_ref()).into_iter().map(event).collect();
    write_if(org, &run.id, move |now| now.held.as_ref() == Some(&held), events).await?;
    Ok(true)
}

/// What is to be written down of a run whose checkpoint is not on the disk, which has `there` instead: facts of this device, and one that
/// another told.
fn corrected(run: &Run, there: Option<&Oid>) -> Vec<(Body, Option<Told>)> {
    let saved = |commit: &Oid| Body::RunCheckpointed { run: run.id.clone(), commit: commit.clone() };
    if let Some(commit) = there {
        return vec![(saved(commit), None)];
    }
    let dropped = CheckpointDropped { run: run.id.clone(), why: GONE.into() };
    // Its executor is asked for it again.
    let again = run.checkpoint.as_ref().zip(run.told.clone()).map(|(commit, told)| (saved(commit), Some(told)));
    [(Body::CheckpointDropped(dropped), None)].into_iter().chain(again).collect()
}

/// Writes down that a device has this checkpoint of a run no more, by its own word; an older one that is here stays.
///
/// # Errors
/// When the journal cannot be written.
pub(crate) async fn gone_there(org: &Arc<Org>, run: &Run, commit: Oid, device: &Did, why: String) -> Result<(), Problem> {
    // As of the fact that was heard last: what followed there was not told.
    let told = Told { device: device.clone(), seq: run.told.as_ref().map_or(0, |told| told.seq), heard_at: clock::now() };
    let dropped = Body::CheckpointDropped(CheckpointDropped { run: run.id.clone(), why });
    let event = Event { told: Some(told), ..org.event(device, dropped) };
    write_if(org, &run.id, move |now| now.checkpoint.as_ref() == Some(&commit), vec![event]).await
}

/// Writes these down if that is so of the run as the journal has it then.
async fn write_if(
    org: &Arc<Org>,
    run: &RunId,
    is_so: impl FnOnce(&Run) -> bool + Send + 'static,
    events: Vec<Event>,
) -> Result<(), Problem> {
    let id = run.clone();
    let decided = org.store.append_if(move |view| {
        let now = view.get::<Run>(kind::RUN, id.as_str())?;
        Ok(if now.is_some_and(|now| is_so(&now)) { events } else { vec![] })
    });
    decided.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, event, manifest::Class};

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

    /// A run as it is after these facts.
    fn after(run: &Run, facts: Vec<(Body, Option<Told>)>) -> Run {
        facts.into_iter().fold(run.clone(), |run, (body, told)| {
            let event = Event { version: event::VERSION, at: Timestamp(1), actor: run.requester.clone(), via: None, told, body };
            let json: Arc<str> = serde_json::to_string(&run).unwrap_or_else(|e| unreachable!("{e}")).into();
            let mut before = |of: &str, id: &str| (of == kind::RUN && id == run.id.as_str()).then(|| json.clone());
            let changes = event::project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
            let changed = changes.into_iter().find(|one| one.kind == kind::RUN).and_then(|one| one.value);
            changed.and_then(|value| serde_json::from_str(&value).ok()).unwrap_or_else(|| unreachable!("the run changes"))
        })
    }

    #[test]
    fn a_checkpoint_that_is_on_no_disk_is_not_gone_on_from_and_its_maker_is_asked_again() {
        let did = |seed: u8| identity::Key::from_seed(&[seed; 32]).did();
        let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = crate::admission::new_run(id, Class::Agent, project, did(9), did(1), Timestamp(0));
        let (older, last) = (oid("1"), oid("2"));
        let own = Run { state: RunState::Evicted, checkpoint: Some(last.clone()), held: Some(last.clone()), ..plain };
        let elsewhere = Run { told: Some(Told { device: did(2), seq: 7, heard_at: Timestamp(0) }), ..own.clone() };
        let now = |run: &Run, there: Option<&Oid>| {
            let run = after(run, corrected(run, there));
            (run.checkpoint, run.held)
        };
        assert_eq!(now(&own, None), (None, None), "nobody has it");
        assert_eq!(now(&own, Some(&older)), (Some(older.clone()), Some(older.clone())), "an older one is better than none");
        assert_eq!(now(&elsewhere, None), (Some(last.clone()), None), "it may be there");
        assert_eq!(now(&elsewhere, Some(&older)), (Some(last), Some(older)), "it may be there");
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
