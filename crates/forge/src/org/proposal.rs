//! Changes of the org: in force at once where one owner suffices, else a proposal, which is a Radicle patch of the org repository
//! that owners approve by signed reviews. Which of the approved ones comes into force is for `settle`.

use super::{
    BRANCH, files,
    head::{agreed, tip},
    kept,
};
use crate::{
    Forge,
    convert::{self, Told},
    limits,
    patch::missing,
    publish::title,
    repository::contains,
    signing::{Refs, object, sign, written},
};
use domain::{Did, Kind, Oid, PatchId, Problem, RevisionId, Rid, Timestamp, patch};
use radicle::cob::{ObjectId, patch as rad};
use radicle::git::refs;
use radicle::storage::{ReadRepository, git::Repository};
use std::collections::BTreeSet;

/// The name under which the org repository's patches are read.
pub(super) const NAME: &str = "org";

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is in force, as this commit.
    InForce(Oid),
    /// It waits for owners.
    Proposed(PatchId),
}

/// What became of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approved {
    /// The proposal is in force, as of this commit.
    InForce(Oid),
    /// It waits for the devices of these keys, as [`Proposal::unsigned`]; with none, for other owners.
    Waits(Vec<Did>),
}

/// A change that waits for owners.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The patch.
    pub id: PatchId,
    /// What it does, in words of who proposed it.
    pub title: String,
    /// Its last revision, which is what an approval is for. The first has the patch's id.
    pub revision: RevisionId,
    /// Who made that revision.
    pub author: Did,
    /// When it was last changed.
    pub at: Timestamp,
    /// The files that it changes.
    pub files: Vec<String>,
    /// The owners' keys that approved it as it is now.
    pub approved: Vec<Did>,
    /// How many approvals bring it into force.
    pub needed: usize,
    /// Where enough owners approved it, and it waits for devices alone: the keys of those owners whose devices have not signed it yet.
    pub unsigned: Vec<Did>,
    /// How it stands.
    pub standing: Standing,
}

/// How a proposal stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It comes into force with enough approvals.
    Waits,
    /// The org has changed since: approving it makes it anew on top, and then counts.
    Behind,
    /// It contradicts what is in force by now, in these files.
    Conflicts(Vec<String>),
    /// The org would not be whole with it.
    Invalid(Problem),
}

impl Forge {
    /// Changes files of the org repository; a value of none removes the file. In force at once where this member's signature
    /// suffices, else proposed. The org must be whole with it. What is not known here of a member, a device or a revoked key stays.
    pub fn change_or_propose(&self, rid: &Rid, message: &str, changes: &[(String, Option<Vec<u8>>)]) -> Result<Changed, Problem> {
        self.as_member(rid, |repo| {
            self.settle_in_turn(repo, rid)?;
            let head = agreed(repo)?;
            let at = convert::oid(head)?;
            let mut files = self.files(rid, &at, &[""])?;
            let changes = kept::with_unknown(&files, changes);
            for (path, content) in &changes {
                match content {
                    Some(content) => files.insert(path.clone(), content.clone()),
                    None => files.remove(path),
                };
            }
            self.org_whole(rid, head, &files, at.clone()).map_err(|problem| self.unfit(rid, &at, problem))?;
            let commit = self.member_commit(repo, head, message, &changes)?;
            if commit == head {
                return Ok(Changed::InForce(at));
            }
            let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
            // Radicle's own threshold follows what the org says a moment later, once others have signed.
            let alone = doc.threshold() == 1 && self.org_state(rid)?.org.threshold <= 1;
            if alone && doc.is_delegate(&self.member_key().into()) {
                self.vote(repo, commit)?;
                return convert::oid(commit).map(Changed::InForce);
            }
            self.propose(repo, message, head, commit).map(Changed::Proposed)
        })
    }

    /// As [`Forge::change_or_propose`], for changes that are of no use until they are in force: one that waits for owners is told
    /// as a problem, with its proposal.
    pub fn change_org(&self, rid: &Rid, message: &str, changes: &[(String, Option<Vec<u8>>)]) -> Result<Oid, Problem> {
        match self.change_or_propose(rid, message, changes)? {
            Changed::InForce(commit) => Ok(commit),
            Changed::Proposed(id) => {
                Err(Problem::conflict(format!("The change waits for the org's owners, as the proposal {}.", short(&id)))
                    .because("This member's signature alone does not bring it into force.")
                    .next(format!("It counts once enough owners approve it: meshwork org approve {}.", short(&id))))
            }
        }
    }

