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
use radicle::identity::Doc;
use radicle::storage::{ReadRepository, git::Repository};
use std::time::Instant;

const NO_IDENTITY: &str = "The identity of the org repository cannot be read.";

/// What the delegates agreed on last, by what that was read from.
#[derive(Debug)]
pub(crate) struct Agreed {
    rid: Rid,
    /// The commit of the document that names the delegates.
    document: Commit,
    delegates: Vec<PublicKey>,
    tips: Vec<Option<Commit>>,
    commit: Commit,
    /// Until when it counts: what could not be read for a moment is not missed for longer.
    until: Instant,
}

impl Forge {
    /// The commit of the org repository that is in force, whether or not its files are in order.
    pub fn org_head(&self, rid: &Rid) -> Result<Oid, Problem> {
        let repo = self.repository(rid)?;
        let document = repo.identity_head().told(NO_IDENTITY)?.into();
        let counts = |known: &Agreed| {
            (&known.rid, known.document) == (rid, document) && Instant::now() < known.until && known.tips == tips(&repo, &known.delegates)
        };
        if let Some(known) = lock(&self.org_agreed).as_ref().filter(|known| counts(known)) {
            return convert::oid(known.commit);
        }
        let doc = repo.identity_doc_at(document.into()).told(NO_IDENTITY)?;
        let delegates = delegates(&doc);
        let tips = tips(&repo, &delegates);
        let Some(commit) = choose(&repo.backend, &tips, doc.threshold()) else { return convert::oid(canonical(&repo)?.1) };
        let until = Instant::now() + limits::ORG_HEAD_COUNTS;
        *lock(&self.org_agreed) = Some(Agreed { rid: rid.clone(), document, delegates, tips, commit, until });
        convert::oid(commit)
    }
}

/// What the delegates agree on; while they do not, what they agreed on last.
pub(super) fn agreed(repo: &Repository) -> Result<Commit, Problem> {
    let doc = repo.identity_doc().told(NO_IDENTITY)?;
    match choose(&repo.backend, &tips(repo, &delegates(&doc)), doc.threshold()) {
        Some(commit) => Ok(commit),
        None => Ok(canonical(repo)?.1),
    }
}

fn delegates(doc: &Doc) -> Vec<PublicKey> {
    doc.delegates().iter().take(limits::OWNERS_MAX).map(|delegate| *delegate.as_key()).collect()
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
