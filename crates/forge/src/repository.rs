//! What a repository holds at a commit, and commits of the member on its default branch.

use crate::{
    Forge,
    convert::{self, Told},
    limits,
    line::line_tip,
    signing::{Refs, forward, sign, whole},
};
use domain::{Did, Hash, Kind, Oid, Problem, Rid};
use git2::{ErrorCode, FileMode, ObjectType, TreeWalkMode, TreeWalkResult};
use radicle::crypto::{PublicKey, Signer as _, SigningKey};
use radicle::identity::Doc;
use radicle::storage::{
    ReadRepository, WriteRepository,
    git::{CANONICAL_IDENTITY, Repository},
};
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

impl Forge {
    /// The canonical head of the default branch.
    pub fn head(&self, rid: &Rid) -> Result<Oid, Problem> {
        convert::oid(canonical(&self.repository(rid)?)?.1)
    }

    /// The default branch's name, as `main`.
    pub fn branch(&self, rid: &Rid) -> Result<String, Problem> {
        Ok(canonical(&self.repository(rid)?)?.0)
    }

    /// The repository's delegates: whose signatures move its default branch.
    pub fn delegates(&self, rid: &Rid) -> Result<Vec<Did>, Problem> {
        let doc = self.repository(rid)?.identity_doc().told(format!("The identity of {rid} cannot be read."))?;
        Ok(doc.delegates().iter().map(|delegate| convert::did(delegate)).collect())
    }

    /// How many of its delegates must sign one and the same commit before it is on the default branch.
    pub fn threshold(&self, rid: &Rid) -> Result<usize, Problem> {
        document(&self.repository(rid)?).map(|doc| doc.threshold())
    }

    /// Whether a commit is there.
    pub fn has_commit(&self, rid: &Rid, commit: &Oid) -> Result<bool, Problem> {
        Ok(self.repository(rid)?.backend.find_commit(convert::git_oid(commit.as_str())?).is_ok())
    }

    /// The regular files of a commit whose paths begin with one of the prefixes (all, with an empty prefix). Paths that are
    /// not Unicode are left out; too many files or bytes are a problem, not a cut.
    pub fn files(&self, rid: &Rid, commit: &Oid, prefixes: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
        files(&self.repository(rid)?.backend, convert::git_oid(commit.as_str())?, prefixes)
    }

    /// The paths of a commit that begin with one of the prefixes and are neither files nor folders: links and submodules. A bounded
    /// number of them.
    pub fn links(&self, rid: &Rid, commit: &Oid, prefixes: &[&str]) -> Result<Vec<String>, Problem> {
        links(&self.repository(rid)?.backend, convert::git_oid(commit.as_str())?, prefixes)
    }

    /// The names at the root of a commit's tree, folders among them.
    pub fn list_root(&self, rid: &Rid, commit: &Oid) -> Result<Vec<String>, Problem> {
        let repo = self.repository(rid)?;
        let tree = tree_of(&repo.backend, convert::git_oid(commit.as_str())?)?;
        Ok(tree.iter().filter_map(|entry| entry.name().ok().map(str::to_owned)).collect())
    }

    /// One file of a commit; none when there is no regular file of this name.
    pub fn read(&self, rid: &Rid, commit: &Oid, path: &str) -> Result<Option<Vec<u8>>, Problem> {
        let repo = self.repository(rid)?;
        let tree = tree_of(&repo.backend, convert::git_oid(commit.as_str())?)?;
        read(&repo.backend, &tree, path)
    }

    /// Makes a commit on the default branch, in the member's name: each path gets its new content, or is removed. Nothing is done
    /// when the canonical head is no longer `expected_head`. Changes that change nothing make no commit; the answer is then
    /// the head.
    pub fn commit_files(
        &self,
        rid: &Rid,
        message: &str,
        changes: &[(String, Option<Vec<u8>>)],
        expected_head: Option<&Oid>,
    ) -> Result<Oid, Problem> {
        self.as_delegate(rid, |repo, key| {
            let (branch, head) = canonical(repo)?;
            if expected_head.is_some_and(|expected| expected.as_str() != head.to_string()) {
                return Err(Problem::conflict("The default branch has moved on meanwhile.").next("Look at it anew, and try again."));
            }
            let commit = self.member_commit(repo, head, message, changes)?;
            if commit != head {
                move_branch(repo, key, &branch, commit)?;
            }
            convert::oid(commit)
        })
    }

