//! Bringing a checkpoint from another device. What comes is taken into a git folder of its own and checked there whole; only then it is
//! kept, or used. Where a connection breaks it goes on from where it stopped.

use super::{super::client, Place};
use crate::{
    clock,
    data_dir::{leaves, left_bytes},
    lifecycle::{self, BROUGHT, Handed},
    limits,
    org::Org,
};
use domain::{
    Did, Kind, Oid, Problem, Rid, RunId,
    event::{Body, kind},
    run::Run,
};
use forge::{Arrived, Incoming, OBJECT_BYTES_MAX, ObjectKind};
use futures::StreamExt;
use mesh::{problem, spoken, understood};
use proto::mesh::{CheckpointPart, CheckpointRequest, ObjectPiece};
use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tonic::Streaming;

/// What is wanted, of whom.
struct Asked {
    device: Did,
    run: RunId,
    /// The checkpoint, and into which folder it comes; none where only what is handed on is wanted.
    saved: Option<(Oid, PathBuf)>,
    /// The commit on which it stands.
    base: Option<Oid>,
    rid: Rid,
}

/// What came.
#[derive(Default)]
struct Came {
    received: Option<Arrived>,
    handed: Option<Handed>,
}

/// Brings over the latest checkpoint of a run that another device executes, or executed, for this one, and keeps it as if it had been
/// made here.
///
/// # Errors
/// Not found when that device has it no more. Else when it cannot be reached, sends what is no checkpoint, or the disk does not take it.
pub(crate) async fn receive(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    receive_if(org, run, |_| Ok(true)).await
}

/// The same, and keeps it only if then nothing uses the one that it replaces.
///
/// # Errors
/// As [`receive`], and when something does.
pub(super) async fn receive_if(
    org: &Arc<Org>,
    run: &Run,
    free: impl FnOnce(&Org) -> Result<bool, Problem> + Send + 'static,
) -> Result<(), Problem> {
    let (Some(device), Some(commit)) = (run.device.clone(), run.checkpoint.clone()) else { return Ok(()) };
    let name = run.project.clone();
    let rid = org.blocking(move |org| Ok(org.project(Some(&name))?.rid)).await?;
    // What is left of it by a crash is removed at the next start.
    let scratch = org.dir.runs().join(format!("scratch-{}", clock::run_id()));
    let saved = Some((commit.clone(), scratch.join(BROUGHT)));
    let asked = Asked { device, run: run.id.clone(), saved, base: run.base.clone(), rid: rid.clone() };
    let came = bring(org, asked).await;
    let id = run.id.clone();
    let kept = org.blocking(move |org| {
        let kept = came.and_then(|came| {
            let received = came.received.ok_or_else(|| Problem::unavailable("The device sent no checkpoint."))?;
            if !free(org)? {
                return Err(Problem::unavailable("A run began with an earlier checkpoint while this one came."));
            }
            org.forge.keep_arrived(&rid, &id, &received)
        });
        let _ = fs::remove_dir_all(&scratch);
        kept
    });
    kept.await?;
    let (id, event) = (run.id.clone(), org.event(&org.device, Body::RunCheckpointed { run: run.id.clone(), commit: commit.clone() }));
    let decided = org.store.append_if(move |view| {
        // It may have been merged meanwhile, and be of no use any more.
        let run: Option<Run> = view.get(kind::RUN, id.as_str())?;
        let wanted = run.is_some_and(|run| run.checkpoint.as_ref() == Some(&commit) && run.held.as_ref() != Some(&commit));
        Ok(if wanted { vec![event] } else { vec![] })
    });
    decided.await.map(drop)
}

/// Brings, for a run that another device asked for, the saved work that it begins with, unless that lies here, and what is handed on to
/// it. Both come from that device.
///
/// # Errors
/// When that device does not give it for a while, or sends what is no checkpoint.
pub(crate) async fn bring_saved(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    let folder = org.dir.run(&run.id);
    let (wanted, into) = (run.clone(), folder.join(BROUGHT));
    let (rid, saved) = org
        .blocking(move |org| {
            let rid = org.project(Some(&wanted.project))?.rid;
            let here = lifecycle::lies_here(org, &wanted)?;
            Ok((rid, wanted.from.filter(|_| !here).map(|from| (from.commit, into))))
        })
        .await?;
    let begun = Instant::now();
    loop {
        let (device, base) = (run.requester.clone(), run.base.clone());
        let asked = Asked { device, run: run.id.clone(), saved: saved.clone(), base, rid: rid.clone() };
        match bring(org, asked).await {
            Ok(came) => {
                let handed = came.handed.unwrap_or_default();
                return crate::org::blocking(move || handed.keep(&folder)).await;
            }
            Err(problem) if problem.passes() && begun.elapsed() < limits::DELEGATION_WAIT => {
                tracing::warn!(run = %run.id, %problem, "the work that a run goes on from could not be brought yet; it is tried again");
                tokio::time::sleep(limits::REMOTE_PAUSE).await;
            }
            Err(problem) => return Err(problem),
        }
    }
}

