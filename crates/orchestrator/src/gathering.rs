//! Before a run is placed that goes on from another: the work which that one saved is brought here, so that any device can begin with it.
//! A device that was not heard when the run before was given up is asked first what it saved of it, and whether it ended with a patch. The
//! device that has the work is asked for it for a while. If it gives nothing, the run is placed all the same: first with that device, where
//! it can; else it begins with what is here, or anew, and says what it leaves behind. So it does where no disk has that work any more, or
//! whole, or the device that asked for it left the org. What cannot be read just now is waited for.

use crate::{clock, dispatch, fault, lifecycle, limits, org::Org, placing, remote};
use domain::{
    Did, Problem, RunId,
    event::kind,
    run::{LeftBehind, Reason, Run, SavedWork},
};
use std::{pin::pin, sync::Arc};
use tokio::{task::JoinHandle, time::timeout};

/// Whether a run can be placed now; else its saved work is being brought, and the dispatcher is woken when that has ended.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn gathered(org: &Arc<Org>, run: &Run) -> Result<bool, Problem> {
    let Some(before) = run.continues.clone() else { return Ok(true) };
    // What is known to have ended with a patch is asked for again each time, while that is waited for.
    if org.remote.moving.to_ask(&before) || remote::published_there(org, &before).await? {
        let wanted = run.clone();
        let asking = placing::in_background(org, run, |org| async move { remote::ask_saved(&org, &before, &wanted).await });
        wake_after(org, asking);
        return Ok(false);
    }
    if org.remote.moving.unanswered(&before) && waits_for_its_device(org, run, &before)? {
        return Ok(false);
    }
    let wanted = run.clone();
    let both = move |org: &Arc<Org>| Ok((lifecycle::saved_by_anybody(org, &wanted)?, lifecycle::saved_somewhere(org, &wanted)?));
    let (nearest, usable) = org.blocking(both).await?;
    if let Some(nearest) = nearest.filter(|nearest| usable.as_ref().is_none_or(|usable| usable.id != nearest.id)) {
        let next = format!("meshwork run diff {} shows it.", nearest.id);
        leave_once(org, run, &nearest, format!("The device that asked for it does not belong to the org any more. {next}"));
    }
    let Some(earlier) = usable else { return Ok(true) };
    if earlier.held.as_ref().is_some_and(|held| !org.forge.was_whole(held)) {
        // All of it is read, which may take long: that holds up nobody else.
        let wanted = run.clone();
        let looking = placing::in_background(org, run, |org| async move { is_lost(&org, &wanted, &earlier).await.map(drop) });
        wake_after(org, looking);
        return Ok(false);
    }
    if is_lost(org, run, &earlier).await? {
        // What was drafted names it still.
        org.wake.notify_one();
        return Ok(false);
    }
    let Some(device) = elsewhere(org, run, &earlier) else { return Ok(true) };
    let asked_lately = org.remote.moving.left(&run.id).is_some_and(|(left, ago)| {
        // Its wait is over; it may be there again by now.
        left.work.run == earlier.id && ago < limits::CHECKPOINT_AGAIN
    });
    if !asked_lately {
        let wanted = run.clone();
        let gathering = placing::in_background(org, run, |org| async move { gather(&org, &wanted, &earlier, device).await });
        wake_after(org, gathering);
    }
    Ok(asked_lately)
}

/// Whether the disk lost the saved work that lies here by the journal: then that says so by now.
async fn is_lost(org: &Arc<Org>, run: &Run, earlier: &Run) -> Result<bool, Problem> {
    let Some(why) = lifecycle::forget_gone(org, earlier).await? else { return Ok(false) };
    if earlier.device.as_ref() == Some(&org.device) {
        leave_once(org, run, earlier, why);
    }
    Ok(true)
}

