//! Patches as Radicle has them, for reading. What was read is kept until one of its refs moves.

use crate::{
    Forge,
    convert::{self, Told},
    line::REJOINED,
    queue::lock,
    signing::{object, whole},
    trace::read_description,
};
use domain::patch::{Comment, LineRef, Patch, PatchState, Review, Revision, Side, Verdict};
use domain::{Did, PatchId, Problem, ProjectName, Rid, Timestamp};
use radicle::cob::store::access::ReadOnly;
use radicle::cob::{CodeLocation, CodeRange, ObjectId, patch as rad, thread};
use radicle::storage::{ReadRepository, git::Repository};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What was read, by repository and patch, with what it was read from.
#[derive(Default)]
pub(crate) struct Seen(HashMap<(Rid, ObjectId), (Fingerprint, Arc<Patch>)>);

/// Everything that a patch's state depends on: its own refs, the identity, and the delegates' default branches (a merge
/// counts only while its commit is in them).
#[derive(Clone, PartialEq, Eq)]
struct Fingerprint {
    tips: Vec<git2::Oid>,
    world: Arc<Vec<git2::Oid>>,
}

impl Forge {
    /// All patches of a project, oldest first. A patch that cannot be read is left out, and the log says so.
    pub fn patches(&self, rid: &Rid, project: &ProjectName) -> Result<Vec<Patch>, Problem> {
        let repo = self.repository(rid)?;
        let world = world(&repo)?;
        let tips = tips(&repo, None)?;
        lock(&self.seen).0.retain(|(of, id), _| of != rid || tips.contains_key(id));
        let mut found = Vec::new();
        for (id, tips) in tips {
            match self.cached(rid, project, &repo, id, Fingerprint { tips, world: world.clone() }) {
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
        let tips = tips(&repo, Some(&id))?.remove(&id).ok_or_else(|| missing(patch))?;
        let fingerprint = Fingerprint { tips, world: world(&repo)? };
        self.cached(rid, project, &repo, id, fingerprint)?.ok_or_else(|| missing(patch))
    }

    /// The open patches and drafts in which the newest that a key of this device said does not count: Radicle leaves it out, where it
    /// followed what gave way when two lines of a key were joined. None where none were; what cannot be read is not among them.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn left_out(&self, rid: &Rid) -> Result<Vec<PatchId>, Problem> {
        let (repo, what) = (self.repository(rid)?, "Joined lines cannot be listed.");
        if repo.backend.references_glob(&format!("refs/namespaces/*/{REJOINED}*")).told(what)?.next().is_none() {
            return Ok(vec![]);
        }
        // Whichever project they are of: only their ids are told.
        let mut found = self.patches(rid, &"any".parse()?)?;
        found.retain(|patch| matches!(patch.state, PatchState::Open | PatchState::Draft) && self.is_left_out(&repo, &patch.id));
        Ok(found.into_iter().map(|patch| patch.id).collect())
    }

    /// Only own refs are looked at: what the refs of others have of a key proves nothing.
    fn is_left_out(&self, repo: &Repository, patch: &PatchId) -> bool {
        let name = object(&*rad::TYPENAME, patch);
        let tip = |key| repo.backend.refname_to_id(&whole(key, &name)).ok();
        [self.member_key(), self.device_key()].into_iter().filter_map(tip).any(|tip| leaves_out(repo, &name, tip))
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
                let Some(read) = read(repo, &id)? else { return Ok(None) };
                let patch = Arc::new(translate(&id, &read, project)?);
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
    let what = "The patch cannot be read.";
    rad::Patches::open(repo, ReadOnly).told(what)?.get(id).told(what)
}

/// The refs of all patches, or of one, over all keys.
pub(crate) fn tips(repo: &Repository, only: Option<&ObjectId>) -> Result<BTreeMap<ObjectId, Vec<git2::Oid>>, Problem> {
    let what = "The patches cannot be listed.";
    let last = only.map_or_else(|| "*".to_owned(), ToString::to_string);
    let pattern = format!("refs/namespaces/*/refs/cobs/{}/{last}", *rad::TYPENAME);
    let mut found: BTreeMap<ObjectId, Vec<git2::Oid>> = BTreeMap::new();
    for reference in repo.backend.references_glob(&pattern).told(what)? {
        let reference = reference.told(what)?;
        let id = reference.name().ok().and_then(|name| name.rsplit('/').next()).and_then(|id| id.parse().ok());
        if let (Some(id), Some(tip)) = (id, reference.target()) {
            found.entry(id).or_default().push(tip);
        }
    }
    found.values_mut().for_each(|tips| tips.sort_unstable());
    Ok(found)
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
    let read = radicle::cob::get::<rad::Patch, _>(repo, &rad::TYPENAME, &convert::object_id(patch).ok()?).ok()??;
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// As Radicle has it: when it was made stays, and each change adds when that was.
    #[test]
    fn a_review_is_dated_by_its_last_change() {
        let key = "z6MkwPUeUS2fJMfc2HZN1RQTQcTTuhw4HhPySB8JeUg2mVvx";
        let edit = |at: u64, body: &str| json!({ "author": key, "timestamp": at, "body": body, "embeds": [] });
        let told = |edits: Vec<serde_json::Value>| {
            let read: rad::Review = serde_json::from_value(json!({
                "id": "89d45fb371eb2622ba88188d474347cc526d80bb",
                "author": { "id": format!("did:key:{key}") },
                "verdict": "accept",
                "summary": edits,
                "comments": { "comments": {}, "timeline": [] },
                "labels": [],
                "timestamp": 1_710_947_885_000_u64,
            }))
            .unwrap();
            review(format!("did:key:{key}").parse().unwrap(), &read).unwrap()
        };
        let first = edit(1_710_947_885_000, "Not yet.");
        assert_eq!(told(vec![first.clone()]).at, Timestamp(1_710_947_885_000));
        let changed = told(vec![first, edit(1_710_947_999_000, "Fine now.")]);
        assert_eq!((changed.at, changed.summary.as_str()), (Timestamp(1_710_947_999_000), "Fine now."));
    }
}
