//! Writes with a key of this device, so that fetches do not undo them. All of it is to be called in that key's turn.
//!
//! The node sets what it fetches of any key but its own to what is signed where it fetches from (radicle-fetch 0.21, `state.rs`), the
//! member's among them. A fetch that began before a write sets that back, or takes it away: before it is signed, and nothing comes of it;
//! or after, and whatever the key signs next would take it back. So each write looks at what its signature names, and is made again.

use crate::{
    convert::Told,
    limits,
    line::{ASIDE, REJOINED},
    patch::leaves_out,
    repository::{contains, follow_delegates, locked_ref},
};
use domain::Problem;
use git2::{ErrorCode, Oid, Repository as Git};
use radicle::crypto::{PublicKey, Signer};
use radicle::storage::{
    SignRepository,
    git::Repository,
    refs::{FeatureLevel, SignedRefs},
};
use std::{cell::LazyCell, collections::BTreeMap, fmt::Display};

/// Refs of one key, by their names without its namespace, and where they are.
pub(crate) type Refs = BTreeMap<String, Oid>;

/// What a key signed last.
pub(crate) fn signed(repo: &Repository, key: &PublicKey) -> Result<Refs, Problem> {
    let signed = SignedRefs::load(*key, repo).told("Signed refs could not be read.")?;
    Ok(signed.as_ref().map(names).unwrap_or_default())
}

/// What a key signed at one commit of its line.
///
/// # Errors
/// When that is not here, not the key's, or a copy of an older one of its line.
pub(crate) fn signed_at(repo: &Repository, key: &PublicKey, at: Oid) -> Result<Refs, Problem> {
    let what = "Signed refs could not be read.";
    match SignedRefs::load_at(at.into(), *key, repo).told(what)? {
        Some(signed) if Oid::from(signed.at) == at && signed.feature_level() >= FeatureLevel::Parent => Ok(names(&signed)),
        _ => Err(Problem::invalid(what).because(format!("What is signed at {at} does not say what it follows."))),
    }
}

fn names(signed: &SignedRefs) -> Refs {
    signed.refs().iter().map(|(name, at)| (name.as_str().to_owned(), Oid::from(*at))).collect()
}

/// Brings a key's refs forward to what it has signed, where they are behind that or gone; says whether any were.
pub(crate) fn forward(repo: &Repository, key: &PublicKey) -> Result<bool, Problem> {
    let Ok(signed) = signed(repo, key) else { return Ok(false) };
    let (left, mut moved) = (LazyCell::new(|| left(repo, key, &signed)), false);
    for (name, at) in &signed {
        let now = match repo.backend.refname_to_id(&whole(key, name)) {
            Ok(now) => Some(now),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(_) => continue,
        };
        if is_lost(&repo.backend, name, now, *at, &left) {
            set(repo, key, name, *at)?;
            moved = true;
        }
    }
    if moved {
        follow_delegates(repo);
    }
    Ok(moved)
}

/// Sets these refs of a key, and signs all that it has, until the signature names them, and what it named before.
pub(crate) fn sign(repo: &Repository, key: &impl Signer, mut wanted: Refs) -> Result<(), Problem> {
    let public = key.public_key();
    let before = signed(repo, public)?;
    for _ in 0..limits::SET_BACK_TRIES {
        for (name, to) in &wanted {
            set(repo, public, name, *to)?;
        }
        let now = names(&repo.sign_refs(key).told("The refs of the key could not be signed.")?);
        let mut lost = lost(repo, public, &before, &now);
        lost.retain(|name, _| !wanted.contains_key(name));
        if lost.is_empty() && wanted.iter().all(|(name, to)| now.get(name) == Some(to)) {
            return Ok(());
        }
        wanted.append(&mut lost);
    }
    Err(set_back())
}

/// Runs `write`, by which Radicle changes an object and signs; again, where nothing came of it, or where it does not follow what the key
/// had signed of the object before. The answer of `write` has the object's ref as [`object`] says it; none: nothing was to be changed.
/// What Radicle leaves out of a patch nothing can follow: that is kept beside, and the change goes on from what counts.
///
/// # Errors
/// As of `write`; when signed refs cannot be read; and when that happens again and again.
pub(crate) fn written<T>(
    repo: &Repository,
    key: &impl Signer,
    mut write: impl FnMut() -> Result<(T, Option<String>), Problem>,
) -> Result<T, Problem> {
    let (before, mut left_out) = (signed(repo, key.public_key())?, None);
    for _ in 0..limits::SET_BACK_TRIES {
        let (done, name) = match write() {
            Ok(written) => written,
            // It may have built on what was just set back.
            Err(_) if forward(repo, key.public_key())? => continue,
            Err(problem) => return Err(problem),
        };
        let Some(name) = name else { return Ok(done) };
        let after = signed(repo, key.public_key())?;
        let (then, now) = (before.get(&name).copied(), after.get(&name).copied());
        let follows = |now: Oid, then: Oid| contains(&repo.backend, now, then) || left_out == Some(then);
        if now.is_some_and(|now| then.is_none_or(|then| now != then && follows(now, then))) {
            let mut wanted = lost(repo, key.public_key(), &before, &after);
            wanted.extend(left_out.map(|at| (format!("{LEFT_OUT}{:.12}", at.to_string()), at)));
            if !wanted.is_empty() {
                sign(repo, key, wanted)?;
            }
            return Ok(done);
        }
        tracing::info!(repo = %repo.id.urn(), %name, "what was signed before does not stand before its change; it is changed again");
        if let Some(then) = then {
            sign(repo, key, Refs::from([(name.clone(), then)]))?;
            let stands = || repo.backend.refname_to_id(&whole(key.public_key(), &name)).is_ok_and(|at| at == then);
            left_out = (stands() && leaves_out(repo, &name, then) && stands()).then_some(then);
        }
    }
    Err(set_back())
}

