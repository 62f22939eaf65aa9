//! Giving a checkpoint to another device, object by object. A slow reader holds only its own stream back; one that takes nothing for a
//! while is given up. Who asks again after its way broke gets the rest.

use super::{super::authority, Place};
use crate::{
    fault,
    lifecycle::{self, Handed},
    limits,
    org::Org,
};
use domain::{
    Did, Kind, Oid, Problem, ProjectName, RunId,
    event::kind,
    run::{Run, SavedWork},
};
use forge::ObjectKind;
use futures::{Stream, StreamExt};
use mesh::{spoken, status};
use proto::mesh::{CheckpointPart, CheckpointRequest, ObjectPiece};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

pub(super) type Part = Result<CheckpointPart, Status>;
type Out = Pin<Box<dyn Stream<Item = Part> + Send>>;

/// What is given.
struct Wanted {
    project: ProjectName,
    /// Whose checkpoint, and which; none where only the rest is wanted.
    saved: Option<(RunId, Oid)>,
    /// What of it whoever asks has already.
    after: Place,
    /// What else the run that goes on needs.
    handed: Option<Handed>,
}

/// The checkpoint of a run to the device that asked for the run; or, named by the run that goes on from it, to the device that
/// executes that for this one.
///
/// # Errors
/// When the caller is neither, it is not here, or too many are given now.
pub(in crate::remote) async fn give(org: &Arc<Org>, caller: &Did, asked: &CheckpointRequest) -> Result<Out, Problem> {
    let (run, executes) = match authority::executed_for(org, &asked.run, caller) {
        Ok(run) => (run, true),
        Err(_) => (authority::asked_of(org, &asked.run, caller)?, false),
    };
    fault::checkpoint_kept()?;
    let busy = || Problem::unavailable("This device gives as many checkpoints as it can at once.").next("It is asked again.");
    let turn = tokio::time::timeout(limits::CHECKPOINT_TURN, org.remote.moving.giving.clone().acquire_owned());
    let permit = turn.await.ok().and_then(Result::ok).ok_or_else(busy)?;
    // Only now: whoever waits holds nothing.
    let wanted = if executes { executed(org, run, asked).await? } else { next(org, run, caller, asked).await? };
    let (told, stream) = mpsc::channel(limits::CHECKPOINT_AHEAD_MAX);
    let given = wanted.saved.as_ref().map(|(run, _)| run.clone());
    let (giving, taken, runtime) = (org.clone(), org.clone(), Handle::current());
    let (begun, whole) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let (all_sent, parts) = (whole.clone(), AtomicUsize::new(0));
    drop(tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let send = |part: Part| {
            // Who takes a little now and then would keep others from theirs.
            if part.is_ok() && begun.elapsed() > limits::CHECKPOINT_TRANSFER {
                return Err(Problem::unavailable("A checkpoint took too long to another device."));
            }
            if part.is_ok() {
                fault::checkpoint_breaks(parts.fetch_add(1, Ordering::Relaxed))?;
            }
            let sent = runtime.block_on(async { tokio::time::timeout(limits::CHECKPOINT_SILENCE, told.send(part)).await });
            sent.map_err(|_| Problem::unavailable("Nothing was taken of a checkpoint for too long."))?
                .map_err(|_| Problem::unavailable("The device that asked for a checkpoint is gone."))
        };
        match all(&giving, wanted, &send).map_err(passing) {
            Ok(()) => all_sent.store(true, Ordering::Relaxed),
            Err(problem) => {
                tracing::warn!(%problem, "a checkpoint could not be given whole");
                let _ = send(Err(status(problem)));
            }
        }
    }));
    // Asked for once more after its last part: all before it was taken.
    let end = futures::stream::once(async move {
        if whole.load(Ordering::Relaxed) {
            given.iter().for_each(|run| taken.remote.moving.given(run));
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream).chain(end.filter_map(|()| futures::future::ready(None)))))
}

/// What this device saved of a run, for the one that asked for it.
async fn executed(org: &Arc<Org>, run: Run, asked: &CheckpointRequest) -> Result<Wanted, Problem> {
    let none = || Problem::not_found(format!("The device that made it has no such checkpoint of the run {} any more.", run.id));
    let held = run.held.clone().filter(|held| held.as_str() == asked.commit).ok_or_else(none)?;
    if let Some(why) = lifecycle::forget_gone(org, &run).await.map_err(passing)? {
        return Err(none().because(why));
    }
    Ok(Wanted { project: run.project, saved: Some((run.id, held)), after: after(asked), handed: None })
}

/// What a run goes on from that this device asked another one for: the one that it asked last.
async fn next(org: &Arc<Org>, run: Run, caller: &Did, asked: &CheckpointRequest) -> Result<Wanted, Problem> {
    let none = || Problem::not_found("There is no such checkpoint for that run.");
    let placed = run.device.is_some() || run.asked.is_some();
    if !placed || run.state.ended() {
        return Err(none());
    }
    let saved = match asked.commit.as_str() {
        "" => None,
        commit => Some(run.from.clone().filter(|from| from.commit.as_str() == commit).ok_or_else(none)?),
    };
    if let Some(from) = &saved {
        still_here(org, from, caller).await?;
    }
    let project = run.project.clone();
    let handed = org.blocking(move |org| Handed::of(org, &run)).await?;
    Ok(Wanted { project, saved: saved.map(|from| (from.run, from.commit)), after: after(asked), handed: Some(handed) })
}

