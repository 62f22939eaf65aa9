//! Merging: the result is made first, without moving a ref, so that checks can run on it; then a delegate signs it.

use crate::{
    Forge,
    convert::{self, Told},
    patch::missing,
    repository::{canonical, contains, document, follow_delegates, locked_ref, move_branch, own_branch, set_own_branch, tree_of},
    review::known,
};
use domain::{Did, Oid, PatchId, Problem, RevisionId, Rid};
use git2::{Delta, IndexEntry, IndexTime, MergeOptions, Repository as Git};
use radicle::cob::patch as rad;
use radicle::crypto::{Signer as _, SigningKey};
use radicle::storage::git::Repository;
use std::collections::{BTreeMap, BTreeSet};

/// Asked for a file that both sides changed: its path, and its content in the common ancestor, on the default branch, and in
/// the patch. The answer is the merged content; none leaves it to git.
pub type Resolve<'a> = dyn Fn(&str, Option<&[u8]>, Option<&[u8]>, Option<&[u8]>) -> Option<Vec<u8>> + 'a;

/// What merging a patch would bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeResult {
    /// The default branch has it.
    AlreadyMerged,
    /// It can be merged.
    Ready {
        /// The commit that the default branch would get. The same inputs give the same commit.
        commit: Oid,
        /// The revision that it merges.
        revision: RevisionId,
        /// The head of the default branch on which it was made.
        onto: Oid,
    },
    /// The sides contradict each other: the patch needs a new revision on top of `onto`.
    Conflict {
        /// In these files.
        paths: Vec<String>,
        /// The head of the default branch.
        onto: Oid,
    },
}

/// A patch that was merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The commit on the default branch.
    pub commit: Oid,
    /// Whether it was merged by an earlier call already.
    pub before: bool,
}

/// Where both sides' changes are always put together by [`Resolve`].
const SPECS: &str = "specs/";

impl Forge {
    /// Merges a revision (the last one, without) into the canonical head, without moving any ref. `resolve` is asked for
    /// every file below `specs/` that both sides changed, also where git would merge: ticks of neighbouring tasks.
    pub fn merge_result(
        &self,
        rid: &Rid,
        patch: &PatchId,
        revision: Option<&RevisionId>,
        resolve: &Resolve<'_>,
    ) -> Result<MergeResult, Problem> {
        let repo = self.repository(rid)?;
        let found = crate::patch::read(&repo, &convert::object_id(patch)?)?.ok_or_else(|| missing(patch))?;
        if found.is_merged() {
            return Ok(MergeResult::AlreadyMerged);
        }
        let id = match revision {
            Some(wanted) => known(&found, wanted)?,
            None => found.revisions().next_back().ok_or_else(|| missing(patch))?.0,
        };
        let theirs = found.revision(&id).ok_or_else(|| missing(patch))?.head().into();
        let (branch, ours) = canonical(&repo)?;
        if ours == theirs || repo.backend.graph_descendant_of(ours, theirs).unwrap_or(false) {
            return Ok(MergeResult::AlreadyMerged);
        }
        let message = format!("Merge patch {}: {}\n", &patch.as_str()[..7], found.title());
        match self.combine(&repo, &branch, ours, theirs, &message, resolve)? {
            Ok(commit) => {
                Ok(MergeResult::Ready { commit: convert::oid(commit)?, revision: convert::revision_id(id)?, onto: convert::oid(ours)? })
            }
            Err(paths) => Ok(MergeResult::Conflict { paths, onto: convert::oid(ours)? }),
        }
    }

    /// The commit that has both sides, or the paths at which they contradict each other.
    pub(crate) fn combine(
        &self,
        repo: &Repository,
        branch: &str,
        ours: git2::Oid,
        theirs: git2::Oid,
        message: &str,
        resolve: &Resolve<'_>,
    ) -> Result<Result<git2::Oid, Vec<String>>, Problem> {
        let git = &repo.backend;
        let base = git.merge_base(ours, theirs).map_err(|_| {
            Problem::conflict(format!("The two sides have no history in common with the branch {branch}."))
                .next("Make the work anew on top of it.")
        })?;
        if base == ours {
            return Ok(Ok(theirs));
        }
        let trees = [tree_of(git, base)?, tree_of(git, ours)?, tree_of(git, theirs)?];
        let tree = match merge_trees(git, &trees, resolve)? {
            Ok(tree) => git.find_tree(tree).told("The merged tree cannot be read.")?,
            Err(paths) => return Ok(Err(paths)),
        };
        let what = "The merge commit could not be written.";
        let parents = [git.find_commit(ours).told(what)?, git.find_commit(theirs).told(what)?];
        let author = self.merger(repo)?;
        // Dated as its younger parent, so that the same merge is the same commit and its checks stay valid.
        let when = parents.iter().map(git2::Commit::time).max_by_key(git2::Time::seconds).unwrap_or(author.when());
        let author = git2::Signature::new(author.name().unwrap_or("meshwork"), author.email().unwrap_or_default(), &when).told(what)?;
        let parents: Vec<_> = parents.iter().collect();
        git.commit(None, &author, &author, message, &tree, &parents).told(what).map(Ok)
    }

