//! What a person means: ids of patches, revisions, commits and runs look alike, and the beginning of one will do.

use crate::{limits, org::Org, tasks};
use domain::{
    Kind, Oid, PatchId, Problem, ProjectName, RevisionId,
    event::kind,
    manifest::Class,
    patch::{Patch, PatchState},
    project::Project,
    run::Run,
};
use store::Order;

/// The shortest part of an id that is looked for.
const PART_MIN: usize = 4;

/// What was found.
pub(super) enum Found {
    /// A revision of a patch.
    Revision { project: Project, patch: Box<Patch>, revision: RevisionId },
    /// A run without a patch.
    Run { project: Project, run: Box<Run> },
    /// A commit that no patch brought.
    Commit { project: Project, commit: Oid },
    /// A patch that Radicle cannot read.
    Unreadable { project: Project, patch: PatchId },
}

pub(super) fn find(org: &Org, project: Option<&ProjectName>, what: &str) -> Result<Found, Problem> {
    let projects = tasks::to_search(org, project)?;
    let part = what.trim();
    if part.len() < PART_MIN || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Problem::invalid(format!("“{}” is no id.", domain::shown(what)))
            .next(format!("Give a patch, a commit or a run by at least {PART_MIN} letters of its id.")));
    }
    let mut found = runs(org, &projects, part)?;
    for project in &projects {
        found.extend(in_project(org, project, &part.to_ascii_lowercase())?);
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let none = Problem::not_found(format!("There is no patch, commit or run “{}”.", domain::shown(what)))
                .next("meshwork patch list and meshwork run list show what there is.");
            Err(Problem { why: tasks::not_searched(org, project)?, ..none })
        }
        _ => Err(Problem::new(Kind::Invalid, format!("“{}” fits several things.", domain::shown(what)))
            .because(format!("They are: {}.", found.iter().map(Found::text).collect::<Vec<_>>().join(", ")))
            .next("Give more of the id, or say which project with --project.")),
    }
}

impl Found {
    fn text(&self) -> String {
        match self {
            Self::Revision { patch, revision, .. } => format!("patch {} (revision {revision})", patch.id),
            Self::Run { run, .. } => format!("run {}", run.id),
            Self::Commit { commit, .. } => format!("commit {commit}"),
            Self::Unreadable { patch, .. } => format!("patch {patch}"),
        }
    }
}

/// Runs of this device's journal; and runs of other devices, by the patches that tell of them.
fn runs(org: &Org, projects: &[Project], part: &str) -> Result<Vec<Found>, Problem> {
    let part = part.to_ascii_uppercase();
    let fits = |id: &str| id.starts_with(&part) || id.ends_with(&part);
    let runs: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    let mut found = Vec::new();
    let known: Vec<&Run> = runs.iter().filter(|run| fits(run.id.as_str())).collect();
    for run in &known {
        // Checks are traced by the work that they judge.
        let judged = run.subject.as_ref().filter(|_| run.class == Class::Ci).and_then(|id| runs.iter().find(|run| run.id == *id));
        let run = judged.unwrap_or(run);
        let Some(project) = projects.iter().find(|project| project.name == run.project) else { continue };
        found.push(of_run(org, project, run)?);
    }
    if known.is_empty() {
        for project in projects {
            for patch in org.forge.patches(&project.rid, &project.name)? {
                let told = |description: &str| forge::read_description(description).1.is_some_and(|trace| fits(trace.run.as_str()));
                let made = patch.revisions.iter().find(|revision| told(&revision.description)).map(|revision| revision.id.clone());
                found.extend(made.map(|revision| Found::Revision { project: project.clone(), patch: Box::new(patch), revision }));
            }
        }
    }
    Ok(found)
}

fn of_run(org: &Org, project: &Project, run: &Run) -> Result<Found, Problem> {
    let project = project.clone();
    if let (Some(patch), Some(revision)) = (&run.patch, &run.revision) {
        let patch = Box::new(org.forge.patch(&project.rid, &project.name, patch)?);
        return Ok(Found::Revision { project, patch, revision: revision.clone() });
    }
    match (&run.base, run.class) {
        (Some(commit), Class::Ci) => of_commit(org, &project, commit),
        _ => Ok(Found::Run { project, run: Box::new(run.clone()) }),
    }
}

fn in_project(org: &Org, project: &Project, part: &str) -> Result<Option<Found>, Problem> {
    let patches = org.forge.patches(&project.rid, &project.name)?;
    let begins = |id: &str| id.starts_with(part);
    for patch in &patches {
        // A patch's first revision has its id: the patch is meant, as it is now.
        let revision = patch.revisions.iter().rev().find(|r| begins(r.id.as_str()) && r.id.as_str() != patch.id.as_str());
        let meant = if begins(patch.id.as_str()) { current(patch) } else { revision.map(|r| r.id.clone()) };
        if let Some(revision) = meant {
            several(patches.iter().filter(|p| begins(p.id.as_str())).count(), part)?;
            return Ok(Some(Found::Revision { project: project.clone(), patch: Box::new(patch.clone()), revision }));
        }
    }
    if let Some(patch) = org.forge.patch_ids(&project.rid)?.into_iter().find(|id| begins(id.as_str())) {
        return Ok(Some(Found::Unreadable { project: project.clone(), patch }));
    }
    org.forge.find_commit(&project.rid, part)?.map(|commit| of_commit(org, project, &commit)).transpose()
}

fn several(count: usize, part: &str) -> Result<(), Problem> {
    if count < 2 {
        return Ok(());
    }
    Err(Problem::invalid(format!("{count} patches begin with “{part}”.")).next("Give more of the id: meshwork patch list."))
}

/// The revision that was merged, or the last.
fn current(patch: &Patch) -> Option<RevisionId> {
    let merged = patch.revisions.iter().find(|r| patch.state == PatchState::Merged && r.head == patch.head);
    merged.or(patch.revisions.last()).map(|r| r.id.clone())
}

/// The patch that brought a commit: as its head, as its merge, or on the way to its head.
fn of_commit(org: &Org, project: &Project, commit: &Oid) -> Result<Found, Problem> {
    let proof = org.forge.commit_proof(&project.rid, commit)?;
    let patches = org.forge.patches(&project.rid, &project.name)?;
    let heads = |wanted: &Oid| {
        let fitting = patches.iter().flat_map(|p| p.revisions.iter().map(move |r| (p, r))).filter(|(_, r)| r.head == *wanted);
        fitting.max_by_key(|(p, _)| p.state == PatchState::Merged).map(|(p, r)| (p, r.id.clone()))
    };
    let merged = || patches.iter().find(|p| p.merged_as.as_ref() == Some(commit)).and_then(|p| Some((p, current(p)?)));
    // A merge that Radicle does not count, because something in the patch was changed, still has the work as its parent.
    let brought = || proof.parents.get(1).and_then(heads);
    let mut made = heads(commit).or_else(merged).or_else(brought);
    for (patch, revision) in patches.iter().flat_map(|p| p.revisions.iter().map(move |r| (p, r))) {
        if made.is_none()
            && org.forge.contains(&project.rid, &revision.head, commit)?
            && !org.forge.contains(&project.rid, &revision.base, commit)?
        {
            made = Some((patch, revision.id.clone()));
        }
    }
    let project = project.clone();
    Ok(match made {
        Some((patch, revision)) => Found::Revision { project, patch: Box::new(patch.clone()), revision },
        None => Found::Commit { project, commit: commit.clone() },
    })
}