    /// Opens a patch of the org repository. To be called in the member's turn.
    pub(super) fn propose(&self, repo: &Repository, message: &str, base: git2::Oid, commit: git2::Oid) -> Result<PatchId, Problem> {
        let mut patches = self.home.patches_mut(repo, &self.member).told("The proposals cannot be opened.")?;
        let id = written(repo, &self.member, || {
            let made = patches.create(title(message)?, "", rad::MergeTarget::default(), base, commit, &[]);
            let id = made.told("The proposal could not be opened.")?.id;
            Ok((id, Some(object(&*rad::TYPENAME, id))))
        })?;
        self.carry(repo, &id, commit)?;
        convert::patch_id(id)
    }

    /// Lets others fetch a revision's commit, and signs. To be called in the member's turn.
    fn carry(&self, repo: &Repository, id: &ObjectId, commit: git2::Oid) -> Result<(), Problem> {
        sign(repo, &self.member, Refs::from([(refs::patch(id).to_string(), commit)]))
    }

    /// The proposals that are open, oldest first.
    pub fn proposals(&self, rid: &Rid) -> Result<Vec<Proposal>, Problem> {
        let repo = self.repository(rid)?;
        let head = agreed(&repo)?;
        let open = self.patches(rid, &NAME.parse()?)?.into_iter().filter(|p| p.state == patch::PatchState::Open);
        open.take(limits::PROPOSALS_MAX).filter_map(|p| self.proposal(rid, &repo, head, &p).transpose()).collect()
    }

    /// None where everything that it brings is in force.
    fn proposal(&self, rid: &Rid, repo: &Repository, head: git2::Oid, patch: &patch::Patch) -> Result<Option<Proposal>, Problem> {
        let Some(last) = patch.revisions.last() else { return Ok(None) };
        let commit = convert::git_oid(last.head.as_str())?;
        if contains(&repo.backend, head, commit) {
            return Ok(None);
        }
        let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
        let standing = if contains(&repo.backend, commit, head) {
            self.org_whole_at(rid, head, last.head.clone()).map_or_else(Standing::Invalid, |_| Standing::Waits)
        } else {
            match self.combine(repo, BRANCH, head, commit, "look", &|_, _, _, _| None)? {
                Ok(merged) => self.org_whole_at(rid, head, convert::oid(merged)?).map_or_else(Standing::Invalid, |_| Standing::Behind),
                Err(paths) => Standing::Conflicts(paths),
            }
        };
        let changed = self.changed_files(rid, &last.base, &last.head).unwrap_or_default();
        let (approved, needed) = (approvals(&doc, last), doc.threshold());
        // Where one is enough, who made it counts, and has still to approve it in so many words.
        let enough = needed > 1 && approved.len() >= needed && standing == Standing::Waits;
        Ok(Some(Proposal {
            id: patch.id.clone(),
            title: patch.title.clone(),
            revision: last.id.clone(),
            author: last.author.clone(),
            at: last.at,
            files: changed.into_iter().map(|file| file.path).collect(),
            unsigned: approved.iter().filter(|did| enough && !has_signed(repo, did, commit)).cloned().collect(),
            approved,
            needed,
            standing,
        }))
    }

    /// Approves a proposal as this owner, if `seen` is its last revision: anybody may add one. What is behind the org is made anew on
    /// top first, and needs everybody's approval anew.
    pub fn approve(&self, rid: &Rid, id: &PatchId, seen: &RevisionId) -> Result<Approved, Problem> {
        self.as_member(rid, |repo| {
            self.check_owner(repo)?;
            self.settle_in_turn(repo, rid)?;
            let head = agreed(repo)?;
            let object = convert::object_id(id)?;
            let found = crate::patch::read(repo, &object)?.ok_or_else(|| missing(id))?;
            if !found.is_open() {
                return Err(self.not_open(rid, id, &found));
            }
            let (revision, last) = found.revisions().next_back().ok_or_else(|| missing(id))?;
            if convert::revision_id(revision)? != *seen {
                return Err(changed(id));
            }
            let theirs: git2::Oid = last.head().into();
            let commit = self.on_top(rid, repo, head, theirs, found.title())?;
            let revision = if commit == theirs { revision } else { self.made_anew(repo, id, head, commit)? };
            self.change_patch(repo, &self.member, id, |own| {
                let what = "The approval could not be written.";
                match own.revision(&revision).and_then(|r| r.review_by(self.member_key())).map(|r| (r.id(), r.verdict())) {
                    Some((_, Some(rad::Verdict::Accept))) => {}
                    Some((review, _)) => drop(own.review_edit(review, Some(rad::Verdict::Accept), String::new(), vec![], []).told(what)?),
                    None => drop(own.review(revision, Some(rad::Verdict::Accept), None, vec![]).told(what)?),
                }
                Ok(())
            })?;
            self.settle_in_turn(repo, rid)?;
            let now = agreed(repo)?;
            if contains(&repo.backend, now, commit) {
                return convert::oid(now).map(Approved::InForce);
            }
            // It is approved, whatever can be read of it now.
            let waits = NAME.parse().and_then(|name| self.proposal(rid, repo, now, &self.patch(rid, &name, id)?));
            Ok(Approved::Waits(waits.ok().flatten().map(|proposal| proposal.unsigned).unwrap_or_default()))
        })
    }