    /// Merges a revision, as the member or, where it is a gate, as the device: moves the default branch to `commit`, made by
    /// [`Forge::merge_result`], and marks the patch. Only while the canonical head is still the one that the commit was made on. A call
    /// that was interrupted is finished by the next.
    pub fn merge(&self, rid: &Rid, patch: &PatchId, revision: &RevisionId, commit: &Oid) -> Result<Merged, Problem> {
        self.as_delegate(rid, |repo, key| {
            // Also of what the branch has already: a patch is marked by what brought it, and by nothing else.
            let Wanted { found, id, head, to } = wanted(repo, patch, revision, commit)?;
            let (branch, now) = canonical(repo)?;
            let there = contains(&repo.backend, now, to);
            if found.is_merged() && there {
                return Ok(Merged { commit: commit.clone(), before: true });
            }
            if found.is_archived() {
                return Err(Problem::conflict(format!("The patch {patch} is closed.")).next("Open it again first."));
            }
            if there {
                follow(repo, key, &branch, now)?;
            } else {
                check_onto(&repo.backend, now, to, head)?;
                self.agree(repo, key, &branch, now)?;
                move_branch(repo, key, &branch, to)?;
            }
            // The others' marks may be missing still: this key's own is made once.
            let mut marks = found.merges().filter(|(by, _)| *by == key.public_key()).map(|(_, mark)| mark);
            if !marks.any(|mark| mark.revision == id && git2::Oid::from(mark.commit) == to) {
                let what = "The patch could not be marked as merged.";
                self.change_patch(repo, key, patch, |own| own.merge(id, to.into()).map(drop).told(what))?;
            }
            Ok(Merged { commit: commit.clone(), before: there })
        })
    }

    /// Where several delegates must sign a merge: signs it as the first of them. The default branch stays where it is until enough others
    /// have signed the same commit; then [`Forge::merge`] ends it, and [`Forge::withdraw_merge`] takes it back if they do not.
    pub fn propose_merge(&self, rid: &Rid, patch: &PatchId, revision: &RevisionId, commit: &Oid) -> Result<(), Problem> {
        self.as_delegate(rid, |repo, key| {
            let Wanted { head, to, .. } = wanted(repo, patch, revision, commit)?;
            let (branch, now) = canonical(repo)?;
            check_onto(&repo.backend, now, to, head)?;
            self.agree(repo, key, &branch, now)?;
            set_own_branch(repo, key, &branch, to)
        })
    }

    /// Marks a patch as merged as another delegate did whose merge is in the default branch: where several must sign, each of them marks
    /// it. Nothing happens where no other did.
    pub fn mark_merged(&self, rid: &Rid, patch: &PatchId) -> Result<(), Problem> {
        let repo = self.repository(rid)?;
        let found = crate::patch::read(&repo, &convert::object_id(patch)?)?.ok_or_else(|| missing(patch))?;
        let now = canonical(&repo)?.1;
        let mut marks = found.merges().filter_map(|(_, mark)| {
            let head: git2::Oid = found.revision(&mark.revision)?.head().into();
            Some((mark.revision, git2::Oid::from(mark.commit), head))
        });
        // Who marks it as merged by a commit that does not have it is not followed.
        let brought = |commit, head| contains(&repo.backend, now, commit) && contains(&repo.backend, commit, head);
        let Some((revision, commit, _)) = marks.find(|(_, commit, head)| brought(*commit, *head)) else { return Ok(()) };
        self.merge(rid, patch, &convert::revision_id(revision)?, &convert::oid(commit)?).map(drop)
    }

