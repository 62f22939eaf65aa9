//! What a chain rests on, gathered from the repositories; nothing is believed yet.

use super::merged;
use crate::{limits, org::Org, picture, rights::Rights};
use domain::{
    Hash, Kind, Oid, OrgName, Problem, RevisionId, Timestamp,
    event::{Body, kind},
    patch::{Judged, Patch, Revision, Trace},
    project::Project,
    run::Run,
};
use forge::{CommitProof, PatchEntry, Voucher};
use identity::Envelope;
use policy::Resource;
use store::Seq;

/// Everything that the links are judged by.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    /// The org of this device.
    pub(super) org: OrgName,
    /// What the org repository says now, its policy too.
    pub(super) now: Rights,
    /// What it said when the run's key was delegated.
    pub(super) then: Option<Rights>,
    /// The project.
    pub(super) project: Project,
    /// What the patch, or this device's journal, says of the run.
    pub(super) claims: Option<Trace>,
    /// The patch and its revision, where the work was published.
    pub(super) published: Option<Published>,
    /// The spec, where it can be read.
    pub(super) spec: Option<Spec>,
    /// How it was merged, if it was.
    pub(super) merge: Option<Merge>,
    /// What this device's journal knows.
    pub(super) journal: Journal,
    /// Whether a journal of the org tells that the run made the revision; looked for only where that matters.
    pub(super) told: bool,
}

/// A published revision.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub(super) patch: Patch,
    pub(super) revision: Revision,
    /// The commit of the revision.
    pub(super) commit: CommitProof,
    /// Every entry of the patch.
    pub(super) entries: Vec<PatchEntry>,
}

impl Published {
    /// The patch, as policies see it.
    pub(super) fn about(&self) -> Resource {
        Resource::Patch(self.patch.id.to_string(), self.patch.project.to_string())
    }
}

/// The spec that the run says it worked from, and the one in force later.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// The hash of the spec at the commit that the run names.
    pub(super) hash: Hash,
    /// Whether that commit is in the default branch.
    pub(super) in_branch: bool,
    /// Whether the task was there.
    pub(super) task: bool,
    /// The spec on which the work was merged; on the default branch where it is not merged.
    pub(super) later: Option<(Oid, Hash)>,
}

/// A merge.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    /// The commit on the default branch.
    pub(super) commit: CommitProof,
    /// The entry of the patch that says so.
    pub(super) entry: PatchEntry,
    /// Whether the default branch has it.
    pub(super) in_branch: bool,
    /// Whether it is the work itself, or a merge of just this with the branch before.
    pub(super) brings: bool,
    /// Whether its content is what merging gives; none where it is the work itself.
    pub(super) same_tree: Option<bool>,
    /// Whose signed branches have it.
    pub(super) vouchers: Vec<Voucher>,
    /// How many it takes.
    pub(super) threshold: usize,
    /// How many approvals the project asked for.
    pub(super) approvals: u32,
    /// What is told of its checks, where it is not the work itself.
    pub(super) judged: Vec<Judged>,
    /// The gate that merged it, where the project was gated.
    pub(super) gate: Option<Gate>,
}

/// A gate that merged something.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// The file of the org repository that lists it.
    pub(super) file: String,
    /// At this commit.
    pub(super) commit: Oid,
    /// What members are said to have signed who asked for the merge.
    pub(super) wishes: Vec<Envelope>,
}

/// What the journal adds.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// The run.
    pub(super) run: Option<Run>,
    /// Number and type of events about it and its patch.
    pub(super) events: Vec<(u64, &'static str)>,
}

impl Evidence {
    /// Of a revision of a patch.
    pub(super) fn of_revision(org: &Org, project: Project, patch: Box<Patch>, revision: &RevisionId) -> Result<Self, Problem> {
        let revision = patch.revisions.iter().find(|r| r.id == *revision).cloned();
        let revision = revision.ok_or_else(|| Problem::not_found("The patch has no such revision."))?;
        let claims = forge::read_description(&revision.description).1;
        let entries = org.forge.patch_entries(&project.rid, &patch.id)?;
        let commit = org.forge.commit_proof(&project.rid, &revision.head)?;
        let run = claims.as_ref().map(|claims| org.store.get(kind::RUN, claims.run.as_str())).transpose()?.flatten();
        let merge = merged::read(org, &project, &patch, &revision, &entries)?;
        let mut evidence = Self::begin(org, project, claims, revision.at)?;
        let later = merge.as_ref().map(|merge| merge.commit.parents.first().cloned().unwrap_or_else(|| merge.commit.id.clone()));
        evidence.spec = spec_seen(org, &evidence, later.map_or_else(|| org.forge.head(&evidence.project.rid), Ok)?)?;
        evidence.journal.run = run;
        evidence.merge = merge;
        evidence.told = match &evidence.claims {
            Some(claims) if evidence.asks_journals(revision.at) => picture::tells(org, &claims.run, &revision)?,
            _ => false,
        };
        evidence.published = Some(Published { patch: *patch, revision, commit, entries });
        Ok(evidence)
    }

