//! Taking a run that another device asks for: admission decides, as for one's own.

use super::{bring, device};
use crate::{
    admission::{self, Asked},
    fault, lifecycle, limits,
    org::Org,
};
use domain::{
    Did, Problem,
    agent::EngineChoice,
    event::kind,
    fence,
    lease::{Admission, Lease},
    manifest::Work,
    placement::Refusal,
    run::Run,
};
use forge::OrgState;
use identity::Envelope;
use mesh::spoken;
use proto::mesh::ScheduleReply;
use std::sync::Arc;

/// Answers a signed manifest with a lease or a refusal.
pub(super) async fn take(org: &Arc<Org>, caller: &Did, bytes: &[u8]) -> Result<ScheduleReply, Problem> {
    let sealed = Envelope::from_json(bytes)?;
    let before = org.store.last().0;
    let (admission, after_seq) = match opened(caller, sealed) {
        Ok(asked) => answer(org, caller, &asked, before).await?,
        Err(reason) => (Admission::Refused { reasons: vec![reason] }, before),
    };
    let admission_json = fault::said(serde_json::to_string(&admission).map_err(Problem::internal)?);
    Ok(ScheduleReply { version: spoken(), admission_json, after_seq })
}

/// Answers a signed manifest that a person brings, whichever device signed it: the very same way as if that device had asked.
///
/// # Errors
/// When the journal cannot be read or written. A refusal is not an error.
pub(crate) async fn take_brought(org: &Arc<Org>, sealed: Envelope) -> Result<Admission, Problem> {
    match Asked::open(sealed) {
        Ok(asked) => Ok(answer(org, &asked.manifest.requester, &asked, 0).await?.0),
        Err(reason) => Ok(Admission::Refused { reasons: vec![reason] }),
    }
}

/// What is asked for, if the caller itself signed it: what is of somebody else is not taken from whoever brings it.
fn opened(caller: &Did, sealed: Envelope) -> Result<Asked, Refusal> {
    let asked = Asked::open(sealed)?;
    if asked.manifest.requester != *caller {
        return Err(Refusal::NotAllowed { message: "A device may only ask in its own name.".into() });
    }
    Ok(asked)
}

/// What admission says, and after which number of the journal it is told of the run; `before` is where that stood.
async fn answer(org: &Arc<Org>, caller: &Did, asked: &Asked, before: u64) -> Result<(Admission, u64), Problem> {
    let admission = admit(org, caller, asked).await;
    // Whoever asks again has the lease of before, whatever is said of what is new now, and is told again from the beginning: what was said
    // since may have been lost with the first answer.
    if !matches!(admission, Ok(Admission::Leased { .. }))
        && let Some(lease) = again(org, caller, asked)?
    {
        return Ok((Admission::Leased { lease }, 0));
    }
    Ok((admission?, before))
}

/// The lease that this very manifest got before, also where its run is over by now: the requester may not have had the answer.
fn again(org: &Org, caller: &Did, asked: &Asked) -> Result<Option<Lease>, Problem> {
    let known: Option<Run> = org.store.get(kind::RUN, asked.manifest.run.as_str())?;
    Ok(fence::leased_before(known, caller, asked.hash.clone()))
}

async fn admit(org: &Arc<Org>, caller: &Did, asked: &Asked) -> Result<Admission, Problem> {
    if let Some(reason) = lacks(org, caller, asked).await? {
        return Ok(Admission::Refused { reasons: vec![reason] });
    }
    let answer = admission::admit_of_another(org, asked).await?;
    if let Admission::Leased { lease } = &answer {
        if let Some(event) = fault::fact_of_tomorrow(org, &lease.run) {
            org.store.append(vec![event]).await?;
        }
        lifecycle::drive(org, lease.run.clone());
    }
    Ok(answer)
}

/// What of the org or of the machine is missing here for this work. News of the org that were not heard yet are fetched first, unless the
/// work was taken before.
async fn lacks(org: &Arc<Org>, caller: &Did, asked: &Asked) -> Result<Option<Refusal>, Problem> {
    let manifest = &asked.manifest;
    let Work::Task { agent, .. } = &manifest.work else { return Ok(None) };
    let listed = |state: &OrgState| -> Option<EngineChoice> {
        let project = state.projects.values().any(|p| p.name == *manifest.work.project());
        state.agents.values().find(|a| a.name == *agent && project).map(|a| a.engine.clone())
    };
    let knows = |org: &Org| Ok::<_, Problem>(listed(&org.state()?));
    // What is known already is enough: the org repository is looked at where it is not.
    let mut engine = org.rights_known().and_then(|rights| listed(&rights.state));
    if engine.is_none() {
        engine = knows(org)?;
    }
    if engine.is_none() && *caller != org.device && again(org, caller, asked)?.is_none() {
        // Whom the org does not list has no news of it: admission refuses their manifest for that.
        let Ok(from) = device(org, caller) else { return Ok(None) };
        // Sooner than whoever asks gives up, who asks again: what else they ask for waits for its turn meanwhile.
        match tokio::time::timeout(limits::SCHEDULE_WAIT / 2, bring::fetch(org, &org.rid, &from)).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => tracing::warn!(%problem, "news of the org could not be fetched from the device that asks"),
            Err(_) => return Err(Problem::unavailable("News of the org did not come in time from the device that asks.")),
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
