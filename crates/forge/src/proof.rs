//! What can be proven from a repository alone: who signed a commit, an entry of a patch, a branch. Every signature is
//! verified here, and an entry whose signature does not fit is told, where Radicle would leave it out in silence.

use crate::{
    Forge, OrgState, Resolve,
    convert::{self, Told},
    limits,
    merge::merge_trees,
    repository::{canonical, tree_of},
};
use domain::{Did, Kind, Oid, PatchId, Problem, Rid, Timestamp};
use git2::ErrorCode;
use radicle::cob::change::Storage;
use radicle::storage::{ReadRepository, git::Repository, refs::SignedRefs};
use serde_json::Value;
use ssh_key::{SshSig, public::KeyData};
use std::collections::BTreeSet;

/// A commit, and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitProof {
    /// The commit.
    pub id: Oid,
    /// Its parents.
    pub parents: Vec<Oid>,
    /// Who it says made it: `name <address>`. Anyone can write anything there.
    pub author: String,
    /// Its first line.
    pub title: String,
    /// When it says it was made.
    pub at: Timestamp,
    /// Its signature.
    pub signature: CommitSignature,
}

/// The signature of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitSignature {
    /// None.
    Missing,
    /// It fits, and this key made it.
    By(Did),
    /// It is no Ed25519 signature in git's SSH form, or does not fit the commit.
    Broken,
}

/// An entry of a patch, as it lies in git.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchEntry {
    /// The entry; a revision and a review are named by theirs.
    pub id: Oid,
    /// The key that signed it.
    pub by: Did,
    /// Whether the signature fits.
    pub fits: bool,
    /// When it says it was made.
    pub at: Timestamp,
    /// What it does, in Radicle's own words.
    pub actions: Vec<Value>,
}

impl PatchEntry {
    /// Whether it has an action of this type, of which a field has this value.
    pub fn does(&self, kind: &str, field: &str, value: &str) -> bool {
        self.actions.iter().any(|action| action["type"] == kind && action[field] == value)
    }
}

/// A delegate whose signed refs have a commit in the default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The delegate.
    pub by: Did,
    /// Where their branch stands.
    pub head: Oid,
}