    /// Of a run that published nothing, as this device knows it.
    pub(super) fn of_run(org: &Org, project: Project, claims: Trace, run: &Run) -> Result<Self, Problem> {
        let mut evidence = Self::begin(org, project, Some(claims), run.started_at.unwrap_or(run.queued_at))?;
        evidence.spec = spec_seen(org, &evidence, org.forge.head(&evidence.project.rid)?)?;
        evidence.journal.run = Some(run.clone());
        Ok(evidence)
    }

    /// With the events of this device's journal, for which that is looked through from its beginning: they show where a link is known
    /// from as well, and decide nothing.
    pub(super) fn with_events(mut self, org: &Org) -> Result<Self, Problem> {
        self.journal.events = events(org, self.claims.as_ref(), self.published.as_ref().map(|published| &published.patch))?;
        Ok(self)
    }

    /// Whether it was merged, by more than the patch alone says.
    pub(super) fn is_merged(&self) -> bool {
        self.merge.as_ref().is_some_and(|merge| merge.in_branch && merge.entry.fits)
    }

    /// Whether it matters for a revision what journals tell: it is not merged, and a key ended after it was made.
    pub(super) fn asks_journals(&self, made: Timestamp) -> bool {
        !self.is_merged() && self.now.state.ended.iter().any(|gone| made <= gone.at)
    }

    fn begin(org: &Org, project: Project, claims: Option<Trace>, at: Timestamp) -> Result<Self, Problem> {
        let now = org.rights()?.as_ref().clone();
        Ok(Self {
            org: org.name.clone(),
            then: org.forge.org_state_then(&org.rid, at).and_then(|state| Rights::at(org, state, Some(&now.rules))).ok(),
            now,
            project,
            claims,
            published: None,
            spec: None,
            merge: None,
            journal: Journal::default(),
            told: false,
        })
    }
}

fn spec_seen(org: &Org, evidence: &Evidence, later: Oid) -> Result<Option<Spec>, Problem> {
    let (Some(claims), rid) = (&evidence.claims, &evidence.project.rid) else { return Ok(None) };
    if !org.forge.has_commit(rid, &claims.definitions)? {
        return Ok(None);
    }
    let files = |commit: &Oid| org.forge.files(rid, commit, &spec::roots().collect::<Vec<_>>());
    let (feature, then) = (&claims.task.feature, files(&claims.definitions)?);
    let task = spec::features(&then).iter().any(|f| f.id == *feature && f.tasks.iter().any(|t| t.id == claims.task.task));
    let hash = spec::spec_hash(&files(&later)?, feature);
    Ok(Some(Spec {
        hash: spec::spec_hash(&then, feature),
        in_branch: org.forge.contains(rid, &org.forge.head(rid)?, &claims.definitions)?,
        task,
        later: Some((later, hash)),
    }))
}

/// Number and type of the events about a run and its patch.
fn events(org: &Org, claims: Option<&Trace>, patch: Option<&Patch>) -> Result<Vec<(u64, &'static str)>, Problem> {
    let (mut found, mut after) = (Vec::new(), Seq(0));
    for _ in 0..limits::TRACED_PAGES_MAX {
        let page = org.store.events(after, limits::PAGE_MAX)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.seq;
        let name = |body: &Body| match body {
            Body::PatchReviewed { patch: of, .. } if Some(of) == patch.map(|p| &p.id) => Some("patch_reviewed"),
            Body::PatchMerged { patch: of, .. } if Some(of) == patch.map(|p| &p.id) => Some("patch_merged"),
            body if body.run().is_none() || body.run() != claims.map(|claims| &claims.run) => None,
            Body::RunPlaced { .. } => Some("run_placed"),
            Body::RunLeased { asked: Some(_), .. } => Some("run_leased"),
            Body::RunDelegated { .. } => Some("run_delegated"),
            Body::ChecksEnded { .. } => Some("checks_ended"),
            Body::PatchPublished { .. } => Some("patch_published"),
            _ => None,
        };
        found.extend(page.iter().filter_map(|recorded| name(&recorded.event.body).map(|name| (recorded.seq.0, name))));
    }
    Err(Problem::new(Kind::Limit, "The journal is too long to be searched for this."))
}
