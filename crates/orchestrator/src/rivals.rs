//! Rivals: patches of one task that several devices made, or several runs, as happens while devices cannot hear of each other. At most one
//! is accepted, for the claim that counts; a person picks it by merging it. The others are then closed, with a comment that says why;
//! nothing of them is lost.
//!
//! What stands in other devices' journals only forbids here, and says what to close.

use crate::{
    lifecycle::reconcile::tell,
    merge::Gates,
    org::Org,
    picture::{self, Claims},
    provenance::{Author, Known},
    remote,
    tasks::Board,
};
use domain::{
    Did, PatchId, Problem, TaskRef,
    actor::Actor,
    event::Body,
    gate::{self, Missing},
    patch::{Patch, PatchState},
    picture::{ClaimIn, Rival},
    project::Project,
};
use forge::OrgState;
use std::{collections::BTreeSet, sync::Arc};

/// How the comment on a patch begins that was closed because a rival was accepted. Who finds it does not close the patch once more after a
/// person opened it again.
const SUPERSEDED: &str = "Superseded: ";

/// The task that a patch is for: by the run here that made it; else the one that the patch names, where that was signed, or another device
/// claims it too. Neither the patch alone nor a claim alone says it: a patch of one task is not blocked by who claims it for another.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn task_of(known: &Known<'_>, patch: &Patch, author: &Author) -> Result<Option<TaskRef>, Problem> {
    if let Some(task) = known.task_of(patch)? {
        return Ok(Some(task));
    }
    let holds = |task: &TaskRef| matches!(author, Author::RunElsewhere) || known.claims().name(&patch.id, task);
    Ok(patch.trace.as_ref().map(|trace| trace.task.clone()).filter(holds))
}

/// What speaks against accepting a patch of a task because that is another's by now: a patch of it was accepted, it is ticked on the
/// default branch without this patch, or another device took it over.
///
/// # Errors
/// When the journal or the repository cannot be read.
pub(crate) fn against(org: &Org, board: &Board, patch: &Patch, task: &TaskRef) -> Result<Option<Missing>, Problem> {
    let project = &board.project;
    if let Some(found) = domain::picture::against(&patch.id, &believed(org, project, task)?) {
        return Ok(Some(found));
    }
    let ticked = board.tasks.iter().any(|view| view.at == *task && view.task.done);
    Ok((ticked && !org.forge.contains(&project.rid, &board.head, &patch.head)?).then_some(Missing::Ticked { task: task.clone() }))
}

/// The claims on a task, as far as they are believed. That a patch was merged counts where Radicle shows it here, and the patch does not
/// say itself that it is for another task. What Radicle does not show yet is believed of the devices of the delegates, who could have
/// merged it; at a gate, and where this device alone moves the default branch, of nobody.
///
/// # Errors
/// When the journal or the repository cannot be read.
pub(crate) fn believed(org: &Org, project: &Project, task: &TaskRef) -> Result<Vec<ClaimIn>, Problem> {
    let mut claims = picture::claims(org, task)?;
    if !claims.iter().any(|found| found.claim.merged) {
        return Ok(claims);
    }
    let delegates = org.forge.delegates(&project.rid)?;
    let alone = matches!(delegates.as_slice(), [one] if *one == org.member || *one == org.device);
    let (knows_all, state) = (alone || project.is_gate(&org.device), org.state()?);
    let word = |device: &Did| !knows_all && (*device == org.device || signs(&delegates, &state, device));
    domain::picture::believe(&mut claims, |id| is_accepted(org, project, task, id), word);
    Ok(claims)
}

/// The claims on a task without those of others whose patch Radicle shows closed here: their devices may be away, and not know it yet.
pub(crate) fn not_closed(org: &Org, project: &Project, mut claims: Vec<ClaimIn>) -> Vec<ClaimIn> {
    let shown = |id: &PatchId| org.forge.patch(&project.rid, &project.name, id).is_ok_and(|patch| patch.state == PatchState::Archived);
    claims.retain(|found| found.journal == org.device || found.runs() || !found.claim.patch.as_ref().is_some_and(shown));
    claims
}