    /// A commit of the member on top of `parent`, or `parent` itself where nothing changes; no ref is moved.
    pub(crate) fn member_commit(
        &self,
        repo: &Repository,
        parent: git2::Oid,
        message: &str,
        changes: &[(String, Option<Vec<u8>>)],
    ) -> Result<git2::Oid, Problem> {
        let git = &repo.backend;
        let parent = git.find_commit(parent).told("The default branch cannot be read.")?;
        let base = parent.tree().told("The default branch cannot be read.")?;
        let tree = changed_tree(git, &base, changes)?;
        if tree == base.id() {
            return Ok(parent.id());
        }
        let author = self.author(self.member_key())?;
        let tree = git.find_tree(tree).told("The new tree cannot be read.")?;
        git.commit(None, &author, &author, message, &tree, &[&parent]).told("The commit could not be written.")
    }

    /// Who a commit by this key names as its author, now.
    pub(crate) fn author(&self, key: &PublicKey) -> Result<git2::Signature<'static>, Problem> {
        let alias = self.alias();
        git2::Signature::now(&alias, &format!("{alias}@{}", key.to_human())).map_err(Problem::internal)
    }

    /// Who a merge names as its author. Where several must sign the same commit it is the same for each of them, so that whoever merges
    /// the same makes the same commit.
    pub(crate) fn merger(&self, repo: &Repository) -> Result<git2::Signature<'static>, Problem> {
        if document(repo)?.threshold() < 2 {
            return self.author(self.member_key());
        }
        git2::Signature::now("meshwork", &format!("merge@{}", repo.id.canonical())).map_err(Problem::internal)
    }

    /// The key of this device that is a delegate of the repository: the member's, else the device's.
    pub(crate) fn delegate_key(&self, repo: &Repository) -> Result<&SigningKey, Problem> {
        self.key_in(&document(repo)?).ok_or_else(no_delegate)
    }

    /// The key of this device that an identity document has as a delegate.
    pub(crate) fn key_in(&self, doc: &Doc) -> Option<&SigningKey> {
        [&self.member, &self.device].into_iter().find(|key| doc.is_delegate(&key.public_key().into()))
    }

    /// The commit of a key's signed refs, as nodes announce it.
    pub fn signed_refs(&self, rid: &Rid, key: &Did) -> Result<Option<Oid>, Problem> {
        line_tip(&self.repository(rid)?, &convert::key(key)?)?.map(convert::oid).transpose()
    }

    /// A digest of what all keys have signed last in a repository, by which two devices find out whether they have the same.
    pub fn signed_by_all(&self, rid: &Rid) -> Result<Hash, Problem> {
        digest(&self.repository(rid)?, "refs/namespaces/*/refs/rad/sigrefs")
    }

    /// A digest of where all refs of a repository are, by which one finds out whether anything changed in it.
    pub fn refs_digest(&self, rid: &Rid) -> Result<Hash, Problem> {
        digest(&self.repository(rid)?, "refs/*")
    }

    /// Brings refs of the member and of this device forward to what their keys have signed, where they are behind that or gone, and the
    /// identity document in force with them; says whether any were. A fetch that began before a change sets them back: Radicle keeps to
    /// the order of signed refs, not of what they name.
    pub fn bring_forward(&self, rid: &Rid) -> Result<bool, Problem> {
        let (repo, id) = (self.repository(rid)?, convert::repo_id(rid)?);
        let mut moved = false;
        for key in [self.member_key(), self.device_key()] {
            moved |= self.queue.turn(id, *key, || forward(&repo, key))?;
        }
        Ok(follow_identity(&repo)? || moved)
    }
}

/// A digest of where these refs are.
fn digest(repo: &Repository, which: &str) -> Result<Hash, Problem> {
    let what = "The refs could not be listed.";
    let mut all = Vec::new();
    for reference in repo.backend.references_glob(which).told(what)? {
        let reference = reference.told(what)?;
        if let (Ok(name), Some(at)) = (reference.name(), reference.target()) {
            all.push(format!("{name} {at}\n"));
        }
    }
    all.sort_unstable();
    Ok(identity::envelope::hash_bytes(all.concat().as_bytes()))
}

/// Sets a delegate's own branch, signs its refs, and lets the canonical head follow, unless other delegates must sign first. To be
/// called in that key's turn.
pub(crate) fn move_branch(repo: &Repository, key: &SigningKey, branch: &str, to: git2::Oid) -> Result<(), Problem> {
    if !document(repo)?.is_delegate(&key.public_key().into()) {
        return Err(no_delegate());
    }
    set_own_branch(repo, key, branch, to)?;
    locked_ref(|| repo.set_default_branch_to_canonical_head().map_err(|e| git2::Error::from_str(&e.to_string())))
        .told("The default branch could not be moved.")?;
    // A fetch may have set the branch back after that was signed.
    if canonical(repo)?.1 == to || (forward(repo, key.public_key())? && canonical(repo)?.1 == to) {
        return Ok(());
    }
    Err(Problem::conflict("The default branch has not moved yet.")
        .because("The project needs the signatures of more delegates.")
        .next("It moves when enough of them have signed the same commit."))
}

