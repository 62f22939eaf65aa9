//! After a start: what Radicle has and the journal does not know, because a crash came between the two, is noted. Radicle is
//! the truth about patches; a merge that was interrupted is finished.

use crate::{org::Org, provenance};
use domain::{
    Did, Problem, TaskRef,
    event::{Body, kind},
    gate,
    patch::{Patch, PatchState, Verdict},
    project::Project,
    run::Run,
    task::Claim,
};
use forge::MergeResult;
use std::sync::Arc;

/// Brings the journal to what Radicle has. What cannot be read now is tried again at the next start.
pub(super) async fn reconcile(org: &Arc<Org>) {
    let found = org.blocking(|org| org.state()?.projects.into_values().map(|p| missing(org, &p)).collect::<Result<Vec<_>, _>>()).await;
    let written = match found {
        Ok(bodies) if bodies.iter().all(Vec::is_empty) => return,
        Ok(bodies) => org.record(&org.member, bodies.concat()).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = written {
        tracing::error!(%problem, "patches and journal could not be compared");
    }
}

/// The facts about a project's patches that the journal lacks.
fn missing(org: &Org, project: &Project) -> Result<Vec<Body>, Problem> {
    let mut bodies = Vec::new();
    for patch in org.forge.patches(&project.rid, &project.name)? {
        let Some(task) = provenance::task_of(org, &patch)? else { continue };
        let Some(claim) = org.store.get::<Claim>(kind::CLAIM, &task.to_string())? else { continue };
        if claim.patch.as_ref() == Some(&patch.id) && !claim.merged {
            let last = claim.runs.last().map(|run| org.store.get::<Run>(kind::RUN, run.as_str())).transpose()?.flatten();
            // A further run at the task came after what was said of the patch, and settled it.
            let settled = last.is_none_or(|r| r.revision.is_none());
            bodies.extend(fact(org, project, finished(org, project, patch)?, task, &claim, settled));
        }
    }
    Ok(bodies)
}

/// The patch; where its commit came into the default branch, and the mark on the patch is missing, that is made up for.
fn finished(org: &Org, project: &Project, patch: Patch) -> Result<Patch, Problem> {
    let (PatchState::Open, Some(latest)) = (patch.state, gate::latest(&patch).cloned()) else { return Ok(patch) };
    let result = org.forge.merge_result(&project.rid, &patch.id, Some(&latest), &|_, _, _, _| None)?;
    if result != MergeResult::AlreadyMerged {
        return Ok(patch);
    }
    org.forge.merge(&project.rid, &patch.id, &latest, &patch.head)?;
    org.forge.patch(&project.rid, &project.name, &patch.id)
}

fn fact(org: &Org, project: &Project, patch: Patch, task: TaskRef, claim: &Claim, settled: bool) -> Option<Body> {
    let (id, name) = (patch.id.clone(), project.name.clone());
    match patch.state {
        PatchState::Merged => {
            let commit = patch.merged_as.unwrap_or(patch.head);
            Some(Body::PatchMerged { project: name, patch: id, commit, task: Some(task) })
        }
        _ if settled => None,
        PatchState::Archived if !claim.rejected => Some(Body::PatchClosed { project: name, patch: id, task: Some(task) }),
        PatchState::Open => {
            let verdict = last_verdict(&patch, &org.member)?;
            let changes = verdict == Verdict::Reject;
            let differs = changes != claim.changes_requested;
            differs.then_some(Body::PatchReviewed { project: name, patch: id, verdict: Some(verdict), task: Some(task) })
        }
        _ => None,
    }
}

/// What this device's member said of the latest revision.
fn last_verdict(patch: &Patch, member: &Did) -> Option<Verdict> {
    let latest = patch.revisions.iter().find(|r| Some(&r.id) == gate::latest(patch))?;
    latest.reviews.iter().rev().find(|r| r.by == *member)?.verdict
}