/// Brings what is asked for. Where the way breaks after something came, it goes on from there.
async fn bring(org: &Arc<Org>, asked: Asked) -> Result<Came, Problem> {
    let mut coming = Coming { taking: begin(org, &asked).await?, handed: None, begun: Instant::now() };
    let (mut breaks, mut moved_at) = (0, Instant::now());
    loop {
        let had = coming.place();
        let Err(problem) = once(org, &asked, &mut coming).await else { break };
        let at = coming.place();
        if at != had {
            (breaks, moved_at) = (breaks + 1, Instant::now());
        }
        // Of what did not begin to come nothing is lost by asking anew.
        let given_up = at == Place::default() || moved_at.elapsed() >= limits::CHECKPOINT_BREAK || breaks > limits::CHECKPOINT_BREAKS_MAX;
        if given_up || !problem.passes() || coming.is_slow() {
            return Err(problem);
        }
        let Place { objects, bytes } = at;
        tracing::warn!(run = %asked.run, device = %asked.device, objects, bytes, %problem, "a checkpoint broke off; it goes on from there");
        tokio::time::sleep(limits::CHECKPOINT_BREAK_PAUSE).await;
    }
    let received = match (coming.taking, asked.saved) {
        (Some(taking), Some((commit, _))) => Some(crate::org::blocking(move || taking.incoming.finish(&commit)).await?),
        _ => None,
    };
    if received.as_ref().is_some_and(|received| Some(&received.checkpoint.base) != asked.base.as_ref()) {
        return Err(odd("sends a checkpoint that stands on another commit than its run"));
    }
    Ok(Came { received, handed: coming.handed })
}

async fn begin(org: &Arc<Org>, asked: &Asked) -> Result<Option<Taking>, Problem> {
    let Some((_, into)) = asked.saved.clone() else { return Ok(None) };
    let rid = asked.rid.clone();
    org.blocking(move |org| {
        let _ = fs::remove_dir_all(&into);
        let incoming = Incoming::begin(&into, &org.forge, &rid)?;
        Ok(Some(Taking { incoming, folder: into, received_bytes: 0, pieces: Assembly::default(), last: None }))
    })
    .await
}

/// Over one connection: what is missing still.
async fn once(org: &Arc<Org>, asked: &Asked, coming: &mut Coming) -> Result<(), Problem> {
    let (commit, at) = (asked.saved.as_ref().map(|(commit, _)| commit), coming.place());
    let request = CheckpointRequest {
        version: spoken(),
        run: asked.run.to_string(),
        commit: commit.map(ToString::to_string).unwrap_or_default(),
        after_objects: at.objects,
        after_bytes: at.bytes,
    };
    let mut client = client(org, &asked.device)?;
    let answered = tokio::time::timeout(limits::CHECKPOINT_SILENCE, client.checkpoint(request)).await.map_err(|_| silent())?;
    all(answered.map_err(|s| problem(&s))?.into_inner(), coming).await?;
    // The checkpoint itself comes last: without it there is more.
    let last = coming.taking.as_ref().and_then(|taking| taking.last.as_ref());
    if last == commit { Ok(()) } else { Err(Problem::unavailable("A checkpoint broke off.")) }
}

/// Takes everything that comes.
async fn all(mut stream: Streaming<CheckpointPart>, coming: &mut Coming) -> Result<(), Problem> {
    let begun = Instant::now();
    while begun.elapsed() < limits::CHECKPOINT_TRANSFER {
        let next = tokio::time::timeout(limits::CHECKPOINT_SILENCE, stream.next()).await.map_err(|_| silent())?;
        let Some(part) = next else { return Ok(()) };
        let part = part.map_err(|s| problem(&s))?;
        understood(part.version)?;
        if !part.handed_json.is_empty() {
            coming.handed = Some(serde_json::from_str(&part.handed_json).map_err(|_| odd("hands on what is not understood here"))?);
        }
        if part.pieces.is_empty() {
            continue;
        }
        let mut now = coming.taking.take().ok_or_else(|| odd("sends objects that nobody asked for"))?;
        // Written before more is read: a slow disk here holds that device's stream back.
        let taken = crate::org::blocking(move || {
            now.fits_on_disk(&part.pieces)?;
            part.pieces.into_iter().try_for_each(|piece| now.piece(piece))?;
            Ok(now)
        });
        coming.taking = Some(taken.await?);
        if coming.is_slow() {
            break;
        }
    }
    Err(Problem::new(Kind::Timeout, "A checkpoint took too long from another device."))
}

/// Whether so much that is left of the disk is enough for what came until now, which is written once more when it is kept.
fn enough_left(left_bytes: u64, received_bytes: u64) -> Result<(), Problem> {
    if leaves(left_bytes, received_bytes) {
        return Ok(());
    }
    Err(Problem::unavailable("A checkpoint of another device was not taken: too little of this device's disk would be left free.")
        .next("Free some disk space; it is asked for again."))
}

/// Whether too little came in this time. A device that always sends a little more would else hold up for hours what waits for it.
fn too_slow(received_bytes: u64, took: Duration) -> bool {
    let pace_bytes = match took {
        took if took < limits::CHECKPOINT_BREAK => return false,
        took if took < limits::CHECKPOINT_TRANSFER => limits::CHECKPOINT_PACE_BYTES,
        _ => limits::CHECKPOINT_PACE_LONG_BYTES,
    };
    received_bytes < pace_bytes.saturating_mul(took.as_secs())
}

