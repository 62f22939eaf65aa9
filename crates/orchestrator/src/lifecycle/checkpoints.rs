//! Checkpoints are kept until their work is in a published patch or merged, and no longer. Those of runs that another device asked for
//! are kept until they are with that device; those of guests for as long as the machine's owner says (`domain::lend::due`). A removal is
//! journaled first: then nothing goes on from a checkpoint that is gone.

use super::{gone, saved};
use crate::{
    clock, fault,
    lending::{self, guests::Owner},
    limits,
    org::Org,
    picture, remote,
};
use domain::{
    Oid, Problem, Rid, RunId, TaskRef,
    event::{Body, kind},
    lend::{Due, Saved, due},
    run::{CheckpointDropped, Reason, Run, RunState},
    task::Claim,
};
use forge::CHECKPOINT_BYTES_MAX;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use store::Order;

/// Removes the checkpoints whose work is in the patch of this run. What cannot be removed now is removed at the next start.
pub(crate) async fn prune(org: &Arc<Org>, run: &RunId) {
    let pruned = async {
        let Some(run) = org.store.get::<Run>(kind::RUN, run.as_str())? else { return Ok(()) };
        for saved in taken_up(org, &run)? {
            drop_one(org, &saved).await?;
        }
        Ok(())
    };
    told(pruned.await);
}

/// Removes the checkpoints of a task that is merged.
pub(crate) async fn drop_merged(org: &Arc<Org>, task: &TaskRef) {
    let dropped = async {
        let claim: Option<Claim> = org.store.get(kind::CLAIM, &task.to_string())?;
        for id in claim.filter(|c| c.merged).into_iter().flat_map(|c| c.runs) {
            if let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())?.filter(|r| r.checkpoint.is_some() && r.state.ended()) {
                drop_one(org, &run).await?;
            }
        }
        Ok(())
    };
    told(dropped.await);
}

/// After a start, before any run goes on: what lost its name alone is not to be removed as of no use with the next checkpoint that goes.
pub(super) async fn name_again(org: &Arc<Org>, runs: &[Run]) {
    let held: Vec<(Run, Oid)> = runs.iter().filter_map(|run| Some((run.clone(), run.held.clone()?))).collect();
    let named = org.blocking(move |org| {
        gone::name_again(org, &held);
        Ok(())
    });
    told(named.await);
}

/// After a start: what a crash kept from being removed.
pub(super) async fn sweep(org: &Arc<Org>, ended: &[Run]) {
    for run in ended {
        if run.state == RunState::Done && run.from.is_some() {
            prune(org, &run.id).await;
        }
        if let (Some(_), Some(task)) = (&run.checkpoint, &run.task) {
            drop_merged(org, task).await;
        }
        if run.elsewhere(&org.device).is_some() && (run.state == RunState::Lost || is_to_stop(org, run)) {
            org.remote.moving.give_up(&run.id);
        }
    }
    let left = org.blocking(|org| {
        for project in org.state()?.projects.into_values() {
            for id in org.forge.checkpointed(&project.rid)? {
                let run = org.store.get::<Run>(kind::RUN, id.as_str())?;
                let dropped = |r: &Run| r.state.ended() && r.checkpoint.is_none() && !org.dir.run(&id).exists();
                if let Some(run) = run.filter(dropped)
                    && !gone::take_up(org, &run)?
                {
                    org.forge.drop_checkpoint(&project.rid, &id)?;
                }
            }
        }
        Ok(())
    });
    told(left.await);
}

/// Whether a person stopped a run whose device was away, and it may go on there still.
fn is_to_stop(org: &Org, run: &Run) -> bool {
    let stopped = run.state == RunState::Cancelled && matches!(run.ending, Some(Reason::Stopped { .. }));
    stopped && remote::goes_on_there(org, run)
}