/// Lets the canonical head follow what the delegates have signed, where enough of them agree on one commit.
pub(crate) fn follow_delegates(repo: &Repository) {
    if let Err(error) = locked_ref(|| repo.set_default_branch_to_canonical_head().map_err(|e| git2::Error::from_str(&e.to_string()))) {
        tracing::debug!(%error, "Radicle finds no canonical head yet");
    }
}

/// Lets the identity document in force follow what its delegates have signed, and the canonical head with it; says whether it was behind.
/// Each fetch sets it to what the refs say at that moment (radicle-node 0.21, `worker/fetch.rs`): one that began before a change, to what
/// was in force before; and no later write sets it forward again. It never goes back here: the refs may be what was set back.
pub(crate) fn follow_identity(repo: &Repository) -> Result<bool, Problem> {
    let what = "The identity document in force could not follow what was signed.";
    let now = git2::Oid::from(repo.identity_head().told(what)?);
    let signed = git2::Oid::from(repo.canonical_identity_head().told(what)?);
    if contains(&repo.backend, now, signed) {
        return Ok(false);
    }
    let name = CANONICAL_IDENTITY.as_str();
    match locked_ref(|| repo.backend.reference_matching(name, signed, true, now, "meshwork").map(drop)) {
        Ok(()) => follow_delegates(repo),
        // Another writer was faster. Where that was a fetch it is looked at again after it.
        Err(error) if error.code() == ErrorCode::Modified => return Ok(false),
        Err(error) => return Err(error).told(what),
    }
    Ok(true)
}

/// Sets a key's own branch, and signs its refs; again, where a fetch set it back before that was signed. To be called in that key's turn.
pub(crate) fn set_own_branch(repo: &Repository, key: &SigningKey, branch: &str, to: git2::Oid) -> Result<(), Problem> {
    sign(repo, key, Refs::from([(format!("refs/heads/{branch}"), to)]))
}

/// Where a key has its own branch of this name.
pub(crate) fn own_branch(key: &PublicKey, branch: &str) -> String {
    whole(key, &format!("refs/heads/{branch}"))
}

/// The identity document that is in force.
pub(crate) fn document(repo: &Repository) -> Result<Doc, Problem> {
    Ok(repo.identity_doc().told("The repository's identity cannot be read.")?.doc)
}

fn no_delegate() -> Problem {
    Problem::new(Kind::Forbidden, "The member is not a delegate of this repository.")
        .because("Only its delegates move its default branch.")
        .next("Ask one of them to do it.")
}

/// The default branch and its canonical head.
pub(crate) fn canonical(repo: &Repository) -> Result<(String, git2::Oid), Problem> {
    let (name, head) = repo.head().map_err(|error| {
        let problem = Problem::conflict("The repository has no canonical head.").because(error.to_string());
        problem.next("Its delegates must agree on one commit of the default branch.")
    })?;
    let branch = name.as_str().strip_prefix("refs/heads/").unwrap_or(name.as_str()).to_owned();
    Ok((branch, head.into()))
}

/// Whether a commit is another, or comes after it.
pub(crate) fn contains(git: &git2::Repository, commit: git2::Oid, other: git2::Oid) -> bool {
    commit == other || git.graph_descendant_of(commit, other).unwrap_or(false)
}

/// Tries again while another writer, such as the node, holds the ref.
pub(crate) fn locked_ref<T>(mut write: impl FnMut() -> Result<T, git2::Error>) -> Result<T, git2::Error> {
    for _ in 1..limits::REF_LOCK_TRIES {
        match write() {
            Err(error) if error.code() == ErrorCode::Locked || error.message().contains("failed to lock") => {
                thread::sleep(limits::REF_LOCK_WAIT);
            }
            settled => return settled,
        }
    }
    write()
}

pub(crate) fn tree_of(git: &git2::Repository, commit: git2::Oid) -> Result<git2::Tree<'_>, Problem> {
    let found = git.find_commit(commit);
    let commit = found.map_err(|_| Problem::not_found(format!("The commit {commit} is not on this device.")))?;
    commit.tree().told("The commit's tree cannot be read.")
}

pub(crate) fn read(git: &git2::Repository, tree: &git2::Tree<'_>, path: &str) -> Result<Option<Vec<u8>>, Problem> {
    let entry = match tree.get_path(Path::new(path)) {
        Ok(entry) if is_file(entry.filemode()) => entry,
        _ => return Ok(None),
    };
    let blob = git.find_blob(entry.id()).told(format!("The file {path} cannot be read."))?;
    if blob.size() > limits::READ_BYTES_MAX {
        return Err(too_much(format!("The file {path} is larger than {} MiB.", limits::READ_BYTES_MAX >> 20)));
    }
    Ok(Some(blob.content().to_vec()))
}

