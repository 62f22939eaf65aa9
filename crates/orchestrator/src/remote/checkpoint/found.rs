//! The end of a run that was given up here, and that its device had alone: where it published its work, this is the task's, and what was
//! queued at the task since is not begun. What has begun by then goes on; the patch is a rival of what that makes.

use super::super::{device as listed, hear};
use crate::{clock, lifecycle, limits, org::Org, picture};
use domain::{
    Did, Kind, Problem, RunId,
    event::{Body, Event, Told, kind},
    fence,
    run::Run,
    task::Claim,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// How a run ended that was given up here, as the copy of its device's journal has it: with a patch.
#[derive(Debug)]
pub(super) struct End {
    pub(super) run: Run,
    pub(super) device: Did,
    /// The run as it is there.
    pub(super) there: Run,
    /// Whether that is its end here too: nothing was begun in its place.
    pub(super) takes: bool,
}

/// Whether the copy of its device's journal says that a run which was given up here published its work, so that nothing is to be begun in
/// its place: for as long as that patch is waited for.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn published_there(org: &Arc<Org>, id: &RunId) -> Result<bool, Problem> {
    if !org.remote.moving.is_given_up(id) {
        return Ok(false);
    }
    let wanted = id.clone();
    let found = org.blocking(move |org| in_copy(org, &wanted)).await?;
    Ok(found.is_some_and(|end| end.takes) && org.remote.moving.waits_for_patch(id))
}

/// How a run ended that was given up here, where the copy of its device's journal says that it ended with a patch.
pub(super) fn in_copy(org: &Org, id: &RunId) -> Result<Option<End>, Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(None) };
    let Some(device) = run.elsewhere(&org.device).cloned() else { return Ok(None) };
    let Some((_, there)) = picture::run_at_executor(org, &device, id) else { return Ok(None) };
    // Nothing is fetched from a device that the org does not list any more.
    if !fence::published(&run, &there) || org.remote.moving.disbelieved(id) || listed(org, &device).is_err() {
        return Ok(None);
    }
    let takes = takes_end(org, &run, &there)?;
    Ok(Some(End { run, device, there, takes }))
}

fn takes_end(org: &Org, run: &Run, there: &Run) -> Result<bool, Problem> {
    let Some(task) = &run.task else { return Ok(false) };
    let claim: Option<Claim> = org.store.get(kind::CLAIM, &task.to_string())?;
    let since = since(claim, &org.device, &run.id, |id| org.store.get(kind::RUN, id.as_str()))?;
    Ok(since.is_some_and(|since| fence::takes_end(run, there, &since)))
}

/// The runs that were queued at a task after this one; none: nothing of it counts here any more.
fn since(
    claim: Option<Claim>,
    here: &Did,
    run: &RunId,
    mut get: impl FnMut(&RunId) -> Result<Option<Run>, Problem>,
) -> Result<Option<Vec<Run>>, Problem> {
    let Some(claim) = claim.filter(|claim| claim.device == *here && !claim.merged) else { return Ok(None) };
    let Some(at) = claim.runs.iter().position(|id| id == run) else { return Ok(None) };
    let mut found = vec![];
    for id in claim.runs.iter().skip(at + 1) {
        found.extend(get(id)?);
    }
    Ok(Some(found))
}

/// Waits for the patch that a run is said to have published `there`; says whether it is the run's own. One that is not is not asked for
/// again.
async fn arrived(org: &Arc<Org>, run: &Run, device: &Did, there: &Run) -> Result<bool, Problem> {
    let (Some(patch), Some(revision), Some(commit)) = (&there.patch, &there.revision, &there.commit) else { return Ok(false) };
    let late = |_| Problem::new(Kind::Timeout, "The patch that the device published did not come in time.");
    let coming = hear::arrived(org, &run.id, device, patch, revision, commit);
    let own = tokio::time::timeout(limits::PUBLISHED_WAIT, coming).await.map_err(late)??;
    if !own {
        tracing::warn!(run = %run.id, %device, %patch, "a run is said to have published a patch that its own key did not make");
        org.remote.moving.disbelieve(&run.id);
    }
    Ok(own)
}

/// Takes over the end that a run which was given up here has `there`, once its patch is here; says whether it did. Then what waited at its
/// task is cancelled, in the same step.
///
/// # Errors
/// When the patch does not come, or the journal cannot be written.
pub(super) async fn take_end(org: &Arc<Org>, run: &Run, device: &Did, there: &Run) -> Result<bool, Problem> {
    let Some(task) = run.task.as_ref().map(ToString::to_string) else { return Ok(false) };
    let (known, copied) = (run.clone(), there.clone());
    if !org.blocking(move |org| takes_end(org, &known, &copied)).await? || !arrived(org, run, device, there).await? {
        return Ok(false);
    }
    let taken = Arc::new(AtomicBool::new(false));
    let (noted, deciding, id) = (taken.clone(), org.clone(), run.id.clone());
    let (device, there) = (device.clone(), there.clone());
    let decided = org.store.append_if(move |view| {
        let claim: Option<Claim> = view.get(kind::CLAIM, &task)?;
        let since = since(claim, &deciding.device, &id, |id| view.get(kind::RUN, id.as_str()))?;
        let (Some(now), Some(since)) = (view.get::<Run>(kind::RUN, id.as_str())?, since) else { return Ok(vec![]) };
        let Some(end) = fence::take_end(&now, &device, &there, &since) else { return Ok(vec![]) };
        noted.store(true, Ordering::Relaxed);
        let own = end.own.into_iter().map(|body| deciding.event(&deciding.device, body));
        Ok(own.chain(told(&deciding, &now, &device, &there, end.told)).collect())
    });
    decided.await?;
    let taken = taken.load(Ordering::Relaxed);
    if taken {
        tracing::info!(run = %run.id, "a run that was given up had ended with a patch, which is taken over");
        org.remote.moving.settled(&run.id);
        lifecycle::prune_checkpoints(org, &run.id).await;
        org.wake.notify_one();
    }
    Ok(taken)
}

/// Writes down the patch of a run that was given up, and in whose place another has begun: it is a rival of that one's.
///
/// # Errors
/// When the patch does not come, or the journal cannot be written.
pub(super) async fn note_rival(org: &Arc<Org>, run: &Run, device: &Did, there: &Run) -> Result<(), Problem> {
    if !arrived(org, run, device, there).await? {
        return Ok(());
    }
    let (telling, id, device, there) = (org.clone(), run.id.clone(), device.clone(), there.clone());
    let decided = org.store.append_if(move |view| {
        let now: Option<Run> = view.get(kind::RUN, id.as_str())?;
        let news = now.filter(|now| fence::published(now, &there) && now.revision.is_none());
        Ok(news.map(|now| told(&telling, &now, &device, &there, fence::patch_published(&there))).unwrap_or_default())
    });
    decided.await.map(drop)
}

/// These facts as told by the device, as of the fact that was heard last: what followed there was not told.
fn told(org: &Org, run: &Run, device: &Did, there: &Run, facts: impl IntoIterator<Item = Body>) -> Vec<Event> {
    let told = Told { device: device.clone(), seq: run.told.as_ref().map_or(0, |told| told.seq), heard_at: clock::now() };
    let at = there.ended_at.unwrap_or(told.heard_at);
    facts.into_iter().map(|body| Event { at, told: Some(told.clone()), ..org.event(device, body) }).collect()
}
