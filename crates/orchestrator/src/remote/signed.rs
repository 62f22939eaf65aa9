//! What another device has of the repositories that are here, by digests of what is signed there. Radicle tells of a change once: where
//! that is lost, or a fetch fails that came of it, only comparing finds out.

use super::{client, in_time, lock};
use crate::{limits, org::Org};
use domain::{Did, Hash, Kind, Problem, Rid};
use mesh::spoken;
use proto::mesh::SignedRequest;
use std::{
    collections::HashMap,
    slice,
    sync::{Arc, Mutex},
    time::Instant,
};

/// The digests of what is signed here, and since when they count: for one, all refs of a repository are walked over. Where there is none,
/// something was signed then.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<Rid, (Instant, Option<Hash>)>>);

impl Digests {
    fn get(&self, rid: &Rid) -> Option<Hash> {
        let known = lock(&self.0);
        known.get(rid).filter(|(at, _)| at.elapsed() < limits::SIGNED_COUNTS).and_then(|(_, digest)| digest.clone())
    }

    /// Keeps what was found by looking since then, unless something was signed meanwhile.
    fn put(&self, rid: &Rid, at: Instant, digest: &Hash) {
        let mut known = lock(&self.0);
        // Projects come and go.
        known.retain(|_, (at, _)| at.elapsed() < limits::SIGNED_COUNTS);
        if known.get(rid).is_none_or(|(last, _)| *last < at) {
            known.insert(rid.clone(), (at, Some(digest.clone())));
        }
    }

    /// Something was signed there.
    pub(super) fn forget(&self, rid: &Rid) {
        lock(&self.0).insert(rid.clone(), (Instant::now(), None));
    }
}

/// What is signed here in each of these repositories, in their order; nothing of those that are not here, or that the caller may not read.
///
/// # Errors
/// When too many are asked for.
pub(super) async fn tell(org: &Arc<Org>, caller: Did, asked: Vec<String>) -> Result<Vec<String>, Problem> {
    if asked.len() > limits::SIGNED_ASKED_MAX {
        let what = format!("It was asked what is signed in {} repositories.", asked.len());
        return Err(Problem::new(Kind::Limit, what).because(format!("{} are possible at once.", limits::SIGNED_ASKED_MAX)));
    }
    org.blocking(move |org| Ok(asked.iter().map(|rid| told(org, &caller, rid).map_or_else(String::new, String::from)).collect())).await
}

fn told(org: &Org, caller: &Did, rid: &str) -> Option<Hash> {
    digest(org, &readable(org, caller, rid)?).ok()
}

/// The repository of this id, where it is here, is the org's or that of a project, and the caller may read it.
pub(super) fn readable(org: &Org, caller: &Did, rid: &str) -> Option<Rid> {
    let rid: Rid = rid.parse().ok()?;
    let ours = rid == org.rid || org.remote.org().projects.values().any(|project| project.rid == rid);
    if !ours || !org.forge.has(&rid) {
        return None;
    }
    let readers = org.forge.readers(&rid, slice::from_ref(caller)).ok()?;
    readers.is_none_or(|readers| readers.contains(caller)).then_some(rid)
}

/// The digest of what is signed here in a repository, as it was after the last change that the node told of.
///
/// # Errors
/// When the repository cannot be read.
pub(super) fn digest(org: &Org, rid: &Rid) -> Result<Hash, Problem> {
    if let Some(digest) = org.remote.signed.get(rid) {
        return Ok(digest);
    }
    let at = Instant::now();
    let digest = org.forge.signed_by_all(rid)?;
    org.remote.signed.put(rid, at, &digest);
    Ok(digest)
}

/// What is signed at another device in each of these repositories; of those that it has, and that may be read here.
///
/// # Errors
/// When it does not answer, or its version and ours do not work together.
pub(super) async fn ask(org: &Arc<Org>, did: &Did, mut of: Vec<Rid>) -> Result<Vec<(Rid, Hash)>, Problem> {
    of.truncate(limits::SIGNED_ASKED_MAX);
    let request = SignedRequest { version: spoken(), repositories: of.iter().map(ToString::to_string).collect() };
    let mut client = client(org, did)?;
    let signed = in_time(limits::SIGNED_WAIT, client.signed(request)).await?.into_inner().signed;
    Ok(of.into_iter().zip(signed).filter_map(|(rid, signed)| Some((rid, signed.parse().ok()?))).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_digest_counts_until_something_is_signed_or_it_is_old() {
        let rids = ["rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "rad:zp7DoqEYEsQMi4WzHtJ8Ki6D4jfG"].map(|rid| rid.parse::<Rid>().unwrap());
        let (digests, digest, now) = (Digests::default(), Hash::from_bytes([1; 32]), Instant::now());
        digests.put(&rids[0], now, &digest);
        assert_eq!(digests.get(&rids[0]), Some(digest.clone()));
        digests.forget(&rids[0]);
        assert_eq!(digests.get(&rids[0]), None);
        digests.put(&rids[0], now, &digest);
        assert_eq!(digests.get(&rids[0]), None, "it was looked before something was signed");
        let later = Instant::now();
        digests.put(&rids[0], later, &digest);
        assert_eq!(digests.get(&rids[0]), Some(digest.clone()));
        // The clock of a machine that was just started does not go back that far.
        let Some(old) = now.checked_sub(limits::SIGNED_COUNTS) else { return };
        digests.put(&rids[1], old, &digest);
        assert_eq!(digests.get(&rids[1]), None);
        digests.put(&rids[0], Instant::now(), &digest);
        assert_eq!(lock(&digests.0).len(), 1, "what counts no more is not kept");
    }
}