/// Sees that what a run is to begin with is here. Where it is not, and whoever made it asks for it, nobody has it any more: the next run
/// does without.
async fn still_here(org: &Arc<Org>, from: &SavedWork, caller: &Did) -> Result<(), Problem> {
    let earlier = org.store.get::<Run>(kind::RUN, from.run.as_str())?;
    let none = Problem::not_found(format!("The device that asked for the run does not have its checkpoint {} either.", from.commit));
    let Some(earlier) = earlier else { return Err(none) };
    let why = lifecycle::forget_gone(org, &earlier).await.map_err(passing)?;
    if why.is_none() && earlier.held.as_ref() == Some(&from.commit) {
        return Ok(());
    }
    if from.device == *caller {
        let said = "It asks for it, so it is not there any more, or not whole.".into();
        lifecycle::gone_there(org, &earlier, from.commit.clone(), caller, said).await?;
    }
    Err(match why {
        Some(why) => none.because(why),
        None => none,
    })
}

fn after(asked: &CheckpointRequest) -> Place {
    Place { objects: asked.after_objects, bytes: asked.after_bytes }
}

fn all(org: &Org, wanted: Wanted, send: &dyn Fn(Part) -> Result<(), Problem>) -> Result<(), Problem> {
    if let Some(handed) = &wanted.handed {
        let handed_json = serde_json::to_string(handed).map_err(Problem::internal)?;
        send(Ok(CheckpointPart { version: spoken(), pieces: vec![], handed_json }))?;
    }
    let Some((run, commit)) = wanted.saved else { return Ok(()) };
    let rid = org.project(Some(&wanted.project))?.rid;
    let after = usize::try_from(wanted.after.objects).unwrap_or(usize::MAX);
    let mut packer = Packer::new(wanted.after.bytes, send);
    org.forge.hand_out(&rid, &run, &commit, after, &mut |kind, data| packer.object(kind, data))?;
    packer.flush()
}

/// What is not found on the way says nothing of the checkpoint, which whoever asks would take to be gone: it is looked at anew then.
fn passing(problem: Problem) -> Problem {
    if problem.kind == Kind::NotFound { Problem { kind: Kind::Unavailable, ..problem } } else { problem }
}

/// Puts small objects together, and takes large ones to pieces.
pub(super) struct Packer<'s> {
    pieces: Vec<ObjectPiece>,
    bytes: usize,
    /// How much of the next object the other has already.
    had_bytes: usize,
    send: &'s dyn Fn(Part) -> Result<(), Problem>,
}

impl<'s> Packer<'s> {
    pub(super) fn new(had_bytes: u64, send: &'s dyn Fn(Part) -> Result<(), Problem>) -> Self {
        Self { pieces: vec![], bytes: 0, had_bytes: usize::try_from(had_bytes).unwrap_or(usize::MAX), send }
    }

    pub(super) fn object(&mut self, kind: ObjectKind, data: &[u8]) -> Result<(), Problem> {
        let had = std::mem::take(&mut self.had_bytes);
        // Of an object that is had whole the next one is asked for.
        let missing = data.get(had..).filter(|missing| had == 0 || !missing.is_empty());
        let mut rest = missing.ok_or_else(|| Problem::invalid("Whoever goes on with a checkpoint has more of an object than there is."))?;
        let (mut kind, mut size_bytes) = if had == 0 { (kind.name(), data.len() as u64) } else { ("", 0) };
        loop {
            let room = limits::CHECKPOINT_PART_BYTES.saturating_sub(self.bytes).max(1);
            let (now, later) = rest.split_at(rest.len().min(room));
            self.pieces.push(ObjectPiece { kind: kind.to_owned(), size_bytes, data: now.to_vec() });
            self.bytes += now.len() + limits::CHECKPOINT_OBJECT_BYTES;
            if self.bytes >= limits::CHECKPOINT_PART_BYTES {
                self.flush()?;
            }
            if later.is_empty() {
                return Ok(());
            }
            (kind, size_bytes, rest) = ("", 0, later);
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Problem> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        (self.send)(Ok(CheckpointPart { version: spoken(), pieces: std::mem::take(&mut self.pieces), handed_json: String::new() }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn small_objects_go_together_and_large_ones_in_pieces_that_fit() {
        let sent = RefCell::new(vec![]);
        let send = |part: Part| {
            sent.borrow_mut().push(part.unwrap());
            Ok(())
        };
        let mut packer = Packer::new(0, &send);
        let large = vec![7; 3 * limits::CHECKPOINT_PART_BYTES];
        for data in [&b"one"[..], &b""[..], &b"two"[..], &large[..]] {
            packer.object(ObjectKind::Blob, data).unwrap();
        }
        packer.flush().unwrap();
        let sent = sent.borrow();
        assert!(sent.iter().all(|part| part.pieces.iter().map(|p| p.data.len()).sum::<usize>() <= limits::CHECKPOINT_PART_BYTES));
        assert_eq!(sent[0].pieces[..3].iter().map(|p| p.size_bytes).collect::<Vec<_>>(), [3, 0, 3]);
        let pieces: Vec<_> = sent.iter().flat_map(|part| &part.pieces).skip(3).collect();
        assert_eq!((pieces[0].kind.as_str(), pieces[0].size_bytes), ("blob", large.len() as u64));
        assert!(pieces.len() > 2 && pieces[1..].iter().all(|piece| piece.kind.is_empty()));
        assert_eq!(pieces.iter().flat_map(|piece| piece.data.iter().copied()).collect::<Vec<u8>>(), large);
    }
}
