//! Hearing a fact of the executor: what it may tell is written into this device's journal, once, as told by it.

use super::{bring, client, device as listed};
use crate::{clock, limits, org::Org};
use domain::{
    Did, Kind, PatchId, Problem, RevisionId, RunId,
    event::{Body, Event, Told, kind},
    manifest::Class,
    run::Run,
};
use mesh::{VERSION, problem};
use proto::mesh::{Fact, ResultRequest};
use std::sync::Arc;

/// Takes one fact about a run that `device` executes for us.
pub(super) async fn fact(org: &Arc<Org>, run: &RunId, device: &Did, fact: Fact) -> Result<(), Problem> {
    let mut event: Event = match serde_json::from_str(&fact.event_json) {
        Ok(event) => event,
        Err(error) => {
            // Of a newer device: what is unknown here changes nothing here.
            tracing::warn!(%run, %device, %error, "a fact of an unknown form was left out");
            return Ok(());
        }
    };
    let about = may_tell(org, run, device, &event.body)?;
    (event.actor, event.via) = (actor(org, device, &event.actor)?, None);
    event.told = Some(Told { device: device.clone(), seq: fact.seq, heard_at: clock::now() });
    match &event.body {
        Body::ChecksEnded { signed: Some(signed), .. } if about == *run => results(org, run, device, signed.clone()).await?,
        Body::PatchPublished { patch, revision, .. } => arrived(org, run, device, patch, revision).await?,
        _ => {}
    }
    let queued = matches!(event.body, Body::RunQueued { .. });
    let decided = org.store.append_if(move |view| {
        let known: Option<Run> = view.get(kind::RUN, about.as_str())?;
        let heard = match &known {
            Some(run) if queued => run.id == about,
            Some(run) => run.told.as_ref().is_some_and(|told| told.seq >= fact.seq),
            // About a run whose beginning is unknown.
            None => !queued,
        };
        Ok(if heard { vec![] } else { vec![event] })
    });
    decided.await?;
    Ok(())
}

/// The run that a fact is about, if it is one that the executor may tell of.
fn may_tell(org: &Org, run: &RunId, device: &Did, body: &Body) -> Result<RunId, Problem> {
    let refused = || Problem::new(Kind::Forbidden, format!("The device {device} told what is not its to tell."));
    if let Body::RunQueued { run: checks } = body {
        let own = checks.class == Class::Ci && checks.subject.as_ref() == Some(run) && checks.requester == *device && checks.task.is_none();
        return if own { Ok(checks.id.clone()) } else { Err(refused()) };
    }
    let about = body.run().ok_or_else(refused)?;
    if about == run {
        return if body.of_executor() { Ok(about.clone()) } else { Err(refused()) };
    }
    // Checks on its work, which the executor asks itself for.
    let checks: Option<Run> = org.store.get(kind::RUN, about.as_str())?;
    let own = checks.is_none_or(|c| c.subject.as_ref() == Some(run) && c.requester == *device) && body.of_checks();
    if own { Ok(about.clone()) } else { Err(refused()) }
}

/// Who did it, as far as the org knows them; else the device that tells.
fn actor(org: &Org, device: &Did, said: &Did) -> Result<Did, Problem> {
    let state = org.state()?;
    let known = state.member_of(said).is_some() || state.device_of(said).is_some();
    Ok(if known { said.clone() } else { device.clone() })
}

/// Fetches the signed results of the checks, and the delegation by which they count.
async fn results(org: &Arc<Org>, run: &RunId, device: &Did, signed: domain::Hash) -> Result<(), Problem> {
    let request = ResultRequest { version: VERSION, run: run.to_string() };
    let reply = client(org, device)?.result(request).await.map_err(|s| problem(&s))?.into_inner();
    org.blocking(move |org| {
        if reply.checked_json.is_empty() {
            return Ok(());
        }
        if identity::envelope::hash_bytes(&reply.checked_json) != signed {
            return Err(Problem::invalid("The device sent other results than those that it told of."));
        }
        org.store.blobs().put(&reply.checked_json)?;
        org.store.blobs().put(&reply.checked_delegation_json).map(drop)
    })
    .await
}

/// The patch must be here before the task is said to be in review. The executor's node announces it, and ours fetches it by
/// itself; what was lost of that is fetched whole.
async fn arrived(org: &Arc<Org>, run: &RunId, device: &Did, patch: &PatchId, revision: &RevisionId) -> Result<(), Problem> {
    let Some(known) = org.store.get::<Run>(kind::RUN, run.as_str())? else { return Ok(()) };
    let device = device.clone();
    let (from, project) = org.blocking(move |org| Ok((listed(org, &device)?, org.project(Some(&known.project))?))).await?;
    let mut last = Problem::unavailable("The patch that the device published has not come yet.");
    for _ in 0..limits::PATCH_LOOKS {
        let (project, patch, revision) = (project.clone(), patch.clone(), revision.clone());
        let rid = project.rid.clone();
        let here = move |org: &Arc<Org>| {
            let found = org.forge.patch(&project.rid, &project.name, &patch);
            Ok(found.is_ok_and(|patch| patch.revisions.iter().any(|r| r.id == revision)))
        };
        if org.blocking(here).await? {
            return Ok(());
        }
        if let Err(problem) = bring::fetch_once(org, &rid, &from).await {
            last = last.because(problem.to_string());
        }
        tokio::time::sleep(limits::REMOTE_PAUSE).await;
    }
    Err(last)
}