fn files(git: &git2::Repository, commit: git2::Oid, prefixes: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
    let tree = tree_of(git, commit)?;
    let (mut found, mut bytes, mut problem) = (BTreeMap::new(), 0, None);
    let walked = tree.walk(TreeWalkMode::PreOrder, |dir, entry| {
        let Some(path) = entry.name().ok().map(|name| format!("{dir}{name}")) else { return TreeWalkResult::Skip };
        if entry.kind() == Some(ObjectType::Tree) {
            return if leads(prefixes, &path) { TreeWalkResult::Ok } else { TreeWalkResult::Skip };
        }
        if !is_file(entry.filemode()) || !prefixes.iter().any(|p| path.starts_with(p)) {
            return TreeWalkResult::Ok;
        }
        match take(git, entry.id(), &path, found.len(), &mut bytes) {
            Ok(content) => {
                found.insert(path, content);
                TreeWalkResult::Ok
            }
            Err(told) => {
                problem = Some(told);
                TreeWalkResult::Abort
            }
        }
    });
    match problem {
        Some(problem) => Err(problem),
        None => walked.told("The commit's tree cannot be read.").map(|()| found),
    }
}

fn links(git: &git2::Repository, commit: git2::Oid, prefixes: &[&str]) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    let walked = tree_of(git, commit)?.walk(TreeWalkMode::PreOrder, |dir, entry| {
        let Some(path) = entry.name().ok().map(|name| format!("{dir}{name}")) else { return TreeWalkResult::Skip };
        if entry.kind() == Some(ObjectType::Tree) {
            return if leads(prefixes, &path) { TreeWalkResult::Ok } else { TreeWalkResult::Skip };
        }
        if !is_file(entry.filemode()) && found.len() < limits::FILES_MAX && prefixes.iter().any(|p| path.starts_with(p)) {
            found.push(path);
        }
        TreeWalkResult::Ok
    });
    walked.told("The commit's tree cannot be read.").map(|()| found)
}

/// Whether a folder can hold something that begins with one of the prefixes.
fn leads(prefixes: &[&str], folder: &str) -> bool {
    let below = format!("{folder}/");
    prefixes.iter().any(|p| below.starts_with(p) || p.starts_with(&below))
}

fn take(git: &git2::Repository, blob: git2::Oid, path: &str, count: usize, bytes: &mut usize) -> Result<Vec<u8>, Problem> {
    let blob = git.find_blob(blob).told(format!("The file {path} cannot be read."))?;
    *bytes = bytes.saturating_add(blob.size());
    if count >= limits::FILES_MAX || *bytes > limits::FILES_BYTES_MAX {
        return Err(too_much(format!("There are more than {} files or {} MiB of them.", limits::FILES_MAX, limits::FILES_BYTES_MAX >> 20)));
    }
    Ok(blob.content().to_vec())
}

fn too_much(what: String) -> Problem {
    Problem::new(Kind::Limit, what)
}

fn is_file(mode: i32) -> bool {
    mode == i32::from(FileMode::Blob) || mode == i32::from(FileMode::BlobExecutable)
}

fn changed_tree(git: &git2::Repository, base: &git2::Tree<'_>, changes: &[(String, Option<Vec<u8>>)]) -> Result<git2::Oid, Problem> {
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, content) in changes {
        check_path(path)?;
        let before = base.get_path(Path::new(path)).ok();
        match content {
            Some(content) => {
                let blob = git.blob(content).told(format!("The file {path} could not be written."))?;
                let executable = before.is_some_and(|entry| entry.filemode() == i32::from(FileMode::BlobExecutable));
                update.upsert(path.as_str(), blob, if executable { FileMode::BlobExecutable } else { FileMode::Blob });
            }
            None if before.is_some() => {
                update.remove(path.as_str());
            }
            None => {}
        }
    }
    update.create_updated(git, base).told("The new tree could not be written.")
}

/// Refuses paths that do not stay within a repository, or that git would take for its own.
pub(crate) fn check_path(path: &str) -> Result<(), Problem> {
    let odd = |part: &str| matches!(part, "" | "." | "..") || crate::tree::is_git_name(part.as_bytes()) || part.contains('\0');
    if path.len() > limits::PATH_BYTES_MAX || path.split('/').any(odd) {
        return Err(Problem::invalid(format!("“{}” is not a path within the repository.", domain::shown(path)))
            .next("Give it from the root of the repository on, as src/main.rs."));
    }
    Ok(())
}
