//! Whether other devices can be reached: what is known, and looking now.

use super::{client, lock};
use crate::{clock, limits, org::Org};
use domain::{Did, Kind, Problem, Timestamp};
use futures::future::join_all;
use mesh::{OLDEST, VERSION, understood};
use proto::mesh::ProbeRequest;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// How a device was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reach {
    /// Whether it answered the last time.
    pub reachable: bool,
    /// When it answered last, since this process began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether it refused this device as one that the org does not list, and did not answer since.
    #[serde(skip)]
    pub(crate) refused: bool,
}

/// Notes whether a device was reached.
pub(crate) fn reached(org: &Org, device: &Did, outcome: Result<(), &Problem>) -> Reach {
    let mut all = lock(&org.remote.reach);
    let reach = all.entry(device.clone()).or_default();
    match outcome {
        Ok(()) => *reach = Reach { reachable: true, heard_at: Some(clock::now()), problem: None, refused: false },
        Err(problem) => {
            (reach.reachable, reach.problem) = (false, Some(problem.to_string()));
            reach.refused |= mesh::says_unlisted(problem);
        }
    }
    reach.clone()
}

/// Asks a device whether it is there, and speaks a version that works with ours.
pub(crate) async fn probe(org: &Arc<Org>, device: &Did) -> Reach {
    let outcome = ask(org, device).await;
    reached(org, device, outcome.as_ref().copied())
}

/// Asks every other device of the org whether it is there, all at once.
pub(crate) async fn probe_all(org: &Arc<Org>) {
    join_all(others(org).iter().map(|did| probe(org, did))).await;
}

/// Asks one other device of the org, in each round another.
pub(super) async fn probe_next(org: &Arc<Org>, round: u32) {
    let others = others(org);
    let round = usize::try_from(round).unwrap_or_default();
    if let Some(did) = round.checked_rem(others.len()).and_then(|at| others.get(at)) {
        probe(org, did).await;
    }
}

fn others(org: &Org) -> Vec<Did> {
    let state = org.remote.org();
    state.devices.values().map(|device| device.did.clone()).filter(|did| *did != org.device).collect()
}

/// The devices that refuse this one as not listed, where no other takes it.
pub(crate) fn refused_by(org: &Org) -> Vec<Did> {
    let (all, others) = (lock(&org.remote.reach), others(org));
    let known: Vec<(&Did, &Reach)> = all.iter().filter(|(did, _)| others.contains(did)).collect();
    let taken = known.iter().any(|(_, reach)| reach.reachable);
    known.into_iter().filter(|(_, reach)| !taken && reach.refused).map(|(did, _)| did.clone()).collect()
}

/// Tells a device that there is no session between the Radicle nodes. Where it cannot be told, connecting finds out.
pub(super) async fn without_session(org: &Arc<Org>, device: &Did) {
    let request = ProbeRequest { version: VERSION, without_radicle_session: true };
    if let Ok(mut client) = client(org, device) {
        let _ = tokio::time::timeout(limits::PROBE_WAIT, client.probe(request)).await;
    }
}

async fn ask(org: &Arc<Org>, device: &Did) -> Result<(), Problem> {
    let mut client = client(org, device)?;
    let late = |_| Problem::new(Kind::Timeout, "It did not answer in time.");
    let asked = tokio::time::timeout(limits::PROBE_WAIT, client.probe(ProbeRequest { version: VERSION, without_radicle_session: false }))
        .await
        .map_err(late)?;
    let reply = asked.map_err(|s| mesh::problem(&s))?.into_inner();
    understood(reply.version)?;
    if reply.oldest > VERSION {
        return Err(Problem::new(
            Kind::Conflict,
            format!("It understands version {} of the protocol and newer; this is {VERSION}.", reply.oldest),
        )
        .because(format!("This device understands {OLDEST} and newer."))
        .next("Install a newer Meshwork here."));
    }
    Ok(())
}
