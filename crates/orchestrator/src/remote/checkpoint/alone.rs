//! What a device saved of a run on its own, after this one had given the run up: it is asked before the work goes on elsewhere. What it did
//! not tell in time is found in the copy of its journal later, told as left behind by the run that began without it, and brought here.
//! Where it even published the work, that is the run's end (`found`).

use super::{
    super::{client, in_time, wish},
    bring::receive_if,
    found, may_answer,
};
use crate::{clock, dispatch, limits, org::Org, picture};
use domain::{
    Did, Kind, Oid, Problem, RunId,
    event::{Body, Event, Told, kind},
    fence,
    run::{LeftBehind, Reason, Run, RunState, SavedWork},
    task::Claim,
};
use futures::{StreamExt, stream};
use mesh::spoken;
use proto::mesh::ResultRequest;
use std::{sync::Arc, time::Instant};

/// Asks the device of a run that was given up here what it saved of it last, before `next` goes on from that; where the run goes on there
/// still, it is ended; where it ended with a patch, that is taken over, and `next` is cancelled. Where `next` is to be on that very device,
/// it waits until this is known.
///
/// # Errors
/// When the journal cannot be read or written.
pub(crate) async fn ask(org: &Arc<Org>, id: &RunId, next: &Run) -> Result<(), Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(()) };
    let Some(device) = run.elsewhere(&org.device).cloned() else { return Ok(()) };
    let there = match ended(org, &run, &device).await {
        Err(problem) if problem.passes() => {
            tracing::info!(run = %id, %device, %problem, "what a device saved alone of a run could not be asked");
            if next.on.as_ref() == Some(&device) {
                dispatch::wait(org, &next.id, Reason::WaitsForDevice { message: problem.to_string() }).await?;
            }
            let (lost, at) = (run.clone(), device.clone());
            org.blocking(move |org| Ok(in_copy(org, &lost, &at))).await?
        }
        answered => {
            org.remote.moving.answered(id);
            // It does not have the run any more, or does not belong to the org.
            answered.ok()
        }
    };
    let end = match there.clone().filter(|there| fence::published(&run, there)) {
        Some(end) => Some(end),
        // What it lost with its disk others may have heard of.
        None => {
            let lost = run.id.clone();
            org.blocking(move |org| found::in_copy(org, &lost)).await?.map(|end| end.there)
        }
    };
    if let Some(end) = end
        && ended_done(org, &run, &device, &end, &next.id).await?
    {
        return Ok(());
    }
    match there.and_then(|there| there.held) {
        Some(commit) => note(org, &run, &device, commit).await,
        None => Ok(()),
    }
}

/// Takes over the end of a run that ended with a patch on its device; says whether it did. While the patch does not come, `next` waits.
async fn ended_done(org: &Arc<Org>, run: &Run, device: &Did, there: &Run, next: &RunId) -> Result<bool, Problem> {
    let problem = match found::take_end(org, run, device, there).await {
        Ok(taken) => return Ok(taken),
        Err(problem) => problem,
    };
    not_had(org, run, device, &problem);
    let message = format!("The run before it ended with a patch there, which did not come yet. {problem}");
    dispatch::wait(org, next, Reason::WaitsForDevice { message }).await?;
    tokio::time::sleep(limits::REMOTE_PAUSE_MAX).await;
    Ok(false)
}

/// Says once of a run that its patch did not come yet.
fn not_had(org: &Org, run: &Run, device: &Did, problem: &Problem) {
    if org.remote.moving.to_warn(&run.id) {
        tracing::warn!(run = %run.id, %device, %problem, "a run that was given up had ended with a patch, which could not be had yet");
    }
}

/// The run as its device has it, once it has ended there.
async fn ended(org: &Arc<Org>, run: &Run, device: &Did) -> Result<Run, Problem> {
    let mut there = at(org, run, device).await?;
    if there.state.ended() {
        return Ok(there);
    }
    let message = "The device that asked for it did not hear of it any more, and goes on from what it saved.".to_owned();
    let stopped = run.ending.clone().filter(|ending| matches!(ending, Reason::Stopped { .. }));
    wish::end(org, run, device, stopped.unwrap_or(Reason::Evicted { message })).await?;
    let begun = Instant::now();
    while !there.state.ended() {
        if begun.elapsed() >= limits::WISH_WAIT {
            return Err(Problem::new(Kind::Timeout, "The device did not save and end the run in time."));
        }
        tokio::time::sleep(limits::REMOTE_PAUSE).await;
        there = at(org, run, device).await?;
    }
    Ok(there)
}

