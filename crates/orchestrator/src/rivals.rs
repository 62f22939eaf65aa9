//! Rivals: patches of one task that several devices made, as happens while they cannot hear of each other. At most one is accepted, for the
//! claim that counts; a person picks it by merging it. The others are then closed, with a comment that says why; nothing of them is lost.
//!
//! What stands in other devices' journals only forbids here, and says what to close.

use crate::{
    lifecycle::reconcile::tell,
    org::Org,
    picture::{self, Claims},
    provenance,
    tasks::Board,
    trace,
};
use domain::{
    PatchId, Problem, TaskRef,
    actor::Actor,
    event::Body,
    gate::{self, Missing},
    patch::{Patch, PatchState},
    picture::{ClaimIn, Rival},
    project::Project,
};
use std::sync::Arc;

/// How the comment on a patch begins that was closed because a rival was accepted. Who finds it does not close the patch once more after a
/// person opened it again.
const SUPERSEDED: &str = "Superseded: ";

/// The task that a patch is for: by the run here that made it, by another device's claim, or at a gate of the project by what was signed.
/// What the patch says of itself does not count.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn task_of(org: &Org, project: &Project, patch: &Patch) -> Result<Option<TaskRef>, Problem> {
    if let Some(task) = provenance::task_of(org, patch)? {
        return Ok(Some(task));
    }
    if let Some(task) = Claims::verified(org).task_of(&patch.id) {
        return Ok(Some(task));
    }
    let signed = |_: &TaskRef| trace::made_by_a_run(org, project, patch).unwrap_or(false);
    Ok(patch.trace.as_ref().map(|trace| trace.task.clone()).filter(signed))
}

/// What speaks against accepting a patch because its task is another's by now: a patch of it was accepted, it is ticked on the default
/// branch without this patch, or another device took it over.
///
/// # Errors
/// When the journal or the repository cannot be read.
pub(crate) fn against(org: &Org, project: &Project, board: &Board, patch: &Patch) -> Result<Option<Missing>, Problem> {
    let Some(task) = task_of(org, project, patch)? else { return Ok(None) };
    if let Some(found) = domain::picture::against(&patch.id, &believed(org, project, &task)?) {
        return Ok(Some(found));
    }
    let ticked = board.tasks.iter().any(|view| view.at == task && view.task.done);
    Ok((ticked && !org.forge.contains(&project.rid, &board.head, &patch.head)?).then_some(Missing::Ticked { task }))
}

/// The claims on a task. A gate, and who alone moves the default branch, knows itself what was merged, and heeds nobody who says else: neither
/// that a patch was merged which was not, nor that one was for this task which itself says that it is for another.
///
/// # Errors
/// When the journal or the repository cannot be read.
pub(crate) fn believed(org: &Org, project: &Project, task: &TaskRef) -> Result<Vec<ClaimIn>, Problem> {
    let mut claims = picture::claims(org, task)?;
    let delegates = org.forge.delegates(&project.rid)?;
    let alone = matches!(delegates.as_slice(), [one] if *one == org.member || *one == org.device);
    if alone || project.is_gate(&org.device) {
        let for_task = |patch: &Patch| patch.trace.as_ref().is_none_or(|trace| trace.task == *task);
        let found = |id: &PatchId| org.forge.patch(&project.rid, &project.name, id);
        let merged = |id: &PatchId| found(id).is_ok_and(|patch| patch.state == PatchState::Merged && for_task(&patch));
        for found in &mut claims {
            found.claim.merged = found.claim.merged && found.claim.patch.as_ref().is_some_and(merged);
        }
    }
    Ok(claims)
}

/// The patches of a task, where several devices made one each.
pub(crate) fn of(org: &Org, project: &Project, claims: &[ClaimIn]) -> Vec<Rival> {
    let mut found = domain::picture::rivals(claims);
    for rival in &mut found {
        // Radicle is the truth about patches. One that has not come yet is as its device tells.
        if let Ok(patch) = org.forge.patch(&project.rid, &project.name, &rival.patch) {
            rival.state = patch.state;
        }
        rival.whose = picture::whose(org, &rival.device);
    }
    found
}

