//! Stop orders between devices: carried over, and who is halted by one is cut off.

use super::{called, client, in_time, lock, standby};
use crate::{limits, org::Org, stops};
use domain::{Did, Problem, event::kind, run::Run};
use identity::certificate::Subject;
use mesh::spoken;
use proto::mesh::StopRequest;
use std::{collections::HashSet, sync::Arc};

/// Brings a device the signed envelope of a stop order, or of its lifting.
///
/// # Errors
/// When it cannot be reached, or refuses.
pub(crate) async fn tell_stop(org: &Arc<Org>, device: &Did, envelope_json: Vec<u8>) -> Result<(), Problem> {
    let mut client = client(org, device)?;
    in_time(limits::PROBE_WAIT, client.stop(StopRequest { version: spoken(), envelope_json })).await.map(drop)
}

/// Cuts the connections of devices and runs that stop orders halt. The log warns of each once, and says when it may connect again: whoever
/// is halted comes back every few seconds meanwhile.
pub(crate) fn cut_halted(org: &Org) {
    let stays = |subject: &Subject| match subject {
        Subject::Device { did, .. } => stops::halted_device(org, did).is_none(),
        Subject::Run { run, .. } => {
            let known: Option<Run> = org.store.get(kind::RUN, run.as_str()).ok().flatten();
            known.is_none_or(|run| stops::halting(org, &run).is_none()) && !standby::halted(org, run)
        }
    };
    let connections = org.remote.network.connections();
    // Looked up before: whoever connects meanwhile waits while the connections are gone through, and must not wait for the disk.
    let halted: HashSet<Subject> = connections.subjects().into_iter().filter(|subject| !stays(subject)).collect();
    let cut = connections.cut_unless(|subject| !halted.contains(subject));
    if cut > 0 {
        tracing::debug!(cut, "connections were cut because of a stop order");
    }
    let mut told = lock(&org.remote.halted);
    for subject in halted {
        if !told.contains(&subject) {
            tracing::warn!("the connections of {} are cut because of a stop order, until it is lifted", name(org, &subject));
            told.insert(subject);
        }
    }
    told.retain(|subject| {
        let over = stays(subject);
        if over {
            tracing::info!("no stop order halts {} any more: it may connect again", name(org, subject));
        }
        !over
    });
}

fn name(org: &Org, subject: &Subject) -> String {
    match subject {
        Subject::Device { did, .. } => domain::shown(&called(org, did)),
        Subject::Run { run, .. } => format!("run {run}"),
    }
}

/// Refuses a device that a stop order halts.
///
/// # Errors
/// When one does.
pub(super) fn refuse_device(org: &Org, did: &Did) -> Result<(), Problem> {
    stops::halted_device(org, did).map_or(Ok(()), |stop| Err(halted(&stop)))
}

/// Refuses a run that a stop order halts: it waits until that is lifted.
///
/// # Errors
/// When one does.
pub(super) fn refuse_run(org: &Org, run: &Run) -> Result<(), Problem> {
    stops::halting(org, run).map_or(Ok(()), |stop| Err(halted(&stop)))
}

fn halted(stop: &domain::stop::Stop) -> Problem {
    Problem::unavailable(format!("A stop order halts {}.", stop.order.scope.text()))
        .because(stops::why(stop))
        .next("It goes on when the order is lifted: meshwork stop list.")
}