/// The run as its device has it now.
///
/// # Errors
/// When that does not say so in time, or does not have it.
pub(crate) async fn at(org: &Arc<Org>, run: &Run, device: &Did) -> Result<Run, Problem> {
    let request = ResultRequest { version: spoken(), run: run.id.to_string() };
    let mut client = client(org, device)?;
    let json = in_time(limits::PROBE_WAIT, client.result(request)).await?.into_inner().run_json;
    serde_json::from_str(&json).map_err(|_| Problem::invalid("The device does not say what it has of the run."))
}

/// The run as the copy of its device's journal has it, where that says more than is known here.
fn in_copy(org: &Org, run: &Run, device: &Did) -> Option<Run> {
    let (seq, there) = picture::run_at_executor(org, device, &run.id)?;
    let answered = !org.remote.moving.unanswered(&run.id);
    (!is_old(run, answered, seq.0, &there)).then_some(there)
}

/// Whether a copy that is behind says what a run was before that which was heard of it: as the event of this number left it.
fn is_old(run: &Run, answered: bool, seq: u64, there: &Run) -> bool {
    let heard = run.told.as_ref().is_some_and(|told| seq <= told.seq);
    let other = there.held.as_ref().is_some_and(|held| run.checkpoint.as_ref() != Some(held));
    // Its device answers only once the run has ended there.
    (heard && other) || (answered && !there.state.ended())
}

/// Writes down, as told by it, what a device saved of a run.
async fn note(org: &Arc<Org>, run: &Run, device: &Did, commit: Oid) -> Result<(), Problem> {
    let body = Body::RunCheckpointed { run: run.id.clone(), commit: commit.clone() };
    let event = org.event(device, body);
    let (then, device) = (run.clone(), device.clone());
    let decided = org.store.append_if(move |view| {
        let now = view.get::<Run>(kind::RUN, then.id.as_str())?;
        // What was heard of another one while its device was asked is newer.
        let now = now.filter(|now| now.checkpoint == then.checkpoint && now.checkpoint.as_ref() != Some(&commit));
        // As of the fact that was heard last: what followed there was not told.
        let seq = |now: &Run| now.told.as_ref().map_or(0, |told| told.seq);
        let told = |now: Run| Told { device: device.clone(), seq: seq(&now), heard_at: clock::now() };
        Ok(now.map(|now| Event { told: Some(told(now)), ..event }).into_iter().collect())
    });
    decided.await.map(drop)
}