    /// Takes a proposal back: this device's own branch is where the default branch is, or was when it was made, if that is further.
    pub fn withdraw_merge(&self, rid: &Rid) -> Result<(), Problem> {
        self.as_delegate(rid, |repo, key| {
            let (branch, now) = canonical(repo)?;
            go_back(repo, key, &branch, agreed(&repo.backend, &branch, now))
        })
    }

    /// Remembers on which head a gate among several signs now.
    ///
    /// # Errors
    /// When that is behind what it signed on before; then it goes back to that, so that the default branch comes back.
    fn agree(&self, repo: &Repository, key: &SigningKey, branch: &str, now: git2::Oid) -> Result<(), Problem> {
        if key.public_key() != self.device_key() || document(repo)?.threshold() < 2 {
            return Ok(());
        }
        let before = agreed(&repo.backend, branch, now);
        if before != now {
            go_back(repo, key, branch, before)?;
            return Err(Problem::conflict(format!("The default branch seems to be back at {now}, behind {before}."))
                .because("Two merges were signed at once by one delegate each; they are taken back.")
                .next("Merge again in a moment."));
        }
        let remember = || repo.backend.reference(&format!("{AGREED}/{branch}"), now, true, "meshwork").map(drop);
        locked_ref(remember).told("On which head the gate signs could not be remembered.")
    }
}

impl Forge {
    /// Whether a commit is in the default branch, and if so, which delegate's own branch brought it there: another's, where
    /// not only the member's has it.
    pub fn brought_by(&self, rid: &Rid, commit: &Oid) -> Result<Option<Did>, Problem> {
        let repo = self.repository(rid)?;
        let (branch, head) = canonical(&repo)?;
        let wanted = convert::git_oid(commit.as_str())?;
        let has = |at: git2::Oid| contains(&repo.backend, at, wanted);
        if !has(head) {
            return Ok(None);
        }
        let member = self.member();
        let brought = |did: &Did| {
            let name = convert::key(did).map(|key| own_branch(&key, &branch));
            name.is_ok_and(|name| repo.backend.refname_to_id(&name).is_ok_and(has))
        };
        let mut delegates = self.delegates(rid)?;
        delegates.sort_by_key(|did| *did == member);
        Ok(Some(delegates.into_iter().find(brought).unwrap_or(member)))
    }
}

/// Lets a delegate's own branch that is behind follow the default branch: what it signs of a patch counts only for what that has.
fn follow(repo: &Repository, key: &SigningKey, branch: &str, now: git2::Oid) -> Result<(), Problem> {
    let own = repo.backend.refname_to_id(&own_branch(key.public_key(), branch));
    let behind = own.ok().is_none_or(|at| repo.backend.graph_descendant_of(now, at).unwrap_or(false));
    if behind { set_own_branch(repo, key, branch, now) } else { Ok(()) }
}

/// Where a gate among several remembers, for itself alone, on which head of the default branch it signed last.
const AGREED: &str = "refs/meshwork/agreed";

/// How far a gate among several goes back with its own branch: to the canonical head, or to the one on which it signed last, where the
/// canonical head does not have that any more. Radicle takes the last commit that enough delegates have, of those at which one stands:
/// while two propose at once and the third missed the merge before, that is what the third has, and the branch seems to go back. Would
/// they follow it, that merge was lost.
pub(crate) fn agreed(git: &Git, branch: &str, now: git2::Oid) -> git2::Oid {
    let before = git.refname_to_id(&format!("{AGREED}/{branch}")).ok();
    before.filter(|at| !contains(git, now, *at)).unwrap_or(now)
}

/// Nothing is remembered of a branch that others had meanwhile.
pub(crate) fn forget_agreed(git: &Git, branch: &str) -> Result<(), Problem> {
    let Ok(mut found) = git.find_reference(&format!("{AGREED}/{branch}")) else { return Ok(()) };
    found.delete().told("On which head the gate signed last could not be forgotten.")
}

/// Sets a delegate's own branch back, and lets the canonical head follow, where enough delegates agree on one.
pub(crate) fn go_back(repo: &Repository, key: &SigningKey, branch: &str, to: git2::Oid) -> Result<(), Problem> {
    set_own_branch(repo, key, branch, to)?;
    follow_delegates(repo);
    Ok(())
}

/// A revision of a patch with its head, and the commit as which it is merged.
struct Wanted {
    found: rad::Patch,
    id: rad::RevisionId,
    head: git2::Oid,
    to: git2::Oid,
}