/// Whether the device of the run before, which was given up, is to be asked first, now that a device is to be asked for this run: its copy
/// says by now that it ended with a patch; or it is that very device, which is there again and may have ended it so.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn asks_first(org: &Arc<Org>, run: &Run, device: &Did) -> Result<bool, Problem> {
    let Some(before) = &run.continues else { return Ok(false) };
    let earlier: Option<Run> = org.store.get(kind::RUN, before.as_str())?;
    let there = run.on.is_none() && earlier.is_some_and(|earlier| earlier.elsewhere(&org.device) == Some(device));
    let first = (there && org.remote.moving.is_back(before)) || remote::published_there(org, before).await?;
    if first {
        org.wake.notify_one();
    }
    Ok(first)
}

/// Whether a run is to be on the very device that executed the one before: then it loses nothing by waiting until that answers.
fn waits_for_its_device(org: &Org, run: &Run, before: &RunId) -> Result<bool, Problem> {
    let before: Option<Run> = org.store.get(kind::RUN, before.as_str())?;
    Ok(run.on.is_some() && before.is_some_and(|before| before.elsewhere(&org.device) == run.on.as_ref()))
}

/// The device from which the saved work is to be brought here; none: it is here, or the run is to be there anyway.
fn elsewhere(org: &Org, run: &Run, earlier: &Run) -> Option<Did> {
    let device = earlier.device.clone().filter(|device| *device != org.device)?;
    (earlier.held != earlier.checkpoint && run.on.as_ref() != Some(&device)).then_some(device)
}

/// Asks the device for its saved work, until it comes, it is certain that it does not, or the wait is over. Of what takes a while the run
/// says that it waits for it.
async fn gather(org: &Arc<Org>, run: &Run, earlier: &Run, device: Did) -> Result<(), Problem> {
    let until = run.queued_at.plus_ms(limits::CHECKPOINT_WAIT_MS.min(fault::lease_ms()));
    loop {
        let waits = || dispatch::wait(org, &run.id, Reason::WaitsForCheckpoint { device: device.clone(), until });
        let mut coming = pin!(remote::receive(org, earlier));
        let received = if let Ok(received) = timeout(limits::REMOTE_PAUSE_MAX, &mut coming).await {
            received
        } else {
            waits().await?;
            coming.await
        };
        let Err(problem) = received else { break };
        tracing::warn!(run = %run.id, %device, %problem, "the work that a run goes on from could not be brought here");
        if !problem.passes() || clock::now() >= until {
            note(org, run, earlier, device, &problem).await?;
            break;
        }
        waits().await?;
        tokio::time::sleep(limits::REMOTE_PAUSE_MAX).await;
        let now: Option<Run> = org.store.get(kind::RUN, run.id.as_str())?;
        if !now.is_some_and(|now| now.state.waits()) {
            return Ok(());
        }
    }
    Ok(())
}

/// Remembers what the run goes on without, and why, unless it is known to go on without something: then that is nearer to it.
fn leave_once(org: &Org, run: &Run, earlier: &Run, why: String) {
    let moving = &org.remote.moving;
    if let (Some(device), Some(commit), None) = (earlier.device.clone(), earlier.checkpoint.clone(), moving.left(&run.id)) {
        moving.leave(&run.id, LeftBehind { work: SavedWork { run: earlier.id.clone(), device, commit }, why });
    }
}

/// Wakes the dispatcher when that has ended, and not a moment before: it leaves a run alone for which something is being done.
fn wake_after(org: &Arc<Org>, gathering: Option<JoinHandle<()>>) {
    let Some(gathering) = gathering else { return };
    let waking = org.clone();
    org.tasks.spawn(async move {
        let _ = gathering.await;
        waking.wake.notify_one();
    });
}

/// Remembers what the run goes on without, and why. What its device itself says to be gone is gone.
async fn note(org: &Arc<Org>, run: &Run, earlier: &Run, device: Did, problem: &Problem) -> Result<(), Problem> {
    let Some(commit) = earlier.checkpoint.clone() else { return Ok(()) };
    let work = SavedWork { run: earlier.id.clone(), device: device.clone(), commit: commit.clone() };
    org.remote.moving.leave(&run.id, LeftBehind { work, why: problem.to_string() });
    if problem.kind != domain::Kind::NotFound {
        return Ok(());
    }
    lifecycle::gone_there(org, earlier, commit, &device, problem.to_string()).await
}
