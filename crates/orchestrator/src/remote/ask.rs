//! Asking another device to run something of ours: the signed manifest goes there, a lease or a refusal comes back.

use super::{client, follow, lock, reached};
use crate::{dispatch, limits, org::Org};
use domain::{Did, Kind, Problem, RunId, lease::Admission};
use identity::Envelope;
use mesh::{problem, says_apart, spoken, understood};
use proto::mesh::ScheduleRequest;
use std::sync::Arc;

impl super::Remote {
    /// Whether a device is being asked for this run, or executes it already.
    pub(crate) fn busy(&self, run: &RunId) -> bool {
        lock(&self.asking).contains(run) || lock(&self.following).contains(run)
    }
}

/// Asks a device for a run, in the background; a device that is far away holds up nobody else.
pub(crate) fn ask(org: &Arc<Org>, run: &RunId, device: &Did, sealed: Envelope) {
    if !lock(&org.remote.asking).insert(run.clone()) {
        return;
    }
    let (asking, run, device) = (org.clone(), run.clone(), device.clone());
    org.tasks.spawn(async move {
        let mut closing = asking.closing.subscribe();
        let answered = tokio::select! {
            answered = schedule(&asking, &device, &sealed, &run) => Some(answered),
            _ = closing.wait_for(|c| *c) => None,
        };
        let noted = match answered {
            Some(Ok((Admission::Leased { .. }, after))) => {
                follow(&asking, &run, &device, after);
                Ok(())
            }
            Some(Ok((Admission::Refused { reasons }, _))) => dispatch::refused_elsewhere(&asking, &run, &device, reasons).await,
            // What was sent may have arrived: the very same is sent again.
            Some(Err(problem)) => {
                if says_apart(&problem) {
                    reached(&asking, &device, Err(&problem));
                }
                dispatch::unanswered(&asking, &run, &problem).await
            }
            None => Ok(()),
        };
        if let Err(problem) = noted {
            tracing::error!(%run, %problem, "what a device answered could not be noted; it is asked again");
        }
        lock(&asking.remote.asking).remove(&run);
    });
}

async fn schedule(org: &Arc<Org>, device: &Did, sealed: &Envelope, run: &RunId) -> Result<(Admission, u64), Problem> {
    let request = ScheduleRequest { version: spoken(), manifest_json: sealed.to_json()? };
    let mut client = client(org, device)?;
    let late = |_| Problem::new(Kind::Timeout, "It did not answer in time.");
    let reply = tokio::time::timeout(limits::SCHEDULE_WAIT, client.schedule(request)).await.map_err(late)?;
    let reply = reply.map_err(|s| problem(&s))?.into_inner();
    understood(reply.version)?;
    let odd = |what: &str| Problem::invalid(format!("The device answered with {what}."));
    let admission: Admission = serde_json::from_str(&reply.admission_json).map_err(|_| odd("what is no answer"))?;
    match &admission {
        Admission::Leased { lease } if lease.run != *run || lease.device != *device => Err(odd("a lease of something else")),
        Admission::Refused { reasons } if reasons.is_empty() => Err(odd("a refusal without a reason")),
        _ => Ok((admission, reply.after_seq)),
    }
}
