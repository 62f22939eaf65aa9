//! Taking a run that another device asks for: admission decides, as for one's own.

use super::{bring, device};
use crate::{admission, fault, lifecycle, org::Org};
use domain::{
    Did, Problem,
    agent::EngineChoice,
    event::kind,
    fence,
    lease::{Admission, Lease},
    manifest::{Manifest, Work},
    placement::Refusal,
    run::Run,
};
use identity::{Envelope, envelope};
use mesh::spoken;
use proto::mesh::ScheduleReply;
use std::sync::Arc;

/// Answers a signed manifest with a lease or a refusal.
pub(super) async fn take(org: &Arc<Org>, caller: &Did, bytes: &[u8]) -> Result<ScheduleReply, Problem> {
    let sealed = Envelope::from_json(bytes)?;
    let before = org.store.head()?.seq.0;
    let (admission, after_seq) = match again(org, caller, &sealed)? {
        // Told again from the beginning: what was said since may have been lost with the first answer.
        Some(lease) => (Admission::Leased { lease }, 0),
        None => {
            let answer = admit(org, caller, sealed.clone()).await?;
            match (&answer, again(org, caller, &sealed)?) {
                // The very same was admitted while this was looked at: who asked twice has it, and is not told otherwise.
                (Admission::Refused { .. }, Some(lease)) => (Admission::Leased { lease }, 0),
                _ => (answer, before),
            }
        }
    };
    let admission_json = fault::said(serde_json::to_string(&admission).map_err(Problem::internal)?);
    Ok(ScheduleReply { version: spoken(), admission_json, after_seq })
}

/// The lease that this very manifest got before, also where its run is over by now: the requester may not have had the answer.
fn again(org: &Org, caller: &Did, sealed: &Envelope) -> Result<Option<Lease>, Problem> {
    let Ok((manifest, _)) = identity::manifest::open(sealed, |signer| signer == caller) else { return Ok(None) };
    let known: Option<Run> = org.store.get(kind::RUN, manifest.run.as_str())?;
    Ok(fence::leased_before(known, caller, envelope::hash(sealed)))
}

async fn admit(org: &Arc<Org>, caller: &Did, sealed: Envelope) -> Result<Admission, Problem> {
    let refused = |reason| Ok(Admission::Refused { reasons: vec![reason] });
    // A manifest of somebody else is not taken from whoever brings it.
    let manifest = match identity::manifest::open(&sealed, |signer| signer == caller) {
        Ok((manifest, _)) if manifest.requester == *caller => manifest,
        Ok(_) => return refused(Refusal::NotAllowed { message: "A device may only ask in its own name.".into() }),
        Err(problem) => return refused(Refusal::Manifest { message: problem.to_string() }),
    };
    if let Some(reason) = lacks(org, caller, &manifest).await? {
        return refused(reason);
    }
    let answer = admission::admit(org, &sealed).await?;
    if let Admission::Leased { lease } = &answer {
        let (run, bytes) = (lease.run.clone(), sealed.to_json()?);
        let placed = org.blocking(move |org| admission::keep_manifest(org, &run, &bytes)).await?;
        org.record(&org.device, placed).await?;
        if let Some(event) = fault::fact_of_tomorrow(org, &lease.run) {
            org.store.append(vec![event]).await?;
        }
        lifecycle::drive(org, lease.run.clone());
    }
    Ok(answer)
}

/// What of the org or of the machine is missing here for this work. News of the org that were not heard yet are fetched first.
async fn lacks(org: &Arc<Org>, caller: &Did, manifest: &Manifest) -> Result<Option<Refusal>, Problem> {
    let Work::Task { agent, .. } = &manifest.work else { return Ok(None) };
    let knows = |org: &Org| -> Result<Option<EngineChoice>, Problem> {
        let state = org.state()?;
        let project = state.projects.values().any(|p| p.name == *manifest.work.project());
        Ok(state.agents.values().find(|a| a.name == *agent && project).map(|a| a.engine.clone()))
    };
    let mut engine = knows(org)?;
    if engine.is_none() {
        let from = device(org, caller)?;
        if let Err(problem) = bring::fetch(org, &org.rid, &from).await {
            tracing::warn!(%problem, "news of the org could not be fetched from the device that asks");
        }
        engine = knows(org)?;
    }
    Ok(match engine {
        None => Some(Refusal::NotAllowed {
            message: format!("The org repository, as it is known there, has no agent {agent} or no project {}.", manifest.work.project()),
        }),
        Some(EngineChoice::Profile { name }) if engine::installed(&name, &org.engines).is_none() => Some(Refusal::Engine { engine: name }),
        Some(_) => None,
    })
}