    /// What is said of a change that the org cannot have: where its files are in order without it, they are not to be mended.
    fn unfit(&self, rid: &Rid, head: &Oid, problem: Problem) -> Problem {
        if problem.what != files::MISTAKES || self.org_state_at(rid, head.clone()).is_err() {
            return problem;
        }
        let refused = Problem::invalid("The org cannot be changed so.").next("Ask for something that fits the org; nothing was changed.");
        Problem { why: problem.why, ..refused }
    }

    /// A proposal's commit, or one that brings it on top of the head; with it the org must be whole.
    fn on_top(&self, rid: &Rid, repo: &Repository, head: git2::Oid, theirs: git2::Oid, about: &str) -> Result<git2::Oid, Problem> {
        let commit = if contains(&repo.backend, theirs, head) {
            theirs
        } else {
            let merged = self.combine(repo, BRANCH, head, theirs, &format!("{about}\n"), &|_, _, _, _| None)?;
            merged.map_err(|paths| {
                Problem::conflict("The proposal contradicts what is in force by now.")
                    .because(format!("Both changed {}.", paths.join(", ")))
                    .next("Reject it, and let it be made anew.")
            })?
        };
        self.org_whole_at(rid, head, convert::oid(commit)?)?;
        Ok(commit)
    }

    fn made_anew(&self, repo: &Repository, id: &PatchId, base: git2::Oid, commit: git2::Oid) -> Result<rad::RevisionId, Problem> {
        let revision = self.change_patch(repo, &self.member, id, |own| {
            own.update("Made anew on top of what is in force.", base, commit).told("The proposal could not be made anew.")
        })?;
        self.carry(repo, &convert::object_id(id)?, commit)?;
        Ok(revision)
    }

    /// Closes a proposal: its author and the owners may.
    pub fn reject(&self, rid: &Rid, id: &PatchId) -> Result<(), Problem> {
        let found = crate::patch::read(&self.repository(rid)?, &convert::object_id(id)?)?.ok_or_else(|| missing(id))?;
        if !found.is_open() {
            return Err(self.not_open(rid, id, &found));
        }
        if found.author().public_key() != self.member_key() {
            self.check_owner(&self.repository(rid)?)?;
        }
        self.close(rid, id)
    }

    fn not_open(&self, rid: &Rid, id: &PatchId, found: &rad::Patch) -> Problem {
        let plain = || {
            Problem::conflict(format!("The proposal {} is {}.", short(id), found.state()))
                .next("meshwork org proposals lists those that wait.")
        };
        self.decided(rid, id.as_str()).ok().flatten().unwrap_or_else(plain)
    }

    fn check_owner(&self, repo: &Repository) -> Result<(), Problem> {
        let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
        if doc.is_delegate(&self.member_key().into()) {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, "The key on this device does not sign changes of the org.")
            .because("An owner's first key does, on the device where it lives.")
            .next("Do it on that device, or ask an owner."))
    }
}

/// The delegates that approved a revision; who made it, if one of them, among them.
pub(super) fn approvals(doc: &radicle::identity::Doc, revision: &patch::Revision) -> Vec<Did> {
    let accepted = revision.reviews.iter().filter(|r| r.verdict == Some(patch::Verdict::Accept)).map(|r| &r.by);
    let all: BTreeSet<&Did> = accepted.chain([&revision.author]).collect();
    let counts = |did: &&&Did| convert::key(did).is_ok_and(|key| doc.is_delegate(&key.into()));
    all.iter().filter(counts).map(|did| (*did).clone()).collect()
}

/// Whether a key's own branch has a commit.
fn has_signed(repo: &Repository, did: &Did, commit: git2::Oid) -> bool {
    let at = convert::key(did).ok().and_then(|key| tip(repo, &key));
    at.is_some_and(|at| contains(&repo.backend, at, commit))
}

/// Somebody has added a revision that the owner did not look at.
fn changed(id: &PatchId) -> Problem {
    Problem::conflict(format!("The proposal {} has another revision by now. Nothing was approved.", short(id)))
        .because("An approval is for exactly what was looked at.")
        .next("Look at it, and name that revision: meshwork org proposals; meshwork org approve ID --revision REVISION.")
}

pub(super) fn short(id: &PatchId) -> String {
    id.as_str().chars().take(10).collect()
}
