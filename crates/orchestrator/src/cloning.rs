//! Cloning a repository from other nodes. It waits for the network, and nobody else waits for it.

use crate::{limits, org::Org};
use domain::{Did, Kind, Problem, ProjectName, Rid, actor::Actor, event::Body};
use std::{net::SocketAddr, sync::Arc};

/// Refuses a repository that is a project of the org already, and a name that one of them has.
///
/// # Errors
/// Then, and when the org cannot be read.
pub(crate) fn free(org: &Org, name: &ProjectName, rid: Option<&Rid>) -> Result<(), Problem> {
    let projects = org.state()?.projects;
    if let Some(known) = projects.values().find(|p| rid == Some(&p.rid)) {
        let name = &known.name;
        return Err(Problem::conflict(format!("This repository is the project {name} already."))
            .next(format!("meshwork project show {name} shows it; meshwork project pull takes in new commits of a working copy.")));
    }
    if projects.values().any(|p| p.name == *name) {
        return Err(Problem::conflict(format!("There is a project “{name}” already.")).next("Give another name with --name."));
    }
    Ok(())
}

/// A node that may have the repository.
#[derive(Clone, Debug)]
struct Source {
    did: Did,
    /// None: it is connected.
    address: Option<SocketAddr>,
}

/// Fetches a repository from the first of these nodes that has it, each given as `did:key:z6Mk…@host:port`; without any, from
/// those that are connected. The journal says whom is asked.
///
/// # Errors
/// When no node gives it in time.
pub(crate) async fn fetch(org: &Arc<Org>, actor: &Actor, rid: &Rid, seeds: &[String]) -> Result<(), Problem> {
    let mut reasons = Vec::new();
    for source in sources(org, seeds).await?.into_iter().take(limits::CLONE_NODES_MAX) {
        org.record(actor, vec![Body::ProjectFetching { rid: rid.clone(), from: source.did.clone() }]).await?;
        match fetch_from(org, rid, source.clone()).await {
            Ok(()) => return Ok(()),
            Err(problem) => reasons.push(format!("{}: {problem}", source.did)),
        }
    }
    Err(Problem::unavailable(format!("No node gave the repository {rid}."))
        .because(if reasons.is_empty() { "No other node is connected.".to_owned() } else { reasons.join(" ") })
        .next("Give a node that has it with --seed did:key:…@host:port; if it is private, its delegates must allow this device first."))
}

async fn fetch_from(org: &Arc<Org>, rid: &Rid, source: Source) -> Result<(), Problem> {
    let (node, rid) = (org.node()?, rid.clone());
    let fetched = org.blocking(move |org| org.forge.clone_project(&rid, &source.did, source.address, &node).map(drop));
    let mut closing = org.closing.subscribe();
    tokio::select! {
        fetched = tokio::time::timeout(limits::CLONE_WAIT, fetched) => {
            fetched.map_err(|_| {
                Problem::new(Kind::Timeout, "The node did not give it in time.").next("Try again, or name another node with --seed.")
            })?
        }
        _ = closing.wait_for(|c| *c) => Err(Problem::unavailable("Meshwork is being stopped.")),
    }
}

async fn sources(org: &Arc<Org>, seeds: &[String]) -> Result<Vec<Source>, Problem> {
    if !seeds.is_empty() {
        return seeds.iter().map(|text| source(text)).collect();
    }
    let node = org.node()?;
    let peers = org.blocking(move |_| Ok(node.health().peers)).await?;
    Ok(peers.into_iter().filter(|p| p.connected.is_some()).map(|p| Source { did: p.did, address: None }).collect())
}

fn source(text: &str) -> Result<Source, Problem> {
    let wrong =
        || Problem::invalid(format!("“{}” is not a node's address.", domain::shown(text))).next("Give it as did:key:z6Mk…@127.0.0.1:8776.");
    let (did, address) = text.split_once('@').ok_or_else(wrong)?;
    Ok(Source { did: did.parse()?, address: Some(address.parse().map_err(|_| wrong())?) })
}