/// The rivals of a patch, itself among them.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn of_patch(org: &Org, project: &Project, patch: &Patch) -> Result<Vec<Rival>, Problem> {
    let Some(task) = task_of(org, project, patch)? else { return Ok(vec![]) };
    let found = of(org, project, &picture::claims(org, &task)?);
    // An older patch of the same device is none.
    Ok(if found.iter().any(|rival| rival.patch == patch.id) { found } else { vec![] })
}

/// Closes the rivals of a patch that was accepted, and says on each why. What cannot be closed now is tried again later.
pub(crate) async fn close(org: &Arc<Org>, actor: &Actor, project: &Project, task: &TaskRef, accepted: &PatchId) -> Vec<PatchId> {
    let _telling = org.telling.read().await;
    let (of, at, for_this) = (project.clone(), task.clone(), accepted.clone());
    let closed = match org.blocking(move |org| shut(org, &of, &at, &for_this)).await {
        Ok(closed) => closed,
        Err(problem) => {
            tracing::warn!(%task, %problem, "the rivals of a patch could not be closed yet");
            return vec![];
        }
    };
    for patch in &closed {
        let body = Body::PatchClosed { project: project.name.clone(), patch: patch.clone(), task: Some(task.clone()) };
        if let Err(problem) = tell(org, actor, body).await {
            tracing::warn!(%patch, %problem, "that a rival was closed could not be journaled");
        }
    }
    if !closed.is_empty() {
        org.announce(&project.rid, std::slice::from_ref(&org.member));
    }
    closed
}

fn shut(org: &Org, project: &Project, task: &TaskRef, accepted: &PatchId) -> Result<Vec<PatchId>, Problem> {
    let mut closed = vec![];
    for id in picture::claims(org, task)?.into_iter().filter(ClaimIn::counts).filter_map(|found| found.claim.patch) {
        // One that has not come from its device yet is closed when it has.
        let Ok(patch) = org.forge.patch(&project.rid, &project.name, &id) else { continue };
        let Some(latest) = gate::latest(&patch).filter(|_| id != *accepted && to_close(org, &patch, task)) else { continue };
        org.forge.close(&project.rid, &id)?;
        let why = format!("{SUPERSEDED}{} was done by the patch {accepted}, which was accepted. Nothing of this one is lost.", task.task);
        if let Err(problem) = org.forge.comment(&project.rid, &id, latest, &why, None) {
            tracing::warn!(patch = %id, %problem, "why a rival was closed could not be written on it");
        }
        closed.push(id);
    }
    Ok(closed)
}

/// Whether a patch that a claim names is open, says itself that it is for the task, and was not closed for this before.
fn to_close(org: &Org, patch: &Patch, task: &TaskRef) -> bool {
    let open = matches!(patch.state, PatchState::Open | PatchState::Draft);
    let for_task = patch.trace.as_ref().is_some_and(|trace| trace.task == *task);
    let mut comments = patch.revisions.iter().flat_map(|revision| &revision.comments);
    open && for_task && !comments.any(|comment| comment.by == org.member && comment.body.starts_with(SUPERSEDED))
}

/// Closes what came, or became known, only after its rival had been accepted here.
pub(crate) async fn close_late(org: &Arc<Org>, project: &Project) {
    let of = project.clone();
    match org.blocking(move |org| late(org, &of)).await {
        Ok(found) => {
            for (task, accepted) in found {
                close(org, &Actor::from(&org.device), project, &task, &accepted).await;
            }
        }
        Err(problem) => tracing::warn!(project = %project.name, %problem, "rivals could not be looked for"),
    }
}

/// The tasks of which this device accepted a patch while a rival is open: at a gate any, elsewhere those of its own claims.
fn late(org: &Org, project: &Project) -> Result<Vec<(TaskRef, PatchId)>, Problem> {
    let mut found = vec![];
    for task in Claims::verified(org).half_settled(org, &project.name)? {
        let claims = believed(org, project, &task)?;
        let Some((patch, device)) = domain::picture::accepted(&claims) else { continue };
        if project.gate().unwrap_or(device) == &org.device {
            found.push((task, patch.clone()));
        }
    }
    Ok(found)
}
