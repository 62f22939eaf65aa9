//! Who may call what: decided anew for every call, by the key of the caller's certificate and the org repository as `members.rs`
//! read it last.

use super::{
    apart,
    halt::{refuse_device, refuse_run},
};
use crate::{org::Org, rights};
use domain::{Did, Kind, Problem, RunId, event::kind, run::Run};
use identity::certificate::Subject;
use mesh::Peer;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tonic::Request;

/// The device that calls.
///
/// # Errors
/// When a run calls, nobody that is known, one that a stop order halts, or one that is kept out for its version.
pub(super) fn device<T>(org: &Org, request: &Request<T>) -> Result<Did, Problem> {
    let did = even_halted(org, request)?;
    refuse_device(org, &did)?;
    apart(org, &did).map_or(Ok(()), Err)?;
    Ok(did)
}

/// The device that calls, also where a stop order halts it: it may hear of that, and be heard.
///
/// # Errors
/// As [`device`].
pub(super) fn even_halted<T>(org: &Org, request: &Request<T>) -> Result<Did, Problem> {
    match peer(org, request)?.subject {
        Subject::Device { did, .. } => Ok(did),
        Subject::Run { .. } => Err(Problem::new(Kind::Forbidden, "A run may only reach its gateway.")),
    }
}

/// The run that calls, and the device that vouches for it. Its certificate is renewed; so must its connection be.
///
/// # Errors
/// When a device calls, or the certificate is too old.
pub(super) fn run<T>(org: &Org, request: &Request<T>) -> Result<(RunId, Did), Problem> {
    let peer = peer(org, request)?;
    if peer.since.elapsed() > Duration::from_millis(identity::limits::RUN_CERTIFICATE_MS) {
        return Err(Problem::new(Kind::Unauthenticated, "The run's certificate is too old for this connection.").next("Connect anew."));
    }
    match peer.subject {
        Subject::Run { run, issuer, .. } => Ok((run, issuer)),
        Subject::Device { .. } => Err(Problem::new(Kind::Forbidden, "Only a run may use a gateway, with a certificate of its own.")),
    }
}

fn peer<T>(org: &Org, request: &Request<T>) -> Result<Peer, Problem> {
    let unknown = || Problem::new(Kind::Unauthenticated, "No device of this org calls.");
    let peer = request.extensions().get::<Peer>().cloned().ok_or_else(unknown)?;
    let listed = *peer.subject.org() == org.name && org.remote.org().device_of(peer.subject.device()).is_some();
    if listed { Ok(peer) } else { Err(unknown()) }
}

/// A run that this device executes for the caller. One of somebody else and one that there is not look the same.
///
/// # Errors
/// When it is none.
pub(super) fn executed_for(org: &Org, run: &str, caller: &Did) -> Result<Run, Problem> {
    find(org, run, |r| r.requester == *caller && r.device.as_ref() == Some(&org.device))
}

/// A run whose log lies here, if the caller may read it: it asked for the run, or a member with a key on it may see the run's log. To
/// others it looks as if there was none.
///
/// # Errors
/// When it is none of these.
pub(super) async fn whose_log(org: &Arc<Org>, run: &str, caller: &Did) -> Result<Run, Problem> {
    if let Ok(run) = executed_for(org, run, caller) {
        return Ok(run);
    }
    let here = find(org, run, |r| r.requester == org.device || r.device.as_ref() == Some(&org.device))?;
    let (caller, about) = (caller.clone(), json!({ "run": here.id }));
    let may = org.blocking(move |org| {
        let rights = org.rights()?;
        let resources = rights::about(org, &rights.state, "run.logs", &about);
        for member in rights.state.members.values().filter(|member| member.has_key_on(&caller)) {
            if rights.decide_all(&rights::person(member), "run.logs", &resources)?.allowed {
                return Ok(true);
            }
        }
        Ok(false)
    });
    if may.await? { Ok(here) } else { Err(Problem::not_found("There is no such run between these devices.")) }
}

/// A run that this device asked the caller for.
///
/// # Errors
/// When it is none.
pub(super) fn asked_of(org: &Org, run: &str, caller: &Did) -> Result<Run, Problem> {
    let run = find(org, run, |r| r.elsewhere(&org.device) == Some(caller))?;
    refuse_run(org, &run)?;
    Ok(run)
}

fn find(org: &Org, run: &str, fits: impl Fn(&Run) -> bool) -> Result<Run, Problem> {
    let none = || Problem::not_found("There is no such run between these devices.");
    let id: RunId = run.parse().map_err(|_| none())?;
    org.store.get::<Run>(kind::RUN, id.as_str())?.filter(fits).ok_or_else(none)
}