/// Looks, until the org closes, what devices saved of runs that were given up here.
pub(crate) async fn keep(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(limits::CHECKPOINTS_LOOK_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
        // Side by side: a slow device holds up no other.
        let all = stream::iter(org.remote.moving.given_up()).for_each_concurrent(limits::CHECKPOINTS_AT_ONCE, |id| {
            let org = org.clone();
            async move {
                if let Err(problem) = look(&org, &id).await {
                    tracing::warn!(run = %id, %problem, "what a device saved alone of a run could not be brought here");
                }
            }
        });
        tokio::select! {
            () = all => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

/// What the copy of its device's journal says of a run that was given up here.
enum Found {
    /// Nothing more will follow.
    Over,
    /// Something may.
    Nothing,
    /// A person stopped it while its device was away, and it may go on there still.
    Stopped { run: Box<Run>, device: Did },
    /// It published its work, and that is not written down here yet.
    Done(Box<found::End>),
    /// It has this checkpoint last, and another counts here; and whether nothing here may use the one that is here.
    News { run: Box<Run>, device: Did, commit: Oid, free: bool },
}

async fn look(org: &Arc<Org>, id: &RunId) -> Result<(), Problem> {
    let wanted = id.clone();
    let (run, device, commit, free) = match org.blocking(move |org| find(org, &wanted)).await? {
        Found::Over => {
            org.remote.moving.settled(id);
            return Ok(());
        }
        Found::Nothing => return Ok(()),
        Found::Stopped { run, device } => {
            let there = ended(org, &run, &device).await;
            if there.as_ref().is_err_and(Problem::passes) {
                return there.map(drop);
            }
            org.remote.moving.answered(id);
            return Ok(());
        }
        Found::Done(end) => {
            let done = if end.takes {
                found::take_end(org, &end.run, &end.device, &end.there).await.map(drop)
            } else {
                found::note_rival(org, &end.run, &end.device, &end.there).await
            };
            if let Err(problem) = done {
                not_had(org, &end.run, &end.device, &problem);
            }
            return Ok(());
        }
        Found::News { run, device, commit, free } => (run, device, commit, free),
    };
    note(org, &run, &device, commit.clone()).await?;
    if run.held.as_ref() == Some(&commit) || org.remote.moving.refused(id, &commit) {
        return Ok(());
    }
    let tried_lately = org.remote.moving.left(id).is_some_and(|(_, ago)| ago < limits::CHECKPOINT_AGAIN);
    if !free || tried_lately || !may_answer(org, &device) {
        return Ok(());
    }
    let lost = (*run).clone();
    // One may have begun while it came.
    let still_free = move |org: &Org| -> Result<bool, Problem> {
        let later = later(org, claim_of(org, &lost)?)?;
        Ok(!later.iter().any(|next| uses(next, &lost.id)))
    };
    let brought = receive_if(org, &Run { checkpoint: Some(commit.clone()), ..*run }, still_free).await;
    if let Err(problem) = &brought {
        if !problem.passes() {
            org.remote.moving.refuse(id, commit.clone());
        }
        let work = SavedWork { run: id.clone(), device, commit };
        org.remote.moving.leave(id, LeftBehind { work, why: problem.to_string() });
    }
    brought
}

fn find(org: &Org, id: &RunId) -> Result<Found, Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(Found::Over) };
    let Some(device) = run.elsewhere(&org.device).cloned() else { return Ok(Found::Over) };
    if run.state == RunState::Cancelled && org.remote.moving.unanswered(id) && goes_on_there(org, &run) && may_answer(org, &device) {
        return Ok(Found::Stopped { run: Box::new(run), device });
    }
    let claim = claim_of(org, &run)?;
    if claim.as_ref().is_some_and(|claim| claim.merged) {
        return Ok(Found::Over);
    }
    if let Some(end) = found::in_copy(org, id)?.filter(|end| end.takes || end.run.revision.is_none()) {
        // While its device is away, the patch does not come.
        return Ok(if may_answer(org, &device) { Found::Done(Box::new(end)) } else { Found::Nothing });
    }
    let Some(there) = in_copy(org, &run, &device) else { return Ok(Found::Nothing) };
    let later = later(org, claim)?;
    let begun_with = |commit: &Oid| later.iter().any(|next| next.from.as_ref().is_some_and(|from| from.commit == *commit));
    let news = |commit: &Oid| run.held.as_ref() != Some(commit) || run.checkpoint.as_ref() != Some(commit);
    match there.held.filter(|commit| news(commit) && !begun_with(commit)) {
        Some(commit) => {
            let free = !later.iter().any(|next| uses(next, id));
            Ok(Found::News { run: Box::new(run), device, commit, free })
        }
        None if there.state.ended() => Ok(Found::Over),
        None => Ok(Found::Nothing),
    }
}

/// Whether a run that is over here may go on at its device still: the copy of that one's journal does not say that it ended.
pub(crate) fn goes_on_there(org: &Org, run: &Run) -> bool {
    let there = run.elsewhere(&org.device).and_then(|device| picture::run_at_executor(org, device, &run.id));
    there.is_none_or(|(_, there)| !there.state.ended())
}

/// The claim of a run's task.
fn claim_of(org: &Org, run: &Run) -> Result<Option<Claim>, Problem> {
    Ok(run.task.as_ref().map(|task| org.store.get(kind::CLAIM, &task.to_string())).transpose()?.flatten())
}

/// The runs of a claim.
fn later(org: &Org, claim: Option<Claim>) -> Result<Vec<Run>, Problem> {
    let mut found = vec![];
    for next in claim.into_iter().flat_map(|claim| claim.runs) {
        found.extend(org.store.get::<Run>(kind::RUN, next.as_str())?);
    }
    Ok(found)
}

/// Whether one that has not ended goes on from another, and may be given the checkpoint of that which is here.
fn uses(next: &Run, id: &RunId) -> bool {
    !next.state.ended() && (next.from.as_ref().is_some_and(|from| from.run == *id) || next.continues.as_ref() == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, manifest::Class};

    #[test]
    fn what_a_copy_says_that_is_behind_does_not_replace_what_was_heard() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = crate::admission::new_run(id, Class::Agent, project, did.clone(), did.clone(), Timestamp(0));
        let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let told = Some(Told { device: did, seq: 50, heard_at: Timestamp(0) });
        let heard = Run { state: RunState::Lost, checkpoint: Some(oid("2")), held: Some(oid("2")), told, ..plain.clone() };
        let there = |digit: &str, state| Run { state, held: Some(oid(digit)), ..plain.clone() };
        let (first, second, third) = (there("1", RunState::Working), there("2", RunState::Working), there("3", RunState::Working));
        assert!(is_old(&heard, false, 40, &first), "the second was heard since");
        assert!(!is_old(&heard, false, 50, &second), "it may have to be brought yet");
        assert!(!is_old(&heard, false, 60, &third), "it was saved alone");
        // Its device said itself what it has in the end.
        let answered = Run { checkpoint: Some(oid("4")), ..heard };
        assert!(is_old(&answered, true, 60, &third));
        assert!(!is_old(&answered, true, 70, &there("4", RunState::Evicted)));
    }
}
