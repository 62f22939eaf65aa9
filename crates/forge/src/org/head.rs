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
    queue::lock,
    repository::{canonical, contains, own_branch},
};
use domain::{Oid, Problem, Rid};
use git2::Oid as Commit;
use radicle::crypto::PublicKey;
use radicle::identity::RepoId;
use radicle::storage::{ReadRepository, git::Repository};
use std::time::Instant;

const NO_IDENTITY: &str = "The identity of the org repository cannot be read.";

/// What the delegates agree on, by what that was read from.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    rid: RepoId,
    /// The commit of the document that names the delegates.
    document: Commit,
    delegates: Vec<PublicKey>,
    tips: Vec<Option<Commit>>,
    commit: Commit,
    at: Instant,
}

impl Agreed {
    /// None: they do not agree.
    fn read(repo: &Repository) -> Result<Option<Self>, Problem> {
        let doc = repo.identity_doc().told(NO_IDENTITY)?;
        let delegates: Vec<PublicKey> = doc.delegates().iter().take(limits::OWNERS_MAX).map(|delegate| *delegate.as_key()).collect();
        let (document, tips) = (doc.commit.into(), tips(repo, &delegates));
        let commit = choose(&repo.backend, &tips, doc.threshold());
        Ok(commit.map(|commit| Self { rid: repo.id, document, delegates, tips, commit, at: Instant::now() }))
    }

    /// Whether it is what one would read now: that costs less than to find out anew what they agree on. What could not be read for a
    /// moment is missed for some seconds at most.
    fn counts(&self, repo: &Repository) -> bool {
        let same =
            || repo.identity_head().is_ok_and(|head| Commit::from(head) == self.document) && tips(repo, &self.delegates) == self.tips;
        self.rid == repo.id && self.at.elapsed() < limits::ORG_HEAD_COUNTS && same()
    }
}

impl Forge {
    /// The commit of the org repository that is in force, whether or not its files are in order.
    pub fn org_head(&self, rid: &Rid) -> Result<Oid, Problem> {
        let repo = self.repository(rid)?;
        let known = lock(&self.org_agreed).clone();
        if let Some(known) = known.filter(|known| known.counts(&repo)) {
            return convert::oid(known.commit);
        }
        let found = Agreed::read(&repo)?;
        lock(&self.org_agreed).clone_from(&found);
        convert::oid(or_last(found, &repo)?)
    }
}

/// What the delegates agree on; while they do not, what they agreed on last.
pub(super) fn agreed(repo: &Repository) -> Result<Commit, Problem> {
    or_last(Agreed::read(repo)?, repo)
}

fn or_last(found: Option<Agreed>, repo: &Repository) -> Result<Commit, Problem> {
    found.map_or_else(|| Ok(canonical(repo)?.1), |found| Ok(found.commit))
}

/// Where each of these keys' own branches is.
fn tips(repo: &Repository, keys: &[PublicKey]) -> Vec<Option<Commit>> {
    keys.iter().map(|key| tip(repo, key)).collect()
}

/// Where a key's own branch is.
pub(super) fn tip(repo: &Repository, key: &PublicKey) -> Option<Commit> {
    repo.backend.refname_to_id(&own_branch(key, BRANCH)).ok()
}

/// The newest commit that enough of the tips contain. Of several that exclude each other: that of most signatures, then of most
/// commits, then of the smallest name.
fn choose(git: &git2::Repository, tips: &[Option<Commit>], threshold: usize) -> Option<Commit> {
    let tips: Vec<Commit> = tips.iter().flatten().copied().collect();
    let mut found = tips.clone();
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