fn silent() -> Problem {
    Problem::unavailable("Nothing came of a checkpoint for too long.")
}

fn odd(what: &str) -> Problem {
    Problem::invalid(format!("The device {what}."))
}

/// What came until now.
struct Coming {
    taking: Option<Taking>,
    handed: Option<Handed>,
    begun: Instant,
}

impl Coming {
    fn place(&self) -> Place {
        self.taking.as_ref().map(|taking| taking.pieces.place()).unwrap_or_default()
    }

    fn is_slow(&self) -> bool {
        too_slow(self.taking.as_ref().map_or(0, |taking| taking.received_bytes), self.begun.elapsed())
    }
}

/// A checkpoint that is being taken.
struct Taking {
    incoming: Incoming,
    /// Where it comes to lie, and how much of it came.
    folder: PathBuf,
    received_bytes: u64,
    pieces: Assembly,
    /// The last object that came whole.
    last: Option<Oid>,
}

impl Taking {
    /// Looks whether the disk takes more.
    fn fits_on_disk(&mut self, pieces: &[ObjectPiece]) -> Result<(), Problem> {
        self.received_bytes += pieces.iter().map(|piece| piece.data.len() as u64).sum::<u64>();
        enough_left(left_bytes(&self.folder), self.received_bytes)
    }

    fn piece(&mut self, piece: ObjectPiece) -> Result<(), Problem> {
        if let Some((kind, data)) = self.pieces.put(piece)? {
            self.last = Some(self.incoming.write(kind, &data)?);
        }
        Ok(())
    }
}

/// Puts pieces of objects together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// How many objects are whole.
    objects: u64,
    /// The one whose pieces are coming: its kind, its size, and what of it is here.
    open: Option<(ObjectKind, usize, Vec<u8>)>,
}

impl Assembly {
    /// How far the objects have come.
    pub(super) fn place(&self) -> Place {
        Place { objects: self.objects, bytes: self.open.as_ref().map_or(0, |(_, _, data)| data.len() as u64) }
    }

    /// Gives the object that is whole with this piece.
    pub(super) fn put(&mut self, piece: ObjectPiece) -> Result<Option<(ObjectKind, Vec<u8>)>, Problem> {
        let (kind, size, mut data) = match (self.open.take(), piece.kind.as_str()) {
            (Some(open), "") => open,
            (None, kind) if !kind.is_empty() => (ObjectKind::named(kind)?, size(piece.size_bytes)?, Vec::new()),
            _ => return Err(odd("sends pieces of objects that do not fit together")),
        };
        if piece.data.len() > size - data.len() {
            return Err(odd("sends more of an object than it said"));
        }
        data.extend_from_slice(&piece.data);
        if data.len() < size {
            self.open = Some((kind, size, data));
            return Ok(None);
        }
        self.objects += 1;
        Ok(Some((kind, data)))
    }
}

fn size(bytes: u64) -> Result<usize, Problem> {
    let fits = usize::try_from(bytes).ok().filter(|_| bytes <= OBJECT_BYTES_MAX);
    fits.ok_or_else(|| Problem::new(Kind::Limit, format!("An object of a checkpoint may have {} MiB.", OBJECT_BYTES_MAX >> 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_sends_a_little_at_a_time_is_not_waited_for() {
        let (minute, long) = (limits::CHECKPOINT_BREAK, limits::CHECKPOINT_TRANSFER);
        let enough = |pace_bytes: u64, took: Duration| pace_bytes * took.as_secs();
        assert!(!too_slow(0, minute - Duration::from_secs(1)), "it may be busy at first");
        assert!(too_slow(3, minute), "a byte each 20 s");
        assert!(!too_slow(enough(limits::CHECKPOINT_PACE_BYTES, minute), minute), "a slow line");
        assert!(too_slow(enough(limits::CHECKPOINT_PACE_BYTES, long), long), "a large one over a slow line");
        assert!(!too_slow(enough(limits::CHECKPOINT_PACE_LONG_BYTES, 20 * long), 20 * long));
        let whole_s = forge::CHECKPOINT_BYTES_MAX / limits::CHECKPOINT_PACE_LONG_BYTES;
        assert!(whole_s < 6 * 60 * 60 && too_slow(forge::CHECKPOINT_BYTES_MAX, Duration::from_secs(whole_s + 1)), "it ends");
    }

    #[test]
    fn a_checkpoint_leaves_some_of_the_disk_free() {
        let floor = limits::COPIES_DISK_LEFT_BYTES;
        assert!(enough_left(floor, 0).is_ok() && enough_left(floor + 7, 7).is_ok() && enough_left(u64::MAX, 1 << 40).is_ok());
        for (left, received) in [(floor - 1, 0), (floor + 6, 7), (0, 1)] {
            assert!(enough_left(left, received).is_err_and(|problem| problem.passes()), "{left} {received}");
        }
    }
}
