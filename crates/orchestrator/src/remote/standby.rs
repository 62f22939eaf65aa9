//! The gateway of a standby device: for a run that another device of the member asked for, and that cannot reach that one now. The
//! journal here does not know the run: what was signed for it is shown with each stream, and judged anew each time. It is served
//! with this device's own credential, within this device's part of the budgets, and counted in this device's books.

use super::{halt, lock};
use crate::{admission, clock, credentials, gateway::Route, lifecycle, limits, org::Org, rights::Rights, stops};
use domain::{
    Did, Hash, Kind, Problem, RunId, Timestamp,
    event::{kind, spent_by_run},
    manifest::Manifest,
    run::Run,
    usage::Usage,
};
use identity::{Delegation, Envelope, delegation::Scope, envelope};
use proto::mesh::TunnelChunk;
use std::sync::Arc;

/// A run that is served here, though another device asked for it.
pub(super) struct Served {
    run: Run,
    manifest: Hash,
    /// Until when it may be served.
    until: Timestamp,
    route: Arc<Route>,
}

/// What comes with a stream.
struct Shown<'a> {
    /// The run that calls, by its certificate.
    run: &'a RunId,
    /// The device that vouches for the certificate.
    executor: &'a Did,
    /// What the stream is for.
    scope: Scope,
    manifest_json: &'a [u8],
    delegation_json: &'a [u8],
}

/// What of it holds.
#[derive(Debug)]
struct Judged {
    manifest: Manifest,
    hash: Hash,
    until: Timestamp,
}

/// The gateway here of a run whose executor shows what was signed for it.
///
/// # Errors
/// When that does not hold, this device does not stand in for the one that asked, a stop order halts the run, or what the run needs
/// is not here.
pub(super) async fn route(org: &Arc<Org>, run: RunId, executor: Did, first: &TunnelChunk) -> Result<Arc<Route>, Problem> {
    let scope = if first.target == "model" { Scope::Model } else { Scope::Egress };
    let (manifest_json, delegation_json) = (first.manifest_json.clone(), first.delegation_json.clone());
    org.blocking(move |org| {
        let (rights, now) = (org.rights()?, clock::now());
        let shown = Shown { run: &run, executor: &executor, scope, manifest_json: &manifest_json, delegation_json: &delegation_json };
        let judged = judge(&rights, &org.device, &shown, now)?;
        let here: Usage = org.store.get(kind::SPENT, &spent_by_run(&run))?.unwrap_or_default();
        let run = Run { device: Some(executor.clone()), usage: here, ..admission::foreign(&judged.manifest, now) };
        halt::refuse_device(org, &org.device)?;
        halt::refuse_run(org, &run)?;
        if scope == Scope::Model {
            own_credential(org, &rights, &run)?;
        }
        open(org, run, judged, now)
    })
    .await
}

/// Whether this device may serve a run with what it shows.
fn judge(rights: &Rights, here: &Did, shown: &Shown<'_>, now: Timestamp) -> Result<Judged, Problem> {
    let state = &rights.state;
    let asked = Envelope::from_json(shown.manifest_json)?;
    let (manifest, requester) = identity::manifest::open(&asked, |did| state.device_of(did).is_some())?;
    let hash = envelope::hash(&asked);
    let delegation = Delegation::open(&Envelope::from_json(shown.delegation_json)?, now, |signer| *signer == requester)?;
    delegation.fits(&manifest, &hash)?;
    let member = admission::asking(state, &manifest).ok_or_else(|| refused("The org lists no such member with a key on that device."))?;
    let served_until = manifest.expires.plus_ms(lifecycle::delegation_ms(&manifest));
    let wrong = [
        (manifest.org != state.org.name, "It is of another org."),
        (manifest.run != *shown.run, "Its manifest is of another run."),
        (delegation.executor.as_ref() != Some(shown.executor), "It was not delegated to be executed on that device."),
        (!delegation.allows(shown.scope), "It was not delegated to it to go this way."),
        (now > served_until, "Its manifest is too old."),
        (member.standby.as_ref() != Some(here), "Its member did not name this device as the standby device."),
    ];
    if let Some((_, why)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
        return Err(refused(why));
    }
    admission::work_allowed(rights, member, &manifest).map_err(|why| refused(&why))?;
    // The delegation lasts longer, for work that is done and not published yet: that needs no gateway, and keeps no place here.
    Ok(Judged { manifest, hash, until: delegation.until.min(served_until) })
}

fn refused(why: &str) -> Problem {
    Problem::new(Kind::Forbidden, "This device does not stand in as the gateway of this run.")
        .because(why)
        .next("It waits for the device that asked for it; meshwork org standby names a standby device.")
}

/// Refuses where this device has no credential of its own of the name that the agent's model asks for.
fn own_credential(org: &Org, rights: &Rights, run: &Run) -> Result<(), Problem> {
    let agent = rights.state.agents.values().find(|known| Some(&known.name) == run.agent.as_ref());
    let Some(model) = agent.and_then(|agent| agent.model.as_ref()) else { return Ok(()) };
    credentials::here(org, model, &run.project, run.agent.as_ref()).map_err(|problem| {
        Problem::new(Kind::Forbidden, "The standby device has no credential of its own for the model of this run.")
            .because(problem.to_string())
            .next(format!("Set one there: meshwork credential set {}.", model.credential))
    })
}

/// One gateway for all streams of the run, with what it used here.
fn open(org: &Arc<Org>, run: Run, judged: Judged, now: Timestamp) -> Result<Arc<Route>, Problem> {
    let mut served = lock(&org.remote.served);
    served.retain(|_, one| one.until > now);
    if let Some(known) = served.get(&run.id) {
        if known.manifest != judged.hash {
            return Err(refused("It came with another manifest before."));
        }
        let over = known.route.fatal().borrow().clone();
        let Some(reason) = over else { return Ok(known.route.clone()) };
        // Made anew with the next stream: a budget or a key may be another by then.
        served.remove(&run.id);
        return Err(refused(&reason.text()));
    }
    if served.len() >= limits::STANDBY_RUNS_MAX {
        return Err(Problem::new(Kind::Limit, format!("This device stands in for {} runs already.", limits::STANDBY_RUNS_MAX))
            .next("The run waits for the device that asked for it."));
    }
    let route = lifecycle::standby_gateway(org, &run, &judged.manifest)?;
    served.insert(run.id.clone(), Served { run, manifest: judged.hash, until: judged.until, route: route.clone() });
    Ok(route)
}

/// Whether a stop order halts a run that is served here, or this device.
pub(super) fn halted(org: &Org, run: &RunId) -> bool {
    let served = lock(&org.remote.served);
    served.get(run).is_some_and(|one| stops::halting(org, &one.run).is_some() || stops::halted_device(org, &org.device).is_some())
}

#[cfg(test)]
mod tests;
