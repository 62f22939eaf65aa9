//! Checkpoints are kept until their work is in a published patch or merged, and no longer. A removal is journaled first: then
//! nothing goes on from a checkpoint that is gone.

use super::end;
use crate::{limits, org::Org};
use domain::{
    Problem, RunId, TaskRef,
    event::{Body, kind},
    run::{Run, RunState},
    task::Claim,
};
use std::sync::Arc;

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

/// After a start: what a crash kept from being removed.
pub(super) async fn sweep(org: &Arc<Org>, ended: &[Run]) {
    for run in ended {
        if run.state == RunState::Done && run.from.is_some() {
            prune(org, &run.id).await;
        }
        if let (Some(_), Some(task)) = (&run.checkpoint, &run.task) {
            drop_merged(org, task).await;
        }
    }
    let left = org.blocking(|org| {
        for project in org.state()?.projects.into_values() {
            for id in org.forge.checkpointed(&project.rid)? {
                let dropped = org.store.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|r| r.state.ended() && r.checkpoint.is_none());
                if dropped && !org.dir.run(&id).exists() {
                    org.forge.drop_checkpoint(&project.rid, &id)?;
                }
            }
        }
        Ok(())
    });
    told(left.await);
}

/// The runs whose saved work is in what this run published, nearest first: it began from the nearest, which began from the one
/// before.
fn taken_up(org: &Org, run: &Run) -> Result<Vec<Run>, Problem> {
    let (mut found, mut at) = (Vec::new(), run.clone());
    if run.state != RunState::Done || run.revision.is_none() {
        return Ok(found);
    }
    for _ in 0..limits::CONTINUED_MAX {
        let Some(earlier) = end::begun_from(org, &at)? else { break };
        at = earlier.clone();
        found.push(earlier);
    }
    Ok(found)
}

async fn drop_one(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    org.record(&org.device, vec![Body::CheckpointDropped { run: run.id.clone() }]).await?;
    let run = run.clone();
    org.blocking(move |org| org.forge.drop_checkpoint(&org.project(Some(&run.project))?.rid, &run.id)).await
}

fn told(outcome: Result<(), Problem>) {
    if let Err(problem) = outcome {
        tracing::warn!(%problem, "a checkpoint that is not needed any more could not be removed; the next start tries again");
    }
}
