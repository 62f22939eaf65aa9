//! Giving a journal to another device, from a place on, as it grows: the one of this device, or the copy of another's. A slow reader
//! holds only its own stream back.

use super::{Copied, place, summary};
use crate::{clock, fault, limits, org::Org};
use domain::{Did, Problem};
use futures::Stream;
use mesh::{spoken, status};
use proto::mesh::{JournalEvents, JournalPiece, JournalRequest};
use std::{pin::Pin, sync::Arc};
use store::{Head, Piece, Point, Recorded};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

type Out = Pin<Box<dyn Stream<Item = Result<JournalEvents, Status>> + Send>>;

/// Where a journal is read.
enum Source {
    /// This device's own.
    Own(broadcast::Receiver<Recorded>),
    /// The copy of another's.
    Copy(Arc<Copied>, watch::Receiver<Point>),
}

/// What there is to tell.
struct Next {
    pieces: Vec<Piece>,
    /// The journal's end; none of an empty copy.
    end: Option<Head>,
    age_ms: u64,
}

/// The journal of a device after a place of it.
///
/// # Errors
/// When it is not here.
pub(in crate::remote) fn tell(org: &Arc<Org>, asked: &JournalRequest) -> Result<Out, Problem> {
    let source = source(org, &asked.device)?;
    let (told, stream) = mpsc::channel(limits::JOURNAL_AHEAD_MAX);
    let (org, after) = (org.clone(), place(asked.incarnation, asked.after_seq));
    let sums_up = asked.summary && matches!(source, Source::Own(_));
    tokio::spawn(async move {
        let said = if sums_up { sum_up(&org, after, &told).await } else { Ok(()) };
        let followed = match said {
            Ok(()) => follow(&org, source, after, &told).await,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = followed {
            let _ = told.send(Err(status(problem))).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

fn source(org: &Org, device: &str) -> Result<Source, Problem> {
    let none = || Problem::not_found("The journal of that device is not here.");
    let device: Did = device.parse().map_err(|_| none())?;
    if device == org.device {
        return Ok(Source::Own(org.store.subscribe()));
    }
    let copied = org.journals.get(&device).ok_or_else(none)?;
    let watch = copied.journal.watch();
    Ok(Source::Copy(copied, watch))
}

/// Says what this device's journal comes to, where whoever asks is far behind.
async fn sum_up(org: &Arc<Org>, after: Point, told: &mpsc::Sender<Result<JournalEvents, Status>>) -> Result<(), Problem> {
    let (made, end) = org.blocking(move |org| Ok((summary::make(org, after)?, org.store.head()?))).await?;
    if let Some((summary_json, summary_rows_json)) = made {
        let first = message(Next { pieces: vec![], end: Some(end), age_ms: 0 });
        // Where nobody waits for it any more, what follows finds out.
        let _ = told.send(Ok(JournalEvents { summary_json, summary_rows_json, ..first })).await;
    }
    Ok(())
}

async fn follow(
    org: &Arc<Org>,
    mut source: Source,
    mut after: Point,
    told: &mpsc::Sender<Result<JournalEvents, Status>>,
) -> Result<(), Problem> {
    let copied = match &source {
        Source::Own(_) => None,
        Source::Copy(copied, _) => Some(copied.clone()),
    };
    loop {
        fault::journal_held(org).await;
        let reading = copied.clone();
        let next = org.blocking(move |org| reading.map_or_else(|| own(org, after), |copied| copy(&copied, after))).await?;
        let more = next.pieces.last().map(Piece::end);
        if told.send(Ok(message(next))).await.is_err() {
            return Ok(());
        }
        if let Some(end) = more {
            after = end;
            continue;
        }
        tokio::select! {
            // Where nothing happens it is said that it is there, and how far the journal goes.
            goes_on = tokio::time::timeout(limits::WATCH_BEAT, changed(&mut source, after)) => if goes_on == Ok(false) {
                return Ok(());
            },
            () = told.closed() => return Ok(()),
        }
    }
}

/// Waits until there may be more after a place; says whether there can be.
async fn changed(source: &mut Source, after: Point) -> bool {
    match source {
        Source::Own(live) => loop {
            match live.recv().await {
                // It was read with others before.
                Ok(recorded) if recorded.incarnation == after.incarnation && recorded.seq <= after.seq => {}
                Err(broadcast::error::RecvError::Closed) => return false,
                _ => return true,
            }
        },
        Source::Copy(_, at) => at.changed().await.is_ok(),
    }
}

fn own(org: &Org, after: Point) -> Result<Next, Problem> {
    let pieces = org.store.pieces(after, limits::JOURNAL_MESSAGE_BYTES)?;
    Ok(Next { pieces, end: Some(org.store.head()?), age_ms: 0 })
}

fn copy(copied: &Copied, after: Point) -> Result<Next, Problem> {
    let pieces = copied.journal.pieces(after, limits::JOURNAL_MESSAGE_BYTES)?;
    let age = copied.whose().as_of.map(|as_of| clock::now().0.saturating_sub(as_of.0));
    // What was never known whole is of any age.
    let age_ms = age.map_or(u64::MAX, |age| u64::try_from(age).unwrap_or(0));
    Ok(Next { pieces, end: copied.journal.head()?, age_ms })
}

fn message(next: Next) -> JournalEvents {
    let mut pieces: Vec<JournalPiece> = next.pieces.into_iter().map(piece).collect();
    fault::alter_journal(&mut pieces);
    let empty = JournalEvents { version: spoken(), pieces, age_ms: next.age_ms, ..JournalEvents::default() };
    let Some(Head { incarnation, seq, hash, .. }) = next.end else { return empty };
    JournalEvents { last_incarnation: incarnation, last_seq: seq.0, last_hash: hash.to_string(), ..empty }
}

fn piece(piece: Piece) -> JournalPiece {
    JournalPiece {
        incarnation: piece.incarnation.number,
        incarnation_after_seq: piece.incarnation.after.0,
        incarnation_after_hash: piece.incarnation.after_hash.to_vec(),
        first_seq: piece.first.0,
        previous_hash: piece.previous.to_vec(),
        events_json: piece.payloads,
        signature: piece.signature,
    }
}