impl Forge {
    /// A commit, with its signature verified.
    pub fn commit_proof(&self, rid: &Rid, commit: &Oid) -> Result<CommitProof, Problem> {
        let repo = self.repository(rid)?;
        let id = convert::git_oid(commit.as_str())?;
        let found = repo.backend.find_commit(id);
        let found = found.map_err(|_| Problem::not_found(format!("The commit {commit} is not on this device.")))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let author = found.author();
        Ok(CommitProof {
            id: commit.clone(),
            parents: found.parent_ids().map(convert::oid).collect::<Result<_, _>>()?,
            author: format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes())),
            title: text(found.message_bytes()).lines().next().unwrap_or_default().to_owned(),
            at: Timestamp(found.time().seconds().saturating_mul(1000)),
            signature: commit_signature(&repo.backend, id)?,
        })
    }

    /// The commit that begins so; none where there is none.
    pub fn find_commit(&self, rid: &Rid, beginning: &str) -> Result<Option<Oid>, Problem> {
        match self.repository(rid)?.backend.find_commit_by_prefix(beginning) {
            Ok(found) => convert::oid(found.id()).map(Some),
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                Err(Problem::invalid(format!("Several git objects begin with “{}”.", domain::shown(beginning)))
                    .next("Give more of its id."))
            }
            Err(_) => Ok(None),
        }
    }

    /// The patches of a project, those too that cannot be read any more.
    pub fn patch_ids(&self, rid: &Rid) -> Result<Vec<PatchId>, Problem> {
        let repo = self.repository(rid)?;
        crate::patch::tips(&repo, None)?.into_keys().map(convert::patch_id).collect()
    }

    /// Every entry of a patch, oldest first.
    pub fn patch_entries(&self, rid: &Rid, patch: &PatchId) -> Result<Vec<PatchEntry>, Problem> {
        let repo = self.repository(rid)?;
        let tips = crate::patch::tips(&repo, Some(&convert::object_id(patch)?))?.into_values().next().unwrap_or_default();
        entries(&repo, patch, tips)
    }

    /// Whether a commit is, or comes before, another.
    pub fn contains(&self, rid: &Rid, head: &Oid, commit: &Oid) -> Result<bool, Problem> {
        let repo = self.repository(rid)?;
        let (head, commit) = (convert::git_oid(head.as_str())?, convert::git_oid(commit.as_str())?);
        Ok(head == commit || repo.backend.graph_descendant_of(head, commit).unwrap_or(false))
    }

    /// Where the histories of two commits part; none where they have nothing in common.
    pub fn parts_at(&self, rid: &Rid, one: &Oid, other: &Oid) -> Result<Option<Oid>, Problem> {
        let repo = self.repository(rid)?;
        match repo.backend.merge_base(convert::git_oid(one.as_str())?, convert::git_oid(other.as_str())?) {
            Ok(base) => convert::oid(base).map(Some),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).told("The history of the two commits cannot be read."),
        }
    }

    /// The delegates whose signed refs have a commit in the default branch, and how many of them it takes.
    pub fn vouchers(&self, rid: &Rid, commit: &Oid) -> Result<(Vec<Voucher>, usize), Problem> {
        let repo = self.repository(rid)?;
        let (doc, branch) = (repo.identity_doc().told("The repository's identity cannot be read.")?, canonical(&repo)?.0);
        let branch = radicle::git::fmt::RefString::try_from(branch).told("The default branch has an odd name.")?;
        let mut found = Vec::new();
        for delegate in doc.delegates().iter() {
            // Loading verifies; a signature that does not fit vouches for nothing.
            let head = SignedRefs::load(*delegate.as_key(), &repo).ok().flatten().and_then(|refs| refs.head(&branch));
            if let Some(head) = head.map(convert::oid).transpose()?
                && self.contains(rid, &head, commit)?
            {
                found.push(Voucher { by: convert::did(delegate), head });
            }
        }
        Ok((found, doc.threshold()))
    }

    /// The tree of a merge, made anew; none where the sides contradict each other.
    pub fn merged_tree(&self, rid: &Rid, ours: &Oid, theirs: &Oid, resolve: &Resolve<'_>) -> Result<Option<Oid>, Problem> {
        let repo = self.repository(rid)?;
        let (ours, theirs) = (convert::git_oid(ours.as_str())?, convert::git_oid(theirs.as_str())?);
        let base = repo.backend.merge_base(ours, theirs).told("The two sides of the merge have nothing in common.")?;
        let trees = [tree_of(&repo.backend, base)?, tree_of(&repo.backend, ours)?, tree_of(&repo.backend, theirs)?];
        merge_trees(&repo.backend, &trees, resolve)?.ok().map(convert::oid).transpose()
    }

    /// The tree of a commit.
    pub fn tree(&self, rid: &Rid, commit: &Oid) -> Result<Oid, Problem> {
        convert::oid(tree_of(&self.repository(rid)?.backend, convert::git_oid(commit.as_str())?)?.id())
    }

    /// What the org repository said at a moment: at the last commit of its canonical branch before the second of it. Git and Radicle tell
    /// whole seconds; of two things of one second, what was made counts as before what the org decided, as where a device is removed just
    /// after its run published.
    pub fn org_state_then(&self, rid: &Rid, at: Timestamp) -> Result<OrgState, Problem> {
        let repo = self.repository(rid)?;
        let what = "The history of the org repository cannot be read.";
        let mut commit = repo.backend.find_commit(canonical(&repo)?.1).told(what)?;
        while commit.time().seconds() >= at.0.div_euclid(1000) && commit.parent_count() > 0 {
            commit = commit.parent(0).told(what)?;
        }
        self.org_state_at(rid, convert::oid(commit.id())?)
    }
}

/// Every entry of a patch from these on, oldest first.
pub(crate) fn entries(repo: &Repository, patch: &PatchId, mut next: Vec<git2::Oid>) -> Result<Vec<PatchEntry>, Problem> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(id) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        if seen.len() > limits::PATCH_ENTRIES_MAX {
            return Err(Problem::new(Kind::Limit, format!("The patch {patch} has more than {} entries.", limits::PATCH_ENTRIES_MAX)));
        }
        let entry = repo.load(id.into()).told(format!("The entry {id} of the patch {patch} cannot be read."))?;
        next.extend(entry.parents.iter().map(|parent| git2::Oid::from(*parent)));
        found.push(PatchEntry {
            id: convert::oid(id)?,
            by: convert::did(entry.author()),
            fits: entry.valid_signatures(),
            at: Timestamp(i64::try_from(entry.timestamp).unwrap_or(i64::MAX / 1000).saturating_mul(1000)),
            actions: entry.contents.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect(),
        });
    }
    found.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok(found)
}

/// Only what git itself would take: the SSH form, made for git.
fn commit_signature(git: &git2::Repository, commit: git2::Oid) -> Result<CommitSignature, Problem> {
    let (pem, signed) = match git.extract_signature(&commit, None) {
        Ok(found) => found,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(CommitSignature::Missing),
        Err(error) => return Err(error).told("The commit's signature cannot be read."),
    };
    let by = || {
        let signature = SshSig::from_pem(&*pem).ok().filter(|s| s.namespace() == "git")?;
        let KeyData::Ed25519(key) = signature.public_key() else { return None };
        let message = SshSig::signed_data("git", signature.hash_alg(), &signed).ok()?;
        let did = identity::did(&key.0);
        identity::verify(&did, &message, signature.signature_bytes()).then_some(did)
    };
    Ok(by().map_or(CommitSignature::Broken, CommitSignature::By))
}