/// Where a key keeps what it said of a patch and Radicle leaves out.
const LEFT_OUT: &str = "refs/heads/left-out/";

/// A key's ref of an object of Radicle.
pub(crate) fn object(kind: impl Display, id: impl Display) -> String {
    format!("refs/cobs/{kind}/{id}")
}

/// What was signed before, and is not any more.
fn lost(repo: &Repository, key: &PublicKey, before: &Refs, now: &Refs) -> Refs {
    let left = LazyCell::new(|| left(repo, key, before));
    let gone = before.iter().filter(|(name, at)| is_lost(&repo.backend, name, now.get(*name).copied(), **at, &left));
    gone.map(|(name, at)| (name.clone(), *at)).collect()
}

/// What the key had signed on lines that it joined since: a fetch that began before that sets its refs to what is there.
fn left(repo: &Repository, key: &PublicKey, signed: &Refs) -> Vec<Refs> {
    let joined = signed.iter().filter(|(name, _)| name.starts_with(REJOINED));
    joined.filter_map(|(_, at)| signed_at(repo, key, *at).ok()).collect()
}

/// Whether a ref is behind what was signed, where a line that was left had it, or gone. Of those that are gone only what such a fetch takes
/// away counts, since it was not signed before: what a key says in a patch first, a patch's branch, what is made when lines are joined, and
/// what is kept of what Radicle leaves out. Another branch somebody may have removed.
fn is_lost(git: &Git, name: &str, now: Option<Oid>, signed: Oid, left: &LazyCell<Vec<Refs>, impl FnOnce() -> Vec<Refs>>) -> bool {
    // What an ordinary write moves goes on from what was signed: for it the lines that were left are not read.
    let was_left = |now: Oid| !contains(git, now, signed) && left.iter().any(|refs| refs.get(name) == Some(&now));
    match now {
        Some(now) => now != signed && (contains(git, signed, now) || was_left(now)),
        None => TAKEN.iter().any(|of| name.starts_with(of)) && git.find_commit(signed).is_ok(),
    }
}

/// Of what begins so a fetch may have taken away what was signed for the first time meanwhile.
const TAKEN: [&str; 5] = ["refs/cobs/", "refs/heads/patches/", REJOINED, ASIDE, LEFT_OUT];

pub(crate) fn set(repo: &Repository, key: &PublicKey, name: &str, to: Oid) -> Result<(), Problem> {
    let name = whole(key, name);
    locked_ref(|| repo.backend.reference(&name, to, true, "meshwork").map(drop)).told("A ref could not be set.")
}

/// The whole name of a key's ref.
pub(crate) fn whole(key: &PublicKey, name: &str) -> String {
    format!("refs/namespaces/{}/{name}", key.to_human())
}

fn set_back() -> Problem {
    Problem::conflict("What was written was set back each time.")
        .because("Other devices are fetched from at the same time.")
        .next("Try again.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{convert, review::tests::with_patch};

    /// A fetch that began before takes away what was signed for the first time meanwhile.
    #[test]
    fn what_radicle_leaves_out_of_a_patch_stays_kept_though_a_fetch_takes_it_away() {
        let home = tempfile::tempdir().unwrap();
        let (forge, rid, _) = with_patch(home.path());
        let (repo, key) = (forge.repository(&rid).unwrap(), forge.member_key());
        let head = convert::git_oid(forge.head(&rid).unwrap().as_str()).unwrap();
        let kept = format!("{LEFT_OUT}0123456789ab");
        let write = |name: &str| sign(&repo, &forge.member, Refs::from([(name.to_owned(), head)])).unwrap();
        let stands = || repo.backend.refname_to_id(&whole(key, &kept)).is_ok_and(|at| at == head);
        let take_away = || repo.backend.find_reference(&whole(key, &kept)).unwrap().delete().unwrap();

        write(&kept);
        take_away();
        assert!(forward(&repo, key).unwrap() && stands());

        take_away();
        write("refs/heads/other");
        assert!(stands() && signed(&repo, key).unwrap().get(&kept) == Some(&head), "what is signed next names it");
    }
}