/// Reads what is to be merged.
///
/// # Errors
/// When it is not there, or the commit does not bring the revision.
fn wanted(repo: &Repository, patch: &PatchId, revision: &RevisionId, commit: &Oid) -> Result<Wanted, Problem> {
    let to = convert::git_oid(commit.as_str())?;
    let found = crate::patch::read(repo, &convert::object_id(patch)?)?.ok_or_else(|| missing(patch))?;
    let id = known(&found, revision)?;
    let head: git2::Oid = found.revision(&id).ok_or_else(|| missing(patch))?.head().into();
    if to != head && !repo.backend.graph_descendant_of(to, head).told("The merge commit is not on this device.")? {
        return Err(Problem::invalid(format!("The commit {to} does not bring the revision {revision}.")));
    }
    Ok(Wanted { found, id, head, to })
}

/// The commit must be made on the present head: fast-forward to the revision itself, or a merge whose first parent is the head.
fn check_onto(git: &Git, now: git2::Oid, to: git2::Oid, head: git2::Oid) -> Result<(), Problem> {
    let commit = git.find_commit(to).told("The merge commit is not on this device.")?;
    let forward = to == head && git.graph_descendant_of(to, now).unwrap_or(false);
    let parents: Vec<_> = commit.parent_ids().collect();
    if forward || parents == [now, head] {
        return Ok(());
    }
    Err(Problem::conflict("The default branch has moved on since this merge was made.")
        .next("Try again: the merge is made and checked anew."))
}

pub(crate) fn merge_trees(
    git: &Git,
    trees: &[git2::Tree<'_>; 3],
    resolve: &Resolve<'_>,
) -> Result<Result<git2::Oid, Vec<String>>, Problem> {
    let what = "The merge could not be made.";
    let [base, ours, theirs] = trees;
    let mut index = git.merge_trees(base, ours, theirs, Some(&MergeOptions::new())).told(what)?;
    let both: BTreeSet<_> = changed_specs(git, base, ours)?.intersection(&changed_specs(git, base, theirs)?).cloned().collect();
    for path in both {
        let sides = trees.each_ref().map(|tree| blob(git, tree, &path));
        let [of_base, of_ours, of_theirs] = sides.each_ref().map(Option::as_deref);
        if of_ours == of_theirs {
            continue;
        }
        let Some(content) = resolve(&path, of_base, of_ours, of_theirs) else { continue };
        let oid = git.blob(&content).told(what)?;
        let mode = [ours, theirs].iter().find_map(|tree| tree.get_path(path.as_ref()).ok()).map_or(0o100_644, |entry| entry.filemode());
        index.conflict_remove(path.as_ref()).told(what)?;
        index.add(&entry(&path, oid, mode)).told(what)?;
    }
    if index.has_conflicts() {
        return conflicts(&index).map(Err);
    }
    index.write_tree_to(git).told(what).map(Ok)
}

fn entry(path: &str, id: git2::Oid, mode: i32) -> IndexEntry {
    let never = IndexTime::new(0, 0);
    IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        mode: u32::try_from(mode).unwrap_or(0o100_644),
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

fn changed_specs(git: &Git, from: &git2::Tree<'_>, to: &git2::Tree<'_>) -> Result<BTreeSet<String>, Problem> {
    let diff = git.diff_tree_to_tree(Some(from), Some(to), Some(git2::DiffOptions::new().pathspec(SPECS).disable_pathspec_match(true)));
    let diff = diff.told("The changes cannot be listed.")?;
    let path = |delta: git2::DiffDelta<'_>| {
        let file = if delta.status() == Delta::Deleted { delta.old_file() } else { delta.new_file() };
        file.path().and_then(|path| path.to_str()).map(str::to_owned)
    };
    Ok(diff.deltas().filter_map(path).collect())
}

fn blob(git: &Git, tree: &git2::Tree<'_>, path: &str) -> Option<Vec<u8>> {
    let entry = tree.get_path(path.as_ref()).ok()?;
    Some(git.find_blob(entry.id()).ok()?.content().to_vec())
}

fn conflicts(index: &git2::Index) -> Result<Vec<String>, Problem> {
    let mut paths = BTreeMap::new();
    for conflict in index.conflicts().told("The conflicts cannot be listed.")? {
        let conflict = conflict.told("The conflicts cannot be listed.")?;
        for side in [conflict.our, conflict.their, conflict.ancestor].into_iter().flatten() {
            paths.insert(String::from_utf8_lossy(&side.path).into_owned(), ());
        }
    }
    Ok(paths.into_keys().collect())
}
