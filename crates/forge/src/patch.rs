//! Patches as Radicle has them, for reading. What was read is kept until one of its refs moves.

use crate::{
    Forge,
    convert::{self, Told},
    queue::lock,
    trace::read_description,
};
use domain::patch::{Comment, LineRef, Patch, PatchState, Review, Revision, Side, Verdict};
use domain::{Did, PatchId, Problem, ProjectName, Rid, Timestamp};
use radicle::cob::{CodeLocation, CodeRange, CollaborativeObject, ObjectId, patch as rad, thread};
use radicle::storage::{ReadRepository, git::Repository};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What was read, by repository and patch, with what it was read from.
#[derive(Default)]
pub(crate) struct Seen(HashMap<(Rid, ObjectId), (Fingerprint, Arc<Patch>)>);

/// Everything that a patch's state depends on: its own refs with the keys whose they are, the identity, and the delegates' default branches
/// (a merge counts only while its commit is in them).
#[derive(Clone, PartialEq, Eq)]
struct Fingerprint {
    parts: Parts,
    world: Arc<Vec<git2::Oid>>,
}

/// The refs of a patch: the newest entry of each key, by the name of its namespace.
type Parts = BTreeMap<String, git2::Oid>;

impl Forge {
    /// All patches of a project, oldest first. A patch that cannot be read is left out, and the log says so.
    pub fn patches(&self, rid: &Rid, project: &ProjectName) -> Result<Vec<Patch>, Problem> {
        let repo = self.repository(rid)?;
        let world = world(&repo)?;
        let all = parts(&repo, None)?;
        lock(&self.seen).0.retain(|(of, id), _| of != rid || all.contains_key(id));
        let mut found = Vec::new();
        for (id, parts) in all {
            match self.cached(rid, project, &repo, id, Fingerprint { parts, world: world.clone() }) {
                Ok(Some(patch)) => found.push(patch),
                Ok(None) => {}
                Err(problem) => tracing::warn!(%rid, patch = %id, %problem, "a patch cannot be read"),
            }
        }
        found.sort_by_key(|patch| (patch.revisions.first().map(|r| r.at), patch.id.clone()));
        Ok(found)
    }

    /// One patch.
    pub fn patch(&self, rid: &Rid, project: &ProjectName, patch: &PatchId) -> Result<Patch, Problem> {
        let repo = self.repository(rid)?;
        let id = convert::object_id(patch)?;
        let parts = parts(&repo, Some(&id))?.remove(&id).ok_or_else(|| missing(patch))?;
        let fingerprint = Fingerprint { parts, world: world(&repo)? };
        self.cached(rid, project, &repo, id, fingerprint)?.ok_or_else(|| missing(patch))
    }

    /// The open patches and drafts in which the newest that a key of this device said does not count: Radicle leaves it out, where it
    /// followed what gave way when two lines of a key were joined. None where none were; what cannot be read is not among them.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn left_out(&self, rid: &Rid) -> Result<Vec<PatchId>, Problem> {
        let own = [self.member(), self.device()];
        // Whichever project they are of: only their ids are told.
        let mut found = self.patches(rid, &"any".parse()?)?;
        found.retain(|patch| {
            matches!(patch.state, PatchState::Open | PatchState::Draft) && patch.left_out.iter().any(|key| own.contains(key))
        });
        Ok(found.into_iter().map(|patch| patch.id).collect())
    }

    fn cached(
        &self,
        rid: &Rid,
        project: &ProjectName,
        repo: &Repository,
        id: ObjectId,
        now: Fingerprint,
    ) -> Result<Option<Patch>, Problem> {
        let key = (rid.clone(), id);
        let known = lock(&self.seen).0.get(&key).filter(|(then, _)| *then == now).map(|(_, patch)| patch.clone());
        let patch = match known {
            Some(patch) => patch,
            None => {
                let Some(read) = evaluated(repo, &id)? else { return Ok(None) };
                let left_out = left_out(repo, &read, &now.parts);
                let patch = Arc::new(Patch { left_out, ..translate(&id, &read.object, project)? });
                lock(&self.seen).0.insert(key, (now, patch.clone()));
                patch
            }
        };
        let mut patch = Patch::clone(&patch);
        patch.project = project.clone();
        Ok(Some(patch))
    }
}

pub(crate) fn missing(patch: &PatchId) -> Problem {
    Problem::not_found(format!("There is no patch {patch}."))
        .next("`meshwork patch list` shows what there is; it may not have come from its device yet.")
}