/// The runs whose saved work is in what this run published, nearest first: it began from the nearest, which began from the one
/// before. What was saved of one after that is not in it.
fn taken_up(org: &Org, run: &Run) -> Result<Vec<Run>, Problem> {
    let (mut found, mut at) = (Vec::new(), run.clone());
    if run.state != RunState::Done || run.revision.is_none() {
        return Ok(found);
    }
    for _ in 0..limits::CONTINUED_MAX {
        let Some(earlier) = saved::begun_from(org, &at)? else { break };
        let with = at.from.map(|from| from.commit);
        at = earlier.clone();
        if earlier.checkpoint == with {
            found.push(earlier);
        }
    }
    Ok(found)
}

async fn drop_one(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    let dropped = CheckpointDropped { run: run.id.clone(), why: "Its work is in a patch, or merged.".into() };
    org.record(&org.device, vec![Body::CheckpointDropped(dropped)]).await?;
    let run = run.clone();
    org.blocking(move |org| org.forge.drop_checkpoint(&org.project(Some(&run.project))?.rid, &run.id)).await
}

/// Removes, until the org closes, checkpoints that the devices which asked for their runs have by now, or have no use for; and those of
/// guests that nobody brings away.
pub(crate) async fn keep(org: Arc<Org>) {
    let (mut closing, mut sizes) = (org.closing.subscribe(), HashMap::new());
    loop {
        tokio::select! {
            () = tokio::time::sleep(limits::CHECKPOINTS_LOOK_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
        told(drop_brought_away(&org).await);
        if let Err(problem) = bound_guests(&org, &mut sizes).await {
            tracing::warn!(%problem, "how much guests saved here could not be looked at; it is tried again");
        }
    }
}

async fn drop_brought_away(org: &Arc<Org>) -> Result<(), Problem> {
    let found = org.blocking(|org| Ok(foreign(org)?.into_iter().filter(|(_, run)| brought_away(org, run)).collect::<Vec<_>>()));
    for (_, run) in found.await? {
        let why = "It is with the device that asked for it, or of no use to that any more.".into();
        drop_unless_used(org, CheckpointDropped { run: run.id, why }).await?;
    }
    Ok(())
}

/// The runs that other devices asked for whose checkpoints lie here, each with its project's repository. A repository that cannot be read
/// keeps nothing of the others from being found.
fn foreign(org: &Org) -> Result<Vec<(Rid, Run)>, Problem> {
    let mut found = Vec::new();
    let unread = |problem: &Problem| tracing::warn!(%problem, "the checkpoints of a project cannot be looked for; it is tried again");
    for project in org.state()?.projects.into_values() {
        for id in org.forge.checkpointed(&project.rid).inspect_err(unread).unwrap_or_default() {
            let run = org.store.get::<Run>(kind::RUN, id.as_str())?;
            let foreign = |r: &Run| r.requester != org.device && r.state.ended() && r.held.is_some();
            found.extend(run.filter(foreign).map(|run| (project.rid.clone(), run)));
        }
    }
    Ok(found)
}

/// Tells which checkpoints of guests go soon, and removes those whose time has come. `sizes` are those that are known, by checkpoint.
async fn bound_guests(org: &Arc<Org>, sizes: &mut HashMap<Oid, u64>) -> Result<(), Problem> {
    let lending = lending::now(org);
    // What cannot be read may say to keep them longer.
    if lending.broken.is_some() {
        return Ok(());
    }
    let known = std::mem::take(sizes);
    let (saved, counted) = org.blocking(move |org| of_guests(org, &known)).await?;
    *sizes = counted;
    for due in due(&lending.policy, saved, clock::now().plus_ms(fault::later_ms(org))) {
        match due {
            Due::Tell(goes) => {
                tracing::warn!(run = %goes.run, at = %goes.goes_at.minute(), why = %goes.why, "what a guest saved here will be removed");
                org.record(&org.device, vec![Body::CheckpointGoes(goes)]).await?;
            }
            Due::Drop(dropped) => {
                let (run, why) = (dropped.run.clone(), dropped.why.clone());
                if drop_unless_used(org, dropped).await? {
                    tracing::warn!(%run, %why, "what a guest saved here was removed");
                }
            }
        }
    }
    Ok(())
}

fn of_guests(org: &Org, known: &HashMap<Oid, u64>) -> Result<(Vec<Saved>, HashMap<Oid, u64>), Problem> {
    let (owner, mut saved, mut counted) = (Owner::of(org, &org.state()?), vec![], HashMap::new());
    for (rid, run) in foreign(org)? {
        let Some(held) = run.held.clone() else { continue };
        if !owner.is_guest(&run, |id| org.store.get(kind::RUN, id.as_str()))? {
            continue;
        }
        let bytes = known.get(&held).copied().unwrap_or_else(|| size(&run.id, org.forge.checkpoint_bytes(&rid, &run.id)));
        counted.insert(held, bytes);
        let heard_at = org.journals.get(&run.requester).and_then(|copied| copied.whose().as_of);
        let ended = run.ended_at.unwrap_or(run.queued_at);
        let since = heard_at.max(Some(ended)).unwrap_or(ended);
        saved.push(Saved { run: run.id, requester: run.requester, ended, since, bytes, goes: run.goes });
    }
    Ok((saved, counted))
}

/// One that cannot be read counts as the largest, until the next start: else it would keep all the others here.
fn size(run: &RunId, read: Result<u64, Problem>) -> u64 {
    let largest = |problem: Problem| {
        tracing::warn!(%run, %problem, "how large it is that a guest saved here cannot be read; it counts as the largest");
        CHECKPOINT_BYTES_MAX
    };
    read.unwrap_or_else(largest)
}

/// Whether the journal of the device that asked for a run says that it has the run's checkpoint, or that this is in a patch or merged.
fn brought_away(org: &Org, run: &Run) -> bool {
    let there = picture::run_at_requester(org, &run.requester, &run.id).filter(|there| there.device.as_ref() == Some(&org.device));
    if there.is_some_and(|there| there.held.is_some() && there.held == run.held) {
        return true;
    }
    let claim = run.task.as_ref().and_then(|task| picture::claim_at_requester(org, &run.requester, task));
    claim.is_some_and(|claim| {
        let published = |next: Run| {
            let from = next.from.is_some_and(|from| from.run == run.id && run.held.as_ref() == Some(&from.commit));
            from && next.state == RunState::Done && next.revision.is_some()
        };
        let mut later = claim.runs.iter().filter_map(|id| picture::run_at_requester(org, &run.requester, id));
        claim.merged || later.any(published)
    })
}

/// Drops the checkpoint of a run, unless one that is under way here begins with it: decided in the journal, so that this comes either
/// before or too late. Tells whether it was dropped.
async fn drop_unless_used(org: &Arc<Org>, which: CheckpointDropped) -> Result<bool, Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, which.run.as_str())? else { return Ok(false) };
    let (id, dropped) = (run.id.clone(), Arc::new(AtomicBool::new(false)));
    let (event, done) = (org.event(&org.device, Body::CheckpointDropped(which)), dropped.clone());
    let decided = org.store.append_if(move |view| {
        let active: Vec<RunId> = view.list(kind::ACTIVE, Order::Oldest, limits::RUNS_MAX)?;
        for other in active {
            let from = view.get::<Run>(kind::RUN, other.as_str())?.and_then(|other| other.from);
            if from.is_some_and(|from| from.run == id) {
                return Ok(vec![]);
            }
        }
        done.store(true, Ordering::Relaxed);
        Ok(vec![event])
    });
    decided.await?;
    if !dropped.load(Ordering::Relaxed) {
        return Ok(false);
    }
    org.blocking(move |org| org.forge.drop_checkpoint(&org.project(Some(&run.project))?.rid, &run.id)).await?;
    Ok(true)
}

fn told(outcome: Result<(), Problem>) {
    if let Err(problem) = outcome {
        tracing::warn!(%problem, "a checkpoint that is not needed any more could not be removed; the next start tries again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_cannot_be_read_counts_as_the_largest_and_keeps_no_other_here() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        assert_eq!(size(&run, Ok(7)), 7);
        assert_eq!(size(&run, Err(Problem::unavailable("Its tree is gone."))), CHECKPOINT_BYTES_MAX);
    }
}
