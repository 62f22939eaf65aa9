//! What another device has of the repositories that are here, by digests of what is signed there. Radicle tells of a change once: where
//! that is lost, or a fetch fails that came of it, only comparing finds out.

use super::{client, lock};
use crate::{limits, org::Org};
use domain::{Did, Hash, Kind, Problem, Rid};
use mesh::{problem, spoken};
use proto::mesh::SignedRequest;
use std::{
    collections::HashMap,
    slice,
    sync::{Arc, Mutex},
    time::Instant,
};

/// The digests of what is signed here, and since when they count.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<Rid, (Instant, Hash)>>);

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
    let rid: Rid = rid.parse().ok()?;
    let ours = rid == org.rid || org.remote.org().projects.values().any(|project| project.rid == rid);
    if !ours || !org.forge.has(&rid) {
        return None;
    }
    let readers = org.forge.readers(&rid, slice::from_ref(caller)).ok()?;
    let may = readers.is_none_or(|readers| readers.contains(caller));
    may.then(|| digest(org, &rid).ok())?
}

/// The digest of what is signed here in a repository, as it was a moment ago: all devices ask for the same.
///
/// # Errors
/// When the repository cannot be read.
pub(super) fn digest(org: &Org, rid: &Rid) -> Result<Hash, Problem> {
    let known = lock(&org.remote.signed.0).get(rid).cloned();
    if let Some((_, digest)) = known.filter(|(at, _)| at.elapsed() < limits::SIGNED_COUNTS) {
        return Ok(digest);
    }
    let at = Instant::now();
    let digest = org.forge.signed_by_all(rid)?;
    lock(&org.remote.signed.0).insert(rid.clone(), (at, digest.clone()));
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
    let late = |_| Problem::new(Kind::Timeout, "It did not answer in time.");
    let reply = tokio::time::timeout(limits::PROBE_WAIT, client.signed(request)).await.map_err(late)?;
    let signed = reply.map_err(|status| problem(&status))?.into_inner().signed;
    Ok(of.into_iter().zip(signed).filter_map(|(rid, signed)| Some((rid, signed.parse().ok()?))).collect())
}