/// A patch as Radicle evaluates it now.
pub(crate) fn read(repo: &Repository, id: &ObjectId) -> Result<Option<rad::Patch>, Problem> {
    Ok(evaluated(repo, id)?.map(|read| read.object))
}

/// A patch as Radicle evaluates it now, with the entries that it takes.
pub(crate) fn evaluated(repo: &Repository, id: &ObjectId) -> Result<Option<CollaborativeObject<rad::Patch>>, Problem> {
    radicle::cob::get::<rad::Patch, _>(repo, &rad::TYPENAME, id).told("The patch cannot be read.")
}

/// The refs of all patches, or of one, over all keys.
pub(crate) fn tips(repo: &Repository, only: Option<&ObjectId>) -> Result<BTreeMap<ObjectId, Vec<git2::Oid>>, Problem> {
    Ok(parts(repo, only)?.into_iter().map(|(id, parts)| (id, parts.into_values().collect())).collect())
}

/// The same with the keys whose they are.
fn parts(repo: &Repository, only: Option<&ObjectId>) -> Result<BTreeMap<ObjectId, Parts>, Problem> {
    let what = "The patches cannot be listed.";
    let last = only.map_or_else(|| "*".to_owned(), ToString::to_string);
    let pattern = format!("refs/namespaces/*/refs/cobs/{}/{last}", *rad::TYPENAME);
    let mut found: BTreeMap<ObjectId, Parts> = BTreeMap::new();
    for reference in repo.backend.references_glob(&pattern).told(what)? {
        let reference = reference.told(what)?;
        let name = reference.name().ok().and_then(|name| name.strip_prefix("refs/namespaces/"));
        let part = name.and_then(|name| Some((name.split('/').next()?, name.rsplit('/').next()?.parse().ok()?)));
        if let (Some((key, id)), Some(tip)) = (part, reference.target()) {
            found.entry(id).or_default().insert(key.to_owned(), tip);
        }
    }
    Ok(found)
}

/// The keys whose newest entry Radicle leaves out of a patch, and which knew its latest revision: a verdict on an earlier one does not
/// count any more either way. Where a key's ref stands only the key itself can have signed.
fn left_out(repo: &Repository, read: &CollaborativeObject<rad::Patch>, parts: &Parts) -> Vec<Did> {
    let Some((latest, _)) = read.object.revisions().next_back() else { return vec![] };
    let latest = git2::Oid::from(latest.into_inner());
    let counts = |tip: git2::Oid| read.history.graph().contains(&radicle::git::Oid::from(tip));
    // What cannot be followed back may be about it.
    let knew = |tip: git2::Oid| repo.backend.graph_descendant_of(tip, latest).unwrap_or(true);
    let left = parts.iter().filter(|(_, tip)| !counts(**tip) && knew(**tip));
    left.filter_map(|(key, _)| format!("did:key:{key}").parse().ok()).collect()
}

fn world(repo: &Repository) -> Result<Arc<Vec<git2::Oid>>, Problem> {
    let doc = repo.identity_doc().told("The repository's identity cannot be read.")?;
    let branch = doc.default_branch().told("The repository's identity cannot be read.")?;
    let heads = doc.delegates().iter().map(|delegate| repo.reference_oid(delegate, &branch).map_or(git2::Oid::ZERO_SHA1, Into::into));
    Ok(Arc::new(std::iter::once(git2::Oid::from(doc.commit)).chain(heads).collect()))
}

fn translate(id: &ObjectId, patch: &rad::Patch, project: &ProjectName) -> Result<Patch, Problem> {
    let revisions = patch.revisions().map(|(id, revision)| self::revision(id, revision)).collect::<Result<Vec<_>, _>>()?;
    let (merged_as, merged_revision, merged_by) = match patch.state() {
        rad::State::Merged { revision, commit } => {
            let by = patch.merges().find(|(_, merge)| merge.commit == *commit).map(|(key, _)| convert::did(key));
            (Some(convert::oid(commit)?), Some(convert::revision_id(revision)?), by)
        }
        _ => (None, None, None),
    };
    // A run that continues another's patch has a key of its own, so the last revision of all counts, not the author's.
    let shown = revisions.iter().find(|r| merged_revision.as_ref() == Some(&r.id)).or(revisions.last());
    let shown = shown.ok_or_else(|| Problem::internal("a patch without revisions"))?;
    let (description, trace) = read_description(&shown.description);
    Ok(Patch {
        id: convert::patch_id(id)?,
        project: project.clone(),
        title: patch.title().to_owned(),
        description,
        state: state(patch.state()),
        author: convert::did(patch.author().public_key()),
        head: shown.head.clone(),
        base: shown.base.clone(),
        merged_as,
        merged_by,
        left_out: vec![],
        trace,
        revisions,
    })
}