/// Whether Radicle shows here that a patch of the task was merged. None: it does not, which may only be late.
fn is_accepted(org: &Org, project: &Project, task: &TaskRef, id: &PatchId) -> Option<bool> {
    let patch = org.forge.patch(&project.rid, &project.name, id).ok()?;
    if patch.trace.as_ref().is_some_and(|trace| trace.task != *task) {
        return Some(false);
    }
    (patch.state == PatchState::Merged).then_some(true)
}

/// Whether a device signs for a project: its own key is one of the delegates', or that of a member on it.
fn signs(delegates: &[Did], state: &OrgState, device: &Did) -> bool {
    let mut keys = state.members.values().flat_map(|member| &member.keys);
    delegates.contains(device) || keys.any(|key| key.device == *device && delegates.contains(&key.did))
}

/// The patches of a task, where several devices made one each, as these tell of them.
pub(crate) fn of(org: &Org, claims: &[ClaimIn]) -> Vec<Rival> {
    let told = domain::picture::rivals(claims).into_iter();
    told.map(|rival| Rival { whose: picture::whose(org, &rival.device), ..rival }).collect()
}

/// Says of the rivals of a project's tasks where they are and stand by what Radicle shows here, which is the truth about patches. One that
/// has not come yet stays as its device tells; so does where they stand, if the org's rights cannot be read.
pub(crate) fn look<'r>(org: &Org, project: &Project, rivals: impl Iterator<Item = &'r mut Rival>) {
    let mut rivals = rivals.peekable();
    if rivals.peek().is_none() {
        return;
    }
    let (rights, known) = (org.rights(), Known::of(org));
    if let Err(problem) = &rights {
        tracing::warn!(%problem, project = %project.name, "where rivals stand by their gates cannot be told");
    }
    // All of them are judged by the same, which is read once.
    let gates = rights.as_deref().ok().map(|rights| Gates::of(&known, rights, project));
    for rival in rivals {
        let Ok(patch) = org.forge.patch(&project.rid, &project.name, &rival.patch) else { continue };
        rival.state = patch.state;
        if let Some(gates) = &gates {
            rival.standing = gates.standing(&patch);
        }
    }
}

/// The rivals of a patch of a task, itself among them.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn of_patch(org: &Org, project: &Project, patch: &Patch, task: &TaskRef) -> Result<Vec<Rival>, Problem> {
    let mut found = of(org, &picture::claims(org, task)?);
    // An older patch of the same device is none.
    if !found.iter().any(|rival| rival.patch == patch.id) {
        return Ok(vec![]);
    }
    look(org, project, found.iter_mut());
    Ok(found)
}

/// Closes the rivals of a patch that was accepted, and says on each why, where this device may. What cannot be closed now is tried again
/// later.
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
    let (state, delegate) = (org.state()?, closes_all(org, project)?);
    let mut closed = vec![];
    let claims = picture::claims(org, task)?;
    for id in claims.iter().filter(|found| found.counts()).flat_map(|found| found.claim.patches()) {
        // One that has not come from its device yet is closed when it has.
        let Ok(patch) = org.forge.patch(&project.rid, &project.name, id) else { continue };
        let Some(latest) = gate::latest(&patch).filter(|_| id != accepted && to_close(&state, &patch, task)) else { continue };
        if patch.author != org.member && !delegate {
            continue;
        }
        org.forge.close(&project.rid, id)?;
        let why = format!("{SUPERSEDED}{} was done by the patch {accepted}, which was accepted. Nothing of this one is lost.", task.task);
        if let Err(problem) = org.forge.comment(&project.rid, id, latest, &why, None) {
            tracing::warn!(patch = %id, %problem, "why a rival was closed could not be written on it");
        }
        closed.push(id.clone());
    }
    Ok(closed)
}

/// Whether Radicle lets this device close patches that others made: those of the delegates may.
fn closes_all(org: &Org, project: &Project) -> Result<bool, Problem> {
    Ok(org.forge.delegates(&project.rid)?.iter().any(|did| *did == org.member || *did == org.device))
}

