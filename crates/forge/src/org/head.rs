//! Which commit of the org repository is in force: the newest that as many delegates signed as the threshold says.
//!
//! At a threshold of one, two owners who change the org at once sign commits that do not contain each other. Radicle then has no
//! answer, and every device stays where it was. Here all devices that see the same signatures take the same one of them, and the
//! owner who lost makes their change anew on top (`settle`).

use super::BRANCH;
use crate::{
    Forge,
    convert::{self, Told},
    limits,
    repository::{canonical, contains, own_branch},
};
use domain::{Oid, Problem, Rid};
use git2::Oid as Commit;
use radicle::crypto::PublicKey;
use radicle::storage::{ReadRepository, git::Repository};

impl Forge {
    /// The commit of the org repository that is in force, whether or not its files are in order.
    pub fn org_head(&self, rid: &Rid) -> Result<Oid, Problem> {
        convert::oid(agreed(&self.repository(rid)?)?)
    }
}

/// What the delegates agree on; while they do not, what they agreed on last.
pub(super) fn agreed(repo: &Repository) -> Result<Commit, Problem> {
    let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
    let delegates = doc.delegates().iter().take(limits::OWNERS_MAX);
    let tips: Vec<Commit> = delegates.filter_map(|delegate| tip(repo, delegate.as_key())).collect();
    match choose(&repo.backend, &tips, doc.threshold()) {
        Some(commit) => Ok(commit),
        None => Ok(canonical(repo)?.1),
    }
}

/// Where a key's own branch is.
pub(super) fn tip(repo: &Repository, key: &PublicKey) -> Option<Commit> {
    repo.backend.refname_to_id(&own_branch(key, BRANCH)).ok()
}

/// The newest commit that enough of the tips contain. Of several that exclude each other: that of most signatures, then of most
/// commits, then of the smallest name.
fn choose(git: &git2::Repository, tips: &[Commit], threshold: usize) -> Option<Commit> {
    let mut found: Vec<Commit> = tips.to_vec();
    for (n, one) in tips.iter().enumerate() {
        found.extend(tips[n + 1..].iter().filter_map(|other| git.merge_base(*one, *other).ok()));
    }
    found.sort_unstable();
    found.dedup();
    let votes = |commit: &Commit| tips.iter().filter(|tip| contains(git, **tip, *commit)).count();
    found.retain(|commit| votes(commit) >= threshold.max(1));
    let newest: Vec<Commit> = found.iter().filter(|c| !found.iter().any(|o| o != *c && contains(git, *o, **c))).copied().collect();
    let base = newest.iter().copied().reduce(|a, b| git.merge_base(a, b).unwrap_or(a))?;
    let made = |commit: Commit| git.graph_ahead_behind(commit, base).map_or(0, |(ahead, _)| ahead);
    newest.into_iter().min_by_key(|commit| (std::cmp::Reverse(votes(commit)), std::cmp::Reverse(made(*commit)), *commit))
}
