//! Runs that another device asks for: here is known of them what their signed manifest tells.

use super::{Asked, DeviceLimits, Wanted, halted, new_run, reserve, verify};
use crate::{clock, lending, org::Org};
use domain::{
    Hash, Problem, RunId, Timestamp,
    capacity::Taken,
    event::{Body, kind},
    fence,
    lease::Admission,
    manifest::{Manifest, Work},
    placement,
    run::{Placed, Run},
};
use identity::envelope::{self, Envelope};
use std::sync::Arc;

/// As [`super::admit`], for a run that another device asks for: its manifest is kept too. Where there seems to be room that is done first,
/// so that all of it stands in one transaction with the lease; who is refused waits for nothing but the answer, and leaves nothing here.
///
/// # Errors
/// When the journal or the manifest cannot be written. A refusal is not an error.
pub async fn admit_of_another(org: &Arc<Org>, asked: &Asked<'_>) -> Result<Admission, Problem> {
    let wanted = match verify(org, &asked.manifest).await {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(Admission::Refused { reasons: vec![refusal] }),
    };
    let fits = seems_to_fit(org, asked, &wanted)?;
    let (envelope, manifest) = (asked.envelope.clone(), asked.manifest.clone());
    let keep = move |org: &Arc<Org>| keep_manifest(org, &envelope, &manifest);
    let kept = if fits { Some(org.blocking(keep.clone()).await?) } else { None };
    let (run, placed) = (asked.manifest.run.clone(), kept.as_ref().map(|kept| kept.placed.clone()));
    let answer = reserve(org, asked, wanted, placed).await?;
    match (matches!(answer, Admission::Leased { .. }), kept) {
        (true, None) => {
            let kept = org.blocking(keep).await?;
            org.record(&org.device, vec![kept.placed]).await?;
        }
        // The very same may have been refused a moment before, and its manifest be removed since.
        (true, Some(kept)) if !org.store.blobs().exists(&kept.blob) => drop(org.blocking(keep).await?),
        (false, Some(kept)) if kept.is_new => discard(org, run, kept.blob).await?,
        _ => {}
    }
    Ok(answer)
}

/// Whether there is room by a look that takes nothing, and nothing else speaks against it that is known: what is decided later may be
/// another.
fn seems_to_fit(org: &Org, asked: &Asked<'_>, wanted: &Wanted) -> Result<bool, Problem> {
    let (manifest, lending) = (&asked.manifest, lending::now(org));
    let known: Option<Run> = org.store.get(kind::RUN, manifest.run.as_str())?;
    let refused =
        *org.closing.borrow() || !fence::leases(known.as_ref(), &asked.hash).is_empty() || halted(org, manifest, clock::now()).is_some();
    let Some(others) = org.room.others().ok().filter(|_| !refused && lending.broken.is_none() && lending.reclaimed.is_none()) else {
        return Ok(false);
    };
    let own: Taken = org.store.get(kind::TAKEN, org.device.as_str())?.unwrap_or_default();
    let mut capacity = DeviceLimits::of(org).capacity(own, others, manifest.class);
    capacity.tags.extend(wanted.promised.clone());
    Ok(placement::refusals(manifest, &capacity).is_empty())
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

/// A manifest that was kept.
struct Kept {
    blob: Hash,
    /// Whether it was not there before.
    is_new: bool,
    /// What is to be journaled of it.
    placed: Body,
}

/// Keeps the manifest of a run that another device asks for.
///
/// # Errors
/// When the disk does not take it.
fn keep_manifest(org: &Org, asked: &Envelope, manifest: &Manifest) -> Result<Kept, Problem> {
    let (json, blobs) = (asked.to_json()?, org.store.blobs());
    let is_new = !blobs.exists(&envelope::hash_bytes(&json));
    let blob = blobs.put(&json)?;
    let (base, spec_hash, from) = match &manifest.work {
        Work::Task { base, spec_hash, from, .. } => (base.clone(), Some(spec_hash.clone()), from.clone()),
        Work::Checks { commit, .. } => (commit.clone(), None, None),
    };
    let device = Some(org.device.clone());
    let placed = Placed { manifest: envelope::hash(asked), envelope: blob.clone(), base, spec_hash, from, left: None, device };
    Ok(Kept { blob, is_new, placed: Body::RunPlaced { run: manifest.run.clone(), placed } })
}

/// Removes the manifest of a run that was refused, unless the very same was leased meanwhile: else whoever asks again and again fills the
/// disk.
async fn discard(org: &Arc<Org>, run: RunId, blob: Hash) -> Result<(), Problem> {
    let blobs = org.store.blobs().clone();
    let decided = org.store.append_if(move |view| {
        let known: Option<Run> = view.get(kind::RUN, run.as_str())?;
        if known.is_none_or(|known| known.envelope.as_ref() != Some(&blob)) {
            blobs.discard(&blob)?;
        }
        Ok(vec![])
    });
    decided.await.map(drop)
}
