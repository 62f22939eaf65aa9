//! Radicle is the truth about patches: what it has and the journal does not know is noted, whoever did it, here or on another
//! node, with Meshwork or the stock `rad`. A merge that was interrupted is finished. It may run at any time, twice too.

use crate::{
    limits,
    org::Org,
    provenance::{self, Author, Known},
    rights::Rights,
    rivals, trace,
};
use domain::{
    Did, Hash, Oid, PatchId, Problem, Rid,
    actor::Actor,
    event::{Body, Event, kind},
    gate,
    patch::{Patch, PatchState, Verdict},
    project::Project,
    run::Run,
    task::Claim,
};
use forge::OrgState;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use store::{Order, Seq, View};

/// Which patches of a project are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Patches {
    /// All that tasks wait for.
    All,
    /// These.
    These(BTreeSet<PatchId>),
}

/// From what each project's patches were last compared with the journal: as long as all of that is as it was, nothing is to be noted.
#[derive(Debug, Default)]
pub(crate) struct Compared(BTreeMap<Rid, (Basis, Instant)>);

/// All that decides what is to be noted.
#[derive(Debug, PartialEq, Eq)]
struct Basis {
    /// Of the project's repository.
    refs: Hash,
    /// The commit of the org repository.
    org: Oid,
    journal: Seq,
    /// How often the copies of other journals grew.
    copies: u64,
}

impl Basis {
    fn of(org: &Org, project: &Project) -> Result<Self, Problem> {
        let copies = *org.journals.grown().borrow();
        Ok(Self { refs: org.forge.refs_digest(&project.rid)?, org: org.forge.org_head(&org.rid)?, journal: org.store.last(), copies })
    }
}

/// Compares every project's patches with the journal. What cannot be read now is tried again later.
pub(crate) async fn reconcile_all(org: &Arc<Org>, compared: &mut Compared) {
    let projects = org.blocking(|org| Ok(org.state()?.projects.into_values().collect::<Vec<_>>())).await;
    match projects {
        Ok(projects) => {
            for project in projects {
                reconcile_anew(org, &project, compared).await;
            }
        }
        Err(problem) => tracing::error!(%problem, "patches and journal could not be compared"),
    }
}

/// Compares all patches of a project with the journal, where anything changed since that was done.
async fn reconcile_anew(org: &Arc<Org>, project: &Project, compared: &mut Compared) {
    let of = project.clone();
    // Of before the look: what changes meanwhile is looked at again.
    let basis = org.blocking(move |org| Basis::of(org, &of)).await;
    let basis = basis.inspect_err(|problem| tracing::warn!(project = %project.name, %problem, "it cannot be read what changed")).ok();
    let known = compared.0.get(&project.rid).filter(|(_, at)| at.elapsed() < limits::COMPARED_COUNTS);
    if known.is_some_and(|(known, _)| Some(known) == basis.as_ref()) {
        return rivals::close_late(org, project).await;
    }
    let whole = reconcile(org, project, &Patches::All).await;
    match basis.filter(|_| whole) {
        Some(basis) => drop(compared.0.insert(project.rid.clone(), (basis, Instant::now()))),
        None => drop(compared.0.remove(&project.rid)),
    }
}

/// Compares patches of one project with the journal; says whether all could be.
pub(crate) async fn reconcile(org: &Arc<Org>, project: &Project, which: &Patches) -> bool {
    let claims = match org.store.list::<Claim>(kind::CLAIM, Order::Newest, limits::RUNS_MAX) {
        Ok(claims) => claims,
        Err(problem) => {
            tracing::error!(%problem, "the claims of tasks cannot be read");
            return false;
        }
    };
    let mut whole = true;
    let open = |c: &&Claim| c.task.project == project.name && !c.merged;
    let wanted = |patch: &PatchId| match which {
        Patches::All => true,
        Patches::These(ids) => ids.contains(patch),
    };
    for claim in claims.iter().filter(open).filter(|c| c.patch.as_ref().is_some_and(wanted)) {
        if let Err(problem) = follow_claim(org, project, &claim.task.to_string()).await {
            tracing::error!(task = %claim.task, %problem, "a task's patch and the journal could not be compared");
            whole = false;
        }
    }
    rivals::close_late(org, project).await;
    whole
}

