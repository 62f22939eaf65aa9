//! Mirrors: the merged default branch goes to an ordinary git host, and changes made there come back, both by themselves. Into a
//! gated project nothing comes back: who may push at the git host passes no gate.

use crate::{gated, limits, merging::Change, org::Org};
use domain::{
    Oid, Problem, ProjectName,
    event::{Body, kind},
    project::{MirrorState, Project},
};
use futures::future::join_all;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// Takes what is new at the mirror, then pushes the default branch there. Returns what was done, in words.
///
/// # Errors
/// When the remote cannot be reached, holds another repository, both sides changed the same lines, or the project is gated and there
/// are commits at the mirror that it has not.
pub async fn sync(org: &Arc<Org>, project: &Project) -> Result<String, Problem> {
    let Some(remote) = project.mirror.clone() else {
        return Err(Problem::conflict(format!("{} has no mirror.", project.name)).next("Set one: meshwork project mirror <git remote>."));
    };
    let name = project.name.clone();
    let _one_at_a_time = org.mirroring.turn(&name, Change::Take).await;
    let (pulled, at_mirror) = match project.gate() {
        Some(_) => (None, same(org, project, &remote).await?),
        None => take(org, project, &remote).await?,
    };
    let (rid, known) = (project.rid.clone(), org.store.get::<MirrorState>(kind::MIRROR, name.as_str())?);
    if let Some(commit) = pulled.clone() {
        org.record(&org.member, vec![Body::MirrorPulled { project: name.clone(), commit }]).await?;
        org.announce(&project.rid, std::slice::from_ref(&org.member));
        org.wake.notify_one();
    }
    let pushing = at_mirror.clone();
    let head: Oid = org
        .blocking(move |org| {
            let head = org.forge.head(&rid)?;
            if pushing.as_ref() == Some(&head) { Ok(head) } else { org.forge.mirror_push(&rid, &remote) }
        })
        .await?;
    if at_mirror.as_ref() != Some(&head) {
        org.record(&org.member, vec![Body::MirrorPushed { project: name.clone(), commit: head.clone() }]).await?;
    } else if pulled.is_none() && known.is_none_or(|k| k.problem.is_some() || k.commit.as_ref() != Some(&head)) {
        org.record(&org.device, vec![Body::MirrorReached { project: name.clone(), commit: head.clone() }]).await?;
    }
    Ok(match pulled {
        Some(commit) => format!("{name}: {commit} came from the mirror; both are at {head}."),
        None => format!("{name}: the mirror is at {head}."),
    })
}

/// Takes the default branch of another git host into the project's. What came, and where the branch is there. Only bringing
/// in what came excludes merges; a host that does not answer holds nobody up.
///
/// # Errors
/// As [`sync`].
pub(crate) async fn take(org: &Arc<Org>, project: &Project, remote: &str) -> Result<(Option<Oid>, Option<Oid>), Problem> {
    let named = project.clone();
    org.blocking(move |org| gated::here(org, &named)).await?;
    let (rid, from) = (project.rid.clone(), remote.to_owned());
    let found = org.blocking(move |org| org.forge.mirror_fetch(&rid, &from)).await?;
    let (rid, head) = (project.rid.clone(), found.head.clone());
    let _one_at_a_time = org.merging.turn(&project.name, Change::Take).await;
    Ok((org.blocking(move |org| org.forge.mirror_bring(&rid, &found)).await?, head))
}

/// Looks where the branch is at the mirror of a gated project, and refuses where commits are there that came through no gate.
async fn same(org: &Arc<Org>, project: &Project, remote: &str) -> Result<Option<Oid>, Problem> {
    let (project, remote) = (project.clone(), remote.to_owned());
    org.blocking(move |org| {
        gated::mirrors(org, &project)?;
        let found = org.forge.mirror_fetch(&project.rid, &remote)?;
        if found.has_news() {
            return Err(Problem::conflict(format!("The mirror of {} has commits that came through no gate.", project.name))
                .because("The project is gated: its default branch takes only what people approved.")
                .next("Open a patch with them, or take them off the mirror's branch."));
        }
        Ok(found.head)
    })
    .await
}

/// When a mirror is tried again.
#[derive(Clone, Copy, Debug)]
struct Turn {
    failures: u32,
    due: Instant,
}

/// Keeps every mirror up to date until the org closes: now and then, and at once after a merge.
pub(crate) async fn keep(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    let mut turns = BTreeMap::new();
    loop {
        let all = tokio::select! {
            () = org.mirrors.notified() => true,
            () = tokio::time::sleep(limits::MIRROR_EVERY) => false,
            _ = closing.wait_for(|c| *c) => return,
        };
        tokio::select! {
            () = round(&org, &mut turns, all) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

async fn round(org: &Arc<Org>, turns: &mut BTreeMap<ProjectName, Turn>, all: bool) {
    let projects = match org.blocking(|org| org.state()).await {
        Ok(state) => state.projects,
        Err(problem) => return tracing::error!(%problem, "the org repository cannot be read"),
    };
    let now = Instant::now();
    turns.retain(|name, _| projects.values().any(|p| p.name == *name && p.mirror.is_some()));
    // Of a gated project the gate alone keeps the mirror, of several the first.
    let ours = |p: &Project| p.mirror.is_some() && p.gate().is_none_or(|gate| *gate == org.device);
    let due = |p: &Project| ours(p) && (all || turns.get(&p.name).is_none_or(|turn| turn.due <= now));
    let due: Vec<Project> = projects.into_values().filter(due).collect();
    let outcomes = join_all(due.iter().map(|project| tried(org, project))).await;
    for (project, good) in due.into_iter().zip(outcomes) {
        let failures = if good { 0 } else { turns.get(&project.name).map_or(0, |t| t.failures).saturating_add(1) };
        // Looked at by period: what is due within half of one is due now.
        let due = Instant::now() + limits::MIRROR_PAUSES.after(failures) - limits::MIRROR_EVERY / 2;
        turns.insert(project.name, Turn { failures, due });
    }
}

/// Syncs one; a failure is told once, and again when it is another.
async fn tried(org: &Arc<Org>, project: &Project) -> bool {
    let Err(problem) = sync(org, project).await else { return true };
    let why = problem.to_string();
    let known = org.store.get::<MirrorState>(kind::MIRROR, project.name.as_str()).ok().flatten();
    if known.and_then(|k| k.problem).as_deref() != Some(&why) {
        tracing::warn!(project = %project.name, %problem, "the mirror was not brought up to date; it is tried again");
        let told = org.record(&org.device, vec![Body::MirrorFailed { project: project.name.clone(), why }]).await;
        if let Err(problem) = told {
            tracing::error!(%problem, "the failure could not be noted");
        }
    }
    false
}
