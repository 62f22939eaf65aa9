//! Asking another device to run something of ours: the signed manifest goes there, a lease or a refusal comes back.

use super::{Reach, client, in_time, lock, probe, reached};
use crate::{clock, limits, org::Org};
use domain::{Did, Problem, RunId, lease::Admission};
use identity::Envelope;
use mesh::{spoken, understood};
use proto::mesh::ScheduleRequest;
use std::sync::Arc;

/// While it lives, a device is being asked for a run.
pub(crate) struct Asking {
    org: Arc<Org>,
    run: RunId,
}

impl Asking {
    /// None: one is being asked already.
    pub(crate) fn begin(org: &Arc<Org>, run: &RunId) -> Option<Self> {
        lock(&org.remote.asking).insert(run.clone()).then(|| Self { org: org.clone(), run: run.clone() })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        lock(&self.org.remote.asking).remove(&self.run);
    }
}

impl super::Remote {
    /// Whether a device is being asked for this run, or executes it already.
    pub(crate) fn busy(&self, run: &RunId) -> bool {
        lock(&self.asking).contains(run) || lock(&self.following).contains_key(run)
    }
}

/// Whether a device answers now. One that was just reached is taken at its word.
///
/// # Errors
/// When it does not, with why.
pub(crate) async fn answers(org: &Arc<Org>, device: &Did) -> Result<(), Problem> {
    let known: Option<Reach> = lock(&org.remote.reach).get(device).cloned();
    let since = i64::try_from(limits::PROBE_FRESH_MS).unwrap_or(i64::MAX);
    let fresh = |reach: &Reach| reach.reachable && reach.heard_at.is_some_and(|at| clock::now().0.saturating_sub(at.0) < since);
    if known.as_ref().is_some_and(fresh) {
        return Ok(());
    }
    let reach = probe(org, device).await;
    if reach.reachable {
        return Ok(());
    }
    Err(Problem::unavailable("It cannot be reached now.").because(reach.problem.unwrap_or_default()))
}

/// Sends a device the signed manifest of a run. Gives its answer, and after which number of its journal it tells of the run.
///
/// # Errors
/// When no answer came, or one that is none. What was sent may have arrived all the same.
pub(crate) async fn schedule(org: &Arc<Org>, device: &Did, sealed: &Envelope, run: &RunId) -> Result<(Admission, u64), Problem> {
    let answered = send(org, device, sealed, run).await;
    match &answered {
        Err(problem) if problem.passes() => reached(org, device, Err(problem)),
        _ => reached(org, device, Ok(())),
    }
    answered
}

async fn send(org: &Arc<Org>, device: &Did, sealed: &Envelope, run: &RunId) -> Result<(Admission, u64), Problem> {
    let request = ScheduleRequest { version: spoken(), manifest_json: sealed.to_json()? };
    let mut client = client(org, device)?;
    let reply = in_time(limits::SCHEDULE_WAIT, client.schedule(request)).await?.into_inner();
    understood(reply.version)?;
    let odd = |what: &str| Problem::invalid(format!("The device answered with {what}."));
    let admission: Admission = serde_json::from_str(&reply.admission_json).map_err(|_| odd("what is no answer"))?;
    match &admission {
        Admission::Leased { lease } if lease.run != *run || lease.device != *device => Err(odd("a lease of something else")),
        Admission::Refused { reasons } if reasons.is_empty() => Err(odd("a refusal without a reason")),
        _ => Ok((admission, reply.after_seq)),
    }
}
