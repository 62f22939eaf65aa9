//! Runs that another device asks for: here is known of them what their signed manifest tells.

use super::{DeviceLimits, Wanted, new_run, reserve, verify};
use crate::{lending, org::Org};
use domain::{
    Problem, Timestamp,
    capacity::Taken,
    event::{Body, kind},
    lease::Admission,
    manifest::{Manifest, Work},
    placement,
    run::{Placed, Run},
};
use identity::envelope::{self, Envelope};
use std::sync::Arc;

/// As [`super::admit`], for a run that another device asks for: its manifest is kept too. Where there seems to be room that is done first,
/// so that all of it stands in one transaction with the lease; who is refused waits for nothing but the answer.
///
/// # Errors
/// When the journal or the manifest cannot be written. A refusal is not an error.
pub async fn admit_of_another(org: &Arc<Org>, envelope: &Envelope) -> Result<Admission, Problem> {
    let wanted = match verify(org, envelope).await {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(Admission::Refused { reasons: vec![refusal] }),
    };
    let asked = envelope.clone();
    let keep = move |org: &Arc<Org>| keep_manifest(org, &asked);
    let placed = if seems_to_fit(org, &wanted)? { Some(org.blocking(keep.clone()).await?) } else { None };
    let kept = placed.is_some();
    let answer = reserve(org, envelope, wanted, placed).await?;
    if !kept && matches!(answer, Admission::Leased { .. }) {
        let placed = org.blocking(keep).await?;
        org.record(&org.device, vec![placed]).await?;
    }
    Ok(answer)
}

/// Whether there is room by a look that takes nothing: what is decided later may be another.
fn seems_to_fit(org: &Org, wanted: &Wanted) -> Result<bool, Problem> {
    let lending = lending::now(org);
    let Some(others) = org.room.others().ok().filter(|_| lending.broken.is_none() && lending.reclaimed.is_none()) else { return Ok(false) };
    let own: Taken = org.store.get(kind::TAKEN, org.device.as_str())?.unwrap_or_default();
    let mut capacity = DeviceLimits::of(org).capacity(own, others, wanted.manifest.class);
    capacity.tags.extend(wanted.promised.clone());
    Ok(placement::refusals(&wanted.manifest, &capacity).is_empty())
}

/// A run that another device asked for, as far as its manifest tells.
pub(crate) fn foreign(manifest: &Manifest, now: Timestamp) -> Run {
    let mut run = new_run(
        manifest.run.clone(),
        manifest.class,
        manifest.work.project().clone(),
        manifest.member.clone(),
        manifest.requester.clone(),
        now,
    );
    (run.priority, run.gave_way) = (manifest.priority, manifest.gave_way);
    run.apart.clone_from(&manifest.apart);
    match &manifest.work {
        Work::Task { task, agent, base, continues, patch, spec_hash, .. } => {
            run.task = Some(task.clone());
            run.agent = Some(agent.clone());
            run.base = Some(base.clone());
            run.spec_hash = Some(spec_hash.clone());
            run.continues.clone_from(continues);
            run.patch.clone_from(patch);
        }
        Work::Checks { commit, subject, .. } => {
            run.base = Some(commit.clone());
            run.subject.clone_from(subject);
        }
    }
    run
}

/// Keeps the manifest of a run that another device asks for. Returns what is to be journaled of it.
///
/// # Errors
/// When the disk does not take it.
fn keep_manifest(org: &Org, asked: &Envelope) -> Result<Body, Problem> {
    let envelope = org.store.blobs().put(&asked.to_json()?)?;
    let manifest: Manifest = serde_json::from_slice(asked.payload()).map_err(Problem::internal)?;
    let (base, spec_hash, from) = match manifest.work {
        Work::Task { base, spec_hash, from, .. } => (base, Some(spec_hash), from),
        Work::Checks { commit, .. } => (commit, None, None),
    };
    let device = Some(org.device.clone());
    let placed = Placed { manifest: envelope::hash(asked), envelope, base, spec_hash, from, left: None, device };
    Ok(Body::RunPlaced { run: manifest.run, placed })
}