/// Brings one claim to what Radicle says of its patch.
async fn follow_claim(org: &Arc<Org>, project: &Project, task: &str) -> Result<(), Problem> {
    let _all_is_told = org.telling.write().await;
    for _ in 0..limits::RECONCILE_TRIES {
        // The claim is read before the patch, so that what is said of it here is never older than what others wrote.
        let Some(claim) = org.store.get::<Claim>(kind::CLAIM, task)? else { return Ok(()) };
        let (of, before) = (project.clone(), claim.clone());
        let events = org.blocking(move |org| news(org, &of, &before)).await?;
        if events.is_empty() {
            return Ok(());
        }
        let (at, merged) = (claim.task.clone(), events.iter().any(|e| matches!(e.body, Body::PatchMerged { .. })));
        if note(org, claim, events).await? {
            if merged {
                super::drop_merged(org, &at).await;
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Writes what was found, unless the claim changed since; then it is to be looked at anew.
async fn note(org: &Arc<Org>, claim: Claim, events: Vec<Event>) -> Result<bool, Problem> {
    let changed = Arc::new(AtomicBool::new(false));
    let seen = changed.clone();
    org.store
        .append_if(move |read| {
            if read.get::<Claim>(kind::CLAIM, &claim.task.to_string())?.as_ref() != Some(&claim) {
                seen.store(true, Ordering::Relaxed);
                return Ok(vec![]);
            }
            only_new(read, events)
        })
        .await?;
    Ok(!changed.load(Ordering::Relaxed))
}

/// Writes what a person did to a patch, unless it was seen in Radicle and noted already.
///
/// # Errors
/// When the disk does not take it.
pub(crate) async fn tell(org: &Arc<Org>, actor: &Actor, body: Body) -> Result<(), Problem> {
    let event = org.event(actor, body);
    org.store.append_if(move |read| only_new(read, vec![event])).await.map(drop)
}

fn only_new(read: &mut View<'_>, events: Vec<Event>) -> Result<Vec<Event>, Problem> {
    let mut new = Vec::new();
    for event in events {
        if is_new(read, &event)? {
            new.push(event);
        }
    }
    Ok(new)
}

fn is_new(read: &mut View<'_>, event: &Event) -> Result<bool, Problem> {
    if let Body::PatchCommented { comment, .. } = &event.body {
        return Ok(read.get::<PatchId>(kind::COMMENT, comment.as_str())?.is_none());
    }
    let (Body::PatchReviewed { patch, task: Some(task), .. }
    | Body::PatchMerged { patch, task: Some(task), .. }
    | Body::PatchClosed { patch, task: Some(task), .. }
    | Body::PatchReopened { patch, task: Some(task), .. }) = &event.body
    else {
        return Ok(true);
    };
    let Some(claim) = read.get::<Claim>(kind::CLAIM, &task.to_string())?.filter(|c| c.patch.as_ref() == Some(patch)) else {
        return Ok(true);
    };
    Ok(match &event.body {
        // A further comment is news; the same verdict is not.
        Body::PatchReviewed { verdict: Some(Verdict::Comment), .. } => true,
        Body::PatchReviewed { verdict, .. } => claim.verdicts.get(&event.actor) != verdict.as_ref(),
        Body::PatchMerged { .. } => !claim.merged,
        Body::PatchClosed { .. } => !claim.rejected,
        Body::PatchReopened { .. } => claim.rejected,
        _ => true,
    })
}

/// The facts about a claim's patch that the journal lacks, each with who did it.
fn news(org: &Arc<Org>, project: &Project, claim: &Claim) -> Result<Vec<Event>, Problem> {
    let Some(id) = &claim.patch else { return Ok(vec![]) };
    let patch = org.forge.patch(&project.rid, &project.name, id)?;
    let (rights, task) = (org.rights()?, Some(claim.task.clone()));
    let state = &rights.state;
    let (name, id) = (project.name.clone(), id.clone());
    let mut events = comments(org, state, project, claim, &patch)?;
    if let Some((by, commit)) = merged(org, state, project, &patch)? {
        events.push(org.event(&by, Body::PatchMerged { project: name, patch: id, commit, task }));
        return Ok(events);
    }
    let set_by = || org.forge.state_set_by(&project.rid, &patch.id).map(|by| by.unwrap_or_else(|| org.member.clone()));
    match (patch.state, claim.rejected) {
        (PatchState::Archived, false) => {
            events.push(org.event(&set_by()?, Body::PatchClosed { project: name, patch: id, task }));
            return Ok(events);
        }
        (PatchState::Open, true) => events.push(org.event(&set_by()?, Body::PatchReopened { project: name, patch: id, task })),
        _ => {}
    }
    events.extend(reviews(org, &rights, project, claim, patch)?);
    Ok(events)
}

/// Who merged a patch, and as what; where its commit came into the default branch, and the mark on the patch is missing,
/// that is made up for. Anybody can add a revision that is in the branch already: it brought nothing, and merges nothing.
fn merged(org: &Org, state: &OrgState, project: &Project, patch: &Patch) -> Result<Option<(Did, Oid)>, Problem> {
    if patch.state == PatchState::Merged {
        let by = patch.merged_by.clone().unwrap_or_else(|| org.member.clone());
        return Ok(Some((asked_for(state, patch, by), patch.merged_as.clone().unwrap_or_else(|| patch.head.clone()))));
    }
    let (PatchState::Open, Some(latest)) = (patch.state, gate::latest(patch)) else { return Ok(None) };
    let Some(by) = org.forge.brought_by(&project.rid, &patch.head)? else { return Ok(None) };
    let known = Author::of(&Known::of(org), state, project, patch).and_then(|author| author.known(patch));
    if known.is_err() || org.forge.contains(&project.rid, &patch.base, &patch.head)? {
        return Ok(None);
    }
    if org.forge.delegates(&project.rid)?.iter().any(|did| *did == org.member || *did == org.device) {
        match project.gates_needed() {
            1 => drop(org.forge.merge(&project.rid, &patch.id, latest, &patch.head)?),
            // As the others did it, or their marks would not be of the same commit.
            _ => org.forge.mark_merged(&project.rid, &patch.id)?,
        }
    }
    Ok(Some((asked_for(state, patch, by), patch.head.clone())))
}

/// A gate merges for whoever asked it to.
fn asked_for(state: &OrgState, patch: &Patch, by: Did) -> Did {
    state.device_of(&by).and_then(|_| trace::asked_by(state, patch)).unwrap_or(by)
}

/// What reviewers whose word counts say of the latest revision, and the revision itself where it was made by hand.
fn reviews(org: &Org, rights: &Rights, project: &Project, claim: &Claim, patch: Patch) -> Result<Vec<Event>, Problem> {
    let Some(latest) = patch.revisions.last().cloned() else { return Ok(vec![]) };
    let (name, id, task) = (project.name.clone(), patch.id.clone(), Some(claim.task.clone()));
    let (mut events, mut known) = (Vec::new(), claim.verdicts.clone());
    if claim.revision.as_ref() != Some(&latest.id) {
        let last = claim.runs.last().map(|run| org.store.get::<Run>(kind::RUN, run.as_str())).transpose()?.flatten();
        // A run tells of its own revision when it has ended.
        if last.is_some_and(|run| run.key.as_ref() == Some(&latest.author) && !run.state.ended()) {
            return Ok(vec![]);
        }
        let (revision, commit) = (latest.id.clone(), latest.head.clone());
        let body = Body::PatchRevised { project: name.clone(), patch: id.clone(), revision, commit, task: task.clone() };
        events.push(org.event(&latest.author, body));
        known.clear();
    }
    let patch = provenance::with_counting_reviews(rights, patch);
    let said = gate::verdicts(&patch);
    let review =
        |by: &Did, verdict| org.event(by, Body::PatchReviewed { project: name.clone(), patch: id.clone(), verdict, task: task.clone() });
    events.extend(known.iter().filter(|(by, v)| said.get(by) != Some(v)).map(|(by, _)| review(by, None)));
    events.extend(said.iter().filter(|(by, v)| known.get(**by) != Some(v)).map(|(by, v)| review(by, Some(*v))));
    Ok(events)
}

/// Comments of members. Those of strangers are Radicle's to show: they could be without end.
fn comments(org: &Org, state: &OrgState, project: &Project, claim: &Claim, patch: &Patch) -> Result<Vec<Event>, Problem> {
    let mut events = Vec::new();
    for comment in patch.revisions.iter().flat_map(|r| &r.comments).filter(|c| state.member_of(&c.by).is_some()) {
        if org.store.get::<PatchId>(kind::COMMENT, comment.id.as_str())?.is_none() {
            let (project, patch, comment_id) = (project.name.clone(), patch.id.clone(), comment.id.clone());
            let body = Body::PatchCommented { project, patch, comment: comment_id, task: Some(claim.task.clone()) };
            events.push(org.event(&comment.by, body));
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::Opened;
    use serde_json::json;

    #[tokio::test]
    async fn a_project_is_compared_anew_once_anything_was_written_and_not_before() {
        let opened = Opened::new().await;
        let org = &opened.org;
        // The org's own repository is one with refs.
        let project: Project = serde_json::from_value(json!({ "name": "demo", "rid": org.rid, "branch": "main" })).unwrap();
        let (mut compared, first) = (Compared::default(), Basis::of(org, &project).unwrap());
        reconcile_anew(org, &project, &mut compared).await;
        let at = compared.0[&project.rid].1;
        assert_eq!(compared.0[&project.rid].0, first, "nothing was to be noted");
        reconcile_anew(org, &project, &mut compared).await;
        assert_eq!(compared.0[&project.rid].1, at, "nothing changed");
        crate::stops::give(org, &Actor::from(&org.member), domain::stop::Scope::Org, "Wait.".into()).await.unwrap();
        reconcile_anew(org, &project, &mut compared).await;
        let (basis, then) = &compared.0[&project.rid];
        assert!(*basis != first && *then > at, "{basis:?}");
    }
}