/// Whether a patch that a claim names is open, says itself that it is for the task, and was not closed for this before by a member.
fn to_close(state: &OrgState, patch: &Patch, task: &TaskRef) -> bool {
    let open = matches!(patch.state, PatchState::Open | PatchState::Draft);
    let for_task = patch.trace.as_ref().is_some_and(|trace| trace.task == *task);
    let mut comments = patch.revisions.iter().flat_map(|revision| &revision.comments);
    open && for_task && !comments.any(|comment| comment.body.starts_with(SUPERSEDED) && state.member_of(&comment.by).is_some())
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

/// The tasks of which Radicle shows that a patch was accepted, while a rival may be open, and it is this device's turn to close that: of
/// several gates the first does, else of the devices of the delegates that can be reached the one whose claim was accepted, or the first.
fn late(org: &Org, project: &Project) -> Result<Vec<(TaskRef, PatchId)>, Problem> {
    let mut found = vec![];
    if project.gate().is_some_and(|gate| *gate != org.device) {
        return Ok(found);
    }
    let (delegates, state) = (org.forge.delegates(&project.rid)?, org.state()?);
    let keys = state.members.values().flat_map(|member| &member.keys).map(|key| &key.device);
    let may: BTreeSet<&Did> = keys.filter(|device| signs(&delegates, &state, device)).collect();
    let there = |device: &Did| *device == org.device || remote::may_answer(org, device);
    for task in Claims::verified(org).half_settled(org, &project.name)? {
        let claims = believed(org, project, &task)?;
        let Some((patch, whose)) = domain::picture::accepted(&claims) else { continue };
        let own_turn = project.is_gate(&org.device) || turn(&may, whose, there).is_none_or(|first| *first == org.device);
        if own_turn && is_accepted(org, project, &task, patch) == Some(true) {
            found.push((task, patch.clone()));
        }
    }
    Ok(found)
}

/// Which of the devices that may close the rivals of a patch does. Else each would, and say so, before it hears of the other.
fn turn<'a>(may: &BTreeSet<&'a Did>, whose: &Did, there: impl Fn(&Did) -> bool) -> Option<&'a Did> {
    let mut reached = may.iter().copied().filter(|device| there(device));
    let first = reached.next()?;
    Some(std::iter::once(first).chain(reached).find(|device| *device == whose).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{self, comment, did, member};
    use domain::role::Role;

    /// Ada has the key `A` on the device `a`, and Bob `B` on `b`.
    fn state() -> OrgState {
        let members = [member("ada", Role::Developer, &['a']), member("bob", Role::Developer, &['b'])].into();
        OrgState { members, ..fixtures::state() }
    }

    #[test]
    fn a_device_signs_for_a_project_with_its_own_key_or_a_members() {
        let state = state();
        assert!(signs(&[did('A')], &state, &did('a')), "a project of Ada's");
        assert!(signs(&[did('a'), did('c')], &state, &did('a')), "it is a gate");
        assert!(!signs(&[did('A')], &state, &did('b')), "what Bob's device says was merged could be nobody's but Ada's doing");
    }

    #[test]
    fn one_of_those_who_may_closes_a_late_rival() {
        let (a, b, c) = (did('a'), did('b'), did('c'));
        let may = BTreeSet::from([&a, &b]);
        assert_eq!(turn(&may, &b, |_| true), Some(&b), "it was accepted as its own");
        assert_eq!(turn(&may, &c, |_| true), Some(&a));
        assert_eq!(turn(&may, &b, |device| *device != b), Some(&a), "the other is away");
        assert_eq!(turn(&may, &c, |_| false), None, "then whoever can");
    }

    #[test]
    fn what_a_member_closed_as_a_rival_is_not_closed_again() {
        let task: TaskRef = serde_json::from_value(serde_json::json!({"project": "demo", "feature": "001-hello", "task": "T001"})).unwrap();
        let patch = |by: Did| {
            let trace = serde_json::json!({
                "version": 1, "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "agent": "echo", "engine": "command", "member": did('B'), "task": task,
                "spec_hash": "e".repeat(64), "definitions": "e".repeat(40), "manifest": "e".repeat(64), "asked": {}, "delegation": {},
                "judged": null, "checks": [],
            });
            let trace = Some(serde_json::from_value(trace).unwrap());
            Patch { trace, ..fixtures::patch(&did('r'), vec![], vec![comment(&by, "Superseded: so.")]) }
        };
        let state = state();
        assert!(to_close(&state, &patch(did('s')), &task), "what a stranger wrote counts for nothing");
        assert!(!to_close(&state, &patch(did('B')), &task), "Bob closed it, and somebody opened it again");
        let other = TaskRef { project: "other".parse().unwrap(), ..task.clone() };
        assert!(!to_close(&state, &patch(did('s')), &other));
    }
}
