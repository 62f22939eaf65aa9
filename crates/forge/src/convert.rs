//! Between Meshwork's names and Radicle's, and from their errors to problems in words.

use domain::{Did, Kind, Oid, PatchId, Problem, RevisionId, Rid};
use radicle::{crypto::PublicKey, identity::RepoId};
use std::fmt::Display;

/// Turns an error of git or Radicle into a problem that says what was being done.
pub(crate) trait Told<T> {
    /// `what` is one sentence.
    fn told(self, what: impl Into<String>) -> Result<T, Problem>;
}

impl<T, E: Display> Told<T> for Result<T, E> {
    fn told(self, what: impl Into<String>) -> Result<T, Problem> {
        self.map_err(|cause| {
            let cause = cause.to_string();
            let problem = Problem::new(Kind::Unavailable, what).because(sentence(&cause));
            if disk_full(&cause) { problem.next("Free some disk space and try again.") } else { problem }
        })
    }
}

/// Whether the words of a cause, which git, the database or the system chose, say that the disk is full.
pub(crate) fn disk_full(cause: &str) -> bool {
    cause.contains("No space left") || cause.contains("disk is full")
}

fn sentence(cause: &str) -> String {
    let mut text = domain::shown(cause);
    if !text.ends_with(['.', '…', '!', '?']) {
        text.push('.');
    }
    text
}

pub(crate) fn repo_id(rid: &Rid) -> Result<RepoId, Problem> {
    rid.as_str().parse().map_err(|_| Problem::invalid(format!("“{rid}” is not a Radicle repository.")))
}

pub(crate) fn rid(id: &RepoId) -> Result<Rid, Problem> {
    id.urn().parse()
}

pub(crate) fn key(did: &Did) -> Result<PublicKey, Problem> {
    Ok(PublicKey::from_bytes(identity::public_key(did)?))
}

pub(crate) fn did(key: &PublicKey) -> Did {
    identity::did(&key.into_inner())
}

pub(crate) fn git_oid(oid: &str) -> Result<git2::Oid, Problem> {
    git2::Oid::from_str(oid).map_err(|_| Problem::invalid(format!("“{}” is not a git object.", domain::shown(oid))))
}

pub(crate) fn rad_oid(oid: &Oid) -> Result<radicle::git::Oid, Problem> {
    git_oid(oid.as_str()).map(Into::into)
}

pub(crate) fn oid(oid: impl Display) -> Result<Oid, Problem> {
    oid.to_string().parse()
}

pub(crate) fn object_id(patch: &PatchId) -> Result<radicle::cob::ObjectId, Problem> {
    git_oid(patch.as_str()).map(|oid| radicle::git::Oid::from(oid).into())
}

pub(crate) fn patch_id(id: impl Display) -> Result<PatchId, Problem> {
    id.to_string().parse()
}

pub(crate) fn revision_id(id: impl Display) -> Result<RevisionId, Problem> {
    id.to_string().parse()
}
