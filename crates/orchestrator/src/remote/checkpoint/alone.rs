//! What a device saved of a run on its own, after this one had given the run up: it is asked before the work goes on elsewhere. What it did
//! not tell in time is found in the copy of its journal later, told as left behind by the run that began without it, and brought here.

use super::{
    super::{client, wish},
    bring::receive,
    may_answer,
};
use crate::{clock, dispatch, limits, org::Org, picture};
use domain::{
    Did, Kind, Oid, Problem, RunId,
    event::{Body, Event, Told, kind},
    run::{LeftBehind, Reason, Run, SavedWork},
    task::Claim,
};
use mesh::{problem, spoken};
use proto::mesh::ResultRequest;
use std::{sync::Arc, time::Instant};

/// Asks the device of a run that was given up here what it saved of it last, before `next` goes on from that; where the run goes on there
/// still, it is ended. Where `next` is to be on that very device, it waits until this is known.
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
            in_copy(org, &device, id).await?
        }
        answered => {
            org.remote.moving.answered(id);
            // It does not have the run any more, or does not belong to the org.
            answered.ok()
        }
    };
    match there.and_then(|there| there.held) {
        Some(commit) => note(org, &run, &device, commit).await,
        None => Ok(()),
    }
}

/// The run as its device has it, once it has ended there.
async fn ended(org: &Arc<Org>, run: &Run, device: &Did) -> Result<Run, Problem> {
    let mut there = at(org, run, device).await?;
    if there.state.ended() {
        return Ok(there);
    }
    let message = "The device that asked for it did not hear of it any more, and goes on from what it saved.".to_owned();
    wish::end(org, run, device, Reason::Evicted { message }).await?;
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

async fn at(org: &Arc<Org>, run: &Run, device: &Did) -> Result<Run, Problem> {
    let request = ResultRequest { version: spoken(), run: run.id.to_string() };
    let mut client = client(org, device)?;
    let late = |_| Problem::new(Kind::Timeout, "The device did not say in time what it saved of the run.");
    let reply = tokio::time::timeout(limits::PROBE_WAIT, client.result(request)).await.map_err(late)?;
    let json = reply.map_err(|s| problem(&s))?.into_inner().run_json;
    serde_json::from_str(&json).map_err(|_| Problem::invalid("The device does not say what it has of the run."))
}

async fn in_copy(org: &Arc<Org>, device: &Did, id: &RunId) -> Result<Option<Run>, Problem> {
    let (device, id) = (device.clone(), id.clone());
    org.blocking(move |org| Ok(picture::run_at_executor(org, &device, &id))).await
}

/// Writes down, as told by it, what a device saved of a run.
async fn note(org: &Arc<Org>, run: &Run, device: &Did, commit: Oid) -> Result<(), Problem> {
    // As of the fact that was heard last: what followed there was not told.
    let told = Told { device: device.clone(), seq: run.told.as_ref().map_or(0, |told| told.seq), heard_at: clock::now() };
    let body = Body::RunCheckpointed { run: run.id.clone(), commit: commit.clone() };
    let event = Event { told: Some(told), ..org.event(device, body) };
    let id = run.id.clone();
    let decided = org.store.append_if(move |view| {
        let news = view.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|run| run.checkpoint.as_ref() != Some(&commit));
        Ok(if news { vec![event] } else { vec![] })
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
        for id in org.remote.moving.given_up() {
            let looked = tokio::select! {
                looked = look(&org, &id) => looked,
                _ = closing.wait_for(|c| *c) => return,
            };
            if let Err(problem) = looked {
                tracing::warn!(run = %id, %problem, "what a device saved alone of a run could not be brought here; it is tried again");
            }
        }
    }
}

/// What the copy of its device's journal says of a run that was given up here.
enum Found {
    /// Nothing more will follow.
    Over,
    /// Something may.
    Nothing,
    /// It has this checkpoint, which is not here; and whether nothing here may use the one that is.
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
        Found::News { run, device, commit, free } => (run, device, commit, free),
    };
    note(org, &run, &device, commit.clone()).await?;
    let tried_lately = org.remote.moving.left(id).is_some_and(|(_, ago)| ago < limits::CHECKPOINT_AGAIN);
    if !free || tried_lately || !may_answer(org, &device) {
        return Ok(());
    }
    let brought = receive(org, &Run { checkpoint: Some(commit.clone()), ..*run }).await;
    if let Err(problem) = &brought {
        let work = SavedWork { run: id.clone(), device, commit };
        org.remote.moving.leave(id, LeftBehind { work, why: problem.to_string() });
    }
    brought
}

fn find(org: &Org, id: &RunId) -> Result<Found, Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(Found::Over) };
    let Some(device) = run.elsewhere(&org.device).cloned() else { return Ok(Found::Over) };
    let claim: Option<Claim> = run.task.as_ref().map(|task| org.store.get(kind::CLAIM, &task.to_string())).transpose()?.flatten();
    if claim.as_ref().is_some_and(|claim| claim.merged) {
        return Ok(Found::Over);
    }
    let Some(there) = picture::run_at_executor(org, &device, id) else { return Ok(Found::Nothing) };
    let mut later = vec![];
    for next in claim.into_iter().flat_map(|claim| claim.runs) {
        later.extend(org.store.get::<Run>(kind::RUN, next.as_str())?);
    }
    let begun_with = |commit: &Oid| later.iter().any(|next| next.from.as_ref().is_some_and(|from| from.commit == *commit));
    match there.held.filter(|commit| run.held.as_ref() != Some(commit) && !begun_with(commit)) {
        Some(commit) => {
            let uses = |next: &Run| next.from.as_ref().is_some_and(|from| from.run == *id) || next.continues.as_ref() == Some(id);
            let free = !later.iter().any(|next| !next.state.ended() && uses(next));
            Ok(Found::News { run: Box::new(run), device, commit, free })
        }
        None if there.state.ended() => Ok(Found::Over),
        None => Ok(Found::Nothing),
    }
}