/// The patch that a key's ref is of.
pub(crate) fn patch_of(name: &str) -> Option<PatchId> {
    name.strip_prefix(&format!("refs/cobs/{}/", *rad::TYPENAME))?.parse().ok()
}

/// Whether Radicle takes all of these entries into a patch: it leaves out in silence what cannot follow what it took before, and all that
/// follows that. None: the patch cannot be read.
pub(crate) fn takes_all(repo: &Repository, patch: &PatchId, entries: &[radicle::git::Oid]) -> Option<bool> {
    let read = evaluated(repo, &convert::object_id(patch).ok()?).ok()??;
    Some(entries.iter().all(|entry| read.history.graph().contains(entry)))
}

/// Whether Radicle leaves an entry out of a patch, of which a ref with this name has it. Of what cannot be read that is not said.
pub(crate) fn leaves_out(repo: &Repository, name: &str, entry: git2::Oid) -> bool {
    patch_of(name).and_then(|patch| takes_all(repo, &patch, &[radicle::git::Oid::from(entry)])) == Some(false)
}

fn state(state: &rad::State) -> PatchState {
    match state {
        rad::State::Draft => PatchState::Draft,
        rad::State::Open { .. } => PatchState::Open,
        rad::State::Archived => PatchState::Archived,
        rad::State::Merged { .. } => PatchState::Merged,
    }
}

fn revision(id: rad::RevisionId, revision: &rad::Revision) -> Result<Revision, Problem> {
    Ok(Revision {
        id: convert::revision_id(id)?,
        author: convert::did(revision.author().public_key()),
        head: convert::oid(revision.head())?,
        base: convert::oid(revision.base())?,
        at: timestamp(revision.timestamp()),
        description: revision.description().to_owned(),
        reviews: revision.reviews().map(|(by, review)| self::review(convert::did(by), review)).collect::<Result<_, _>>()?,
        comments: revision.discussion().comments().map(comment).collect::<Result<_, _>>()?,
    })
}

fn review(by: Did, review: &rad::Review) -> Result<Review, Problem> {
    let verdict = match review.verdict() {
        Some(rad::Verdict::Accept) => Some(Verdict::Accept),
        Some(rad::Verdict::Reject) => Some(Verdict::Reject),
        None if review.summary().is_empty() => None,
        None => Some(Verdict::Comment),
    };
    let comments = review.comments().map(comment).collect::<Result<_, _>>()?;
    // Who reviews again changes the review. Of a change by an old `rad` that left the words as they were no time is known.
    let at = review.edits().last().map_or_else(|| review.timestamp(), |edit| edit.timestamp);
    Ok(Review { by, verdict, summary: review.summary().to_owned(), at: timestamp(at), comments })
}

fn comment((id, comment): (&thread::CommentId, &thread::Comment<CodeLocation>)) -> Result<Comment, Problem> {
    Ok(Comment {
        id: convert::oid(id)?,
        reply_to: comment.reply_to().map(convert::oid).transpose()?,
        by: convert::did(comment.author()),
        body: comment.body().to_owned(),
        at: timestamp(comment.timestamp()),
        line: comment.location().and_then(line_ref),
    })
}

fn timestamp(at: radicle::cob::Timestamp) -> Timestamp {
    Timestamp(i64::try_from(at.as_secs()).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
}

/// Radicle counts lines from 1, as hunk headers do; a range ends before its end.
fn line_ref(location: &CodeLocation) -> Option<LineRef> {
    let (range, side) = match (&location.new, &location.old) {
        (Some(range), _) => (range, Side::New),
        (None, Some(range)) => (range, Side::Old),
        (None, None) => return None,
    };
    let line = match range {
        CodeRange::Lines { range } => range.end.saturating_sub(1).max(range.start),
        CodeRange::Chars { line, .. } => *line,
    };
    Some(LineRef { path: location.path.to_string_lossy().into_owned(), line: u32::try_from(line).ok()?, side })
}

/// The place of a line as Radicle writes it.
pub(crate) fn location(commit: radicle::git::Oid, line: &LineRef) -> CodeLocation {
    let at = line.line as usize;
    let range = Some(CodeRange::Lines { range: at..at.saturating_add(1) });
    let (old, new) = match line.side {
        Side::Old => (range, None),
        Side::New => (None, range),
    };
    CodeLocation { commit, path: line.path.clone().into(), old, new }
}

#[cfg(test)]
mod tests;
