//! Bringing a repository from another device: over Radicle, from its node.

use super::{device, reach};
use crate::{lifecycle, limits, org::Org};
use domain::{Problem, Rid, manifest::Work, org::Device, run::Run};
use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

/// Fetches, from the device that asked for a run, the repository that it works at.
///
/// # Errors
/// When what the run needs of it is not here and cannot be had.
pub(crate) async fn bring(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    crate::fault::fetch_held(org).await;
    let wanted = run.clone();
    let (from, work) = org.blocking(move |org| Ok((device(org, &wanted.requester)?, lifecycle::manifest(org, &wanted)?.0.work))).await?;
    let (rid, commits) = match work {
        Work::Task { repository, definitions, base, .. } => (repository, [definitions, base]),
        Work::Checks { repository, definitions, commit, .. } => (repository, [definitions, commit]),
    };
    let Err(problem) = fetch(org, &rid, &from).await else { return Ok(()) };
    let there = move |org: &Arc<Org>| Ok(commits.iter().all(|commit| org.forge.has_commit(&rid, commit).unwrap_or(false)));
    if org.blocking(there).await? {
        tracing::warn!(run = %run.id, %problem, "the repository was not fetched anew; what is here will do");
        return Ok(());
    }
    Err(problem)
}

/// Fetches everything of a repository from a device, a few times at most.
pub(super) async fn fetch(org: &Arc<Org>, rid: &Rid, from: &Device) -> Result<(), Problem> {
    let mut last = Ok(());
    for _ in 0..limits::FETCH_TRIES {
        last = fetch_once(org, rid, from).await;
        if last.is_ok() {
            break;
        }
        tokio::time::sleep(limits::REMOTE_PAUSE).await;
    }
    last
}

/// Fetches everything of a repository from a device, whose node is connected first where it is not.
pub(super) async fn fetch_once(org: &Arc<Org>, rid: &Rid, from: &Device) -> Result<(), Problem> {
    session(org, from).await?;
    let (rid, did) = (rid.clone(), from.did.clone());
    org.blocking(move |org| org.forge.clone_project(&rid, &did, None, &*org.node()?).map(drop)).await
}

/// Connects the Radicle node to that of a device, unless it is. A session from before, in which the other side still believes, would
/// keep it from taking us in for a minute: so it is told first. Who does not answer, and is not heard by gossip, is not called: Radicle
/// 0.21 sets its calls no time, the kernel tries one for two minutes, at ever longer intervals, and it stands in the way of the next.
pub(super) async fn session(org: &Arc<Org>, with: &Device) -> Result<(), Problem> {
    let did = with.did.clone();
    if org.blocking(move |org| Ok(org.node()?.connected().contains_key(&did))).await? {
        return Ok(());
    }
    if with.radicle.is_empty() {
        return Err(Problem::unavailable(format!("No address of the Radicle node of {} is known.", with.name))
            .next("Start meshwork up there; its address is then in its file of the org repository."));
    }
    let told = reach::without_session(org, &with.did).await;
    if !org.remote.hears(&with.did) && !with.addresses.is_empty() {
        told?;
    }
    let with = with.clone();
    org.blocking(move |org| {
        let node = org.node()?;
        let nowhere = Problem::unavailable(format!("No address of the Radicle node of {} leads anywhere.", with.name));
        let mut last =
            Err(nowhere.next(format!("Ask an owner to say where it is: meshwork org device {} --radicle HOST:PORT.", with.name)));
        for address in addresses(&with) {
            last = node.connect(&with.did, address);
            if last.is_ok() {
                break;
            }
        }
        last
    })
    .await
}

fn addresses(device: &Device) -> impl Iterator<Item = SocketAddr> {
    device.radicle.iter().filter_map(|text| text.to_socket_addrs().ok()?.next())
}
