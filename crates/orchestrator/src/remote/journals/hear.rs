//! Keeps the copies of the other devices' journals up to date: each is followed at its device, and while that is away, at those who
//! have more of it. A connection that broke is made again and goes on where it was.

use super::{Copied, When, fork, others, own, place, relay, room, summary};
use crate::{
    data_dir::left_bytes,
    limits,
    org::Org,
    remote::{client, in_time, probe, reached},
};
use domain::{Did, Problem, pauses::Pauses};
use futures::StreamExt;
use mesh::{problem, spoken};
use proto::mesh::{JournalEvents, JournalPiece, JournalRequest, mesh_client::MeshClient};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use store::{Incarnation, Piece, Point, Refused, Seq};
use tokio::task::{AbortHandle, JoinSet};
use tonic::{Streaming, transport::Channel};

/// Why a journal is not followed any further for now.
pub(super) enum Stop {
    /// Who has it is away, or does not give it.
    Away(Problem),
    /// What was sent was kept out.
    Refused(Refused),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Away(problem)
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// A journal that is followed: at its device, or, where that was removed, at the others.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Followed {
    Listed(Did),
    Removed(Did),
}

impl Followed {
    fn device(&self) -> &Did {
        match self {
            Self::Listed(device) | Self::Removed(device) => device,
        }
    }
}

/// The journals that are to be followed now.
fn wanted(org: &Org) -> HashSet<Followed> {
    let removed = relay::removed(&org.remote.org()).into_iter().filter(|device| *device != org.device);
    others(org).into_iter().map(Followed::Listed).chain(removed.map(Followed::Removed)).collect()
}

/// Follows the journals of all devices that belong to the org, or did, until it closes.
pub(crate) async fn keep(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    let mut tasks = JoinSet::new();
    let mut followed: HashMap<Followed, AbortHandle> = HashMap::new();
    loop {
        let wanted = wanted(&org);
        followed.retain(|one, task| {
            let stays = wanted.contains(one) && !task.is_finished();
            if !stays {
                task.abort();
                org.journals.get(one.device()).into_iter().for_each(|copied| copied.live(false));
            }
            stays
        });
        for one in wanted {
            let follows = |one: &Followed| match one.clone() {
                Followed::Listed(device) => tasks.spawn(follow(org.clone(), device)),
                Followed::Removed(device) => tasks.spawn(relay::keep(org.clone(), device)),
            };
            followed.entry(one).or_insert_with_key(follows);
        }
        // What has ended is forgotten.
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = tokio::time::sleep(limits::MEMBERS_LOOK_EVERY) => {}
            _ = closing.wait_for(|c| *c) => break,
        }
    }
    drop(tasks);
    let noted = org.blocking(|org| {
        org.journals.all().iter().for_each(|copied| copied.note(When::Now));
        Ok(())
    });
    if let Err(problem) = noted.await {
        tracing::warn!(%problem, "as of when journals are known could not be written");
    }
}

/// Follows one device's journal for as long as the org lists it.
async fn follow(org: Arc<Org>, device: Did) {
    let mut pauses = limits::REMOTE_PAUSES;
    loop {
        let opening = device.clone();
        let copied = match org.blocking(move |org| org.journals.copy(&opening)).await {
            Ok(copied) => copied,
            Err(problem) => {
                tracing::error!(%device, %problem, "the copy of a device's journal cannot be used; it is tried again");
                tokio::time::sleep(limits::JOURNAL_REFUSED_PAUSE).await;
                continue;
            }
        };
        let begun = Instant::now();
        // Beside it, and never waited for.
        let compared = async {
            own::compare(&org, &device).await;
            std::future::pending::<Result<(), Stop>>().await
        };
        let stopped = tokio::select! {
            stopped = once(&org, &copied, &device, Point::default()) => stopped,
            stopped = compared => stopped,
        };
        copied.live(false);
        let refused = told(&org, &copied, &device, stopped).await;
        if begun.elapsed() > limits::REMOTE_PAUSE_MAX {
            pauses.anew();
        }
        let pause = pauses.another();
        tokio::select! {
            () = from_others(&org, &copied) => {}
            () = back(&org, &device, if refused { limits::JOURNAL_REFUSED_PAUSE } else { pause }) => {}
            // A device that finds its journal put back mends it and starts anew: it is not away for longer than that takes.
            () = begun_anew(&copied, || incarnation_of(&org, &device)), if refused => {}
        }
    }
}

/// Resolves when the device answers again, after a pause at least.
async fn back(org: &Arc<Org>, device: &Did, first: Duration) {
    let mut pauses = Pauses::new(first, limits::REMOTE_PAUSE_MAX.max(first));
    loop {
        tokio::time::sleep(pauses.another()).await;
        if probe(org, device).await.reachable {
            return;
        }
    }
}

/// Resolves when the device says that its journal goes on as a later incarnation than the one of which something was refused.
async fn begun_anew<F: Future<Output = Result<u64, Problem>>>(copied: &Copied, incarnation: impl Fn() -> F) {
    let refused = copied.told_incarnation.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(limits::JOURNAL_TURN).await;
        if incarnation().await.is_ok_and(|now| now > refused) {
            return;
        }
    }
}

/// The incarnation in which a device's own journal is now. Nothing of the journal follows the place after which is asked.
async fn incarnation_of(org: &Org, device: &Did) -> Result<u64, Problem> {
    Ok(first_of(org, device, device, place(u64::MAX, u64::MAX)).await?.last_incarnation)
}

/// Takes what others have of the journal of a device that is away, one after the other, again and again.
async fn from_others(org: &Arc<Org>, copied: &Arc<Copied>) {
    let mut pauses = Pauses::new(limits::JOURNAL_TURN, limits::REMOTE_PAUSE_MAX);
    loop {
        let before = copied.journal.point();
        for other in others(org).iter().filter(|other| *other != copied.journal.device()) {
            let stopped = once(org, copied, other, Point::default()).await;
            told(org, copied, other, stopped).await;
        }
        // Else nobody who is there has more of it.
        if copied.journal.point() != before {
            pauses.anew();
        }
        tokio::time::sleep(pauses.another()).await;
    }
}

/// Notes why following ended; says whether what was sent was not what the device signed, or one thing too many.
pub(super) async fn told(org: &Arc<Org>, copied: &Arc<Copied>, from: &Did, stopped: Result<(), Stop>) -> bool {
    let (device, own) = (copied.journal.device(), copied.journal.device() == from);
    match stopped {
        Ok(()) => false,
        Err(Stop::Away(problem)) => {
            tracing::debug!(%device, %from, %problem, "a device's journal is not followed there now; it is tried again");
            if own {
                reached(org, from, Err(&problem));
            }
            false
        }
        Err(Stop::Refused(why)) => {
            let grave = matches!(why, Refused::Forged(_) | Refused::Forked { .. });
            let (copied, from) = (copied.clone(), from.clone());
            let noted = org.blocking(move |org| {
                if let Refused::Disk(problem) = &why {
                    org.journals.tried(copied.journal.device(), Some(problem));
                }
                copied.refused(&from, &why);
                Ok(())
            });
            if let Err(problem) = noted.await {
                tracing::error!(%problem, "what was kept out of a journal could not be noted");
            }
            grave
        }
    }
}

/// Follows a journal at one device: at its own until the connection breaks; at another until nothing new comes, for which it is given longer
/// as long as what it told of, which ends there, has not come.
pub(super) async fn once(org: &Arc<Org>, copied: &Arc<Copied>, from: &Did, told: Point) -> Result<(), Stop> {
    let own = copied.journal.device() == from;
    let mut stream = begin(org, copied, from).await?;
    let mut waiting = Waiting::default();
    loop {
        let behind = copied.journal.point() < told;
        let silence = match (own, behind) {
            (true, _) => limits::WATCH_SILENCE,
            (false, true) => limits::JOURNAL_STILL_MAX,
            (false, false) => limits::JOURNAL_TURN,
        };
        let message = match tokio::time::timeout(silence, stream.next()).await {
            Err(_) if own || behind => return Err(Problem::unavailable("Nothing was heard of the device.").into()),
            Err(_) | Ok(None) => return Ok(()),
            Ok(Some(message)) => message.map_err(|s| problem(&s))?,
        };
        if own {
            copied.live(true);
            copied.told_incarnation.store(message.last_incarnation, Ordering::Relaxed);
        }
        let end = place(message.last_incarnation, message.last_seq);
        if take(org, copied, from, &mut waiting, message).await? == fork::End::Other {
            return fork::shown(org, copied, from, end).await;
        }
    }
}

async fn begin(org: &Arc<Org>, copied: &Arc<Copied>, from: &Did) -> Result<Streaming<JournalEvents>, Problem> {
    let stream = ask(client(org, from)?, copied, from).await?;
    if copied.journal.device() == from {
        reached(org, from, Ok(()));
    }
    Ok(stream)
}

/// Asks a device for what comes after the copy of a journal.
async fn ask(mut client: MeshClient<Channel>, copied: &Copied, from: &Did) -> Result<Streaming<JournalEvents>, Problem> {
    let device = copied.journal.device();
    let summary = device == from && copied.wants_summary();
    let request = JournalRequest { summary, ..request(device, copied.journal.point()) };
    Ok(in_time(limits::JOURNAL_ANSWER_WAIT, client.journal(request)).await?.into_inner())
}

/// The first that a device tells of what follows a place of a journal, with where that ends there.
pub(super) async fn first_of(org: &Org, from: &Did, device: &Did, after: Point) -> Result<JournalEvents, Problem> {
    let mut client = client(org, from)?;
    let told = async { client.journal(request(device, after)).await?.into_inner().message().await };
    Ok(in_time(limits::JOURNAL_ANSWER_WAIT, told).await?.unwrap_or_default())
}

fn request(device: &Did, after: Point) -> JournalRequest {
    let (device, incarnation, after_seq) = (device.to_string(), after.incarnation, after.seq.0);
    JournalRequest { version: spoken(), device, incarnation, after_seq, summary: false }
}

/// Pieces of a group whose end has not come yet.
#[derive(Default)]
pub(super) struct Waiting {
    pieces: Vec<Piece>,
    bytes: usize,
}

impl Waiting {
    /// Takes pieces, and gives the groups that are whole by them.
    pub(super) fn take(&mut self, pieces: Vec<JournalPiece>) -> Result<Vec<Piece>, Refused> {
        for sent in pieces {
            let piece = read(sent)?;
            self.bytes += weight(&piece);
            self.pieces.push(piece);
        }
        if self.bytes > 2 * limits::JOURNAL_GROUP_BYTES_MAX {
            return Err(Refused::Forged("no group of events is so large".into()));
        }
        let whole = self.pieces.iter().rposition(|piece| !piece.signature.is_empty()).map_or(0, |last| last + 1);
        let rest = self.pieces.split_off(whole);
        let groups = std::mem::replace(&mut self.pieces, rest);
        self.bytes = self.pieces.iter().map(weight).sum();
        Ok(groups)
    }
}

fn read(sent: JournalPiece) -> Result<Piece, Refused> {
    let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(|_| Refused::Forged("a hash has another length".into()));
    if sent.events_json.is_empty() || sent.events_json.iter().any(Vec::is_empty) {
        return Err(Refused::Forged("a piece has no events".into()));
    }
    Ok(Piece {
        incarnation: Incarnation {
            number: sent.incarnation,
            after: Seq(sent.incarnation_after_seq),
            after_hash: hash(&sent.incarnation_after_hash)?,
        },
        first: Seq(sent.first_seq),
        previous: hash(&sent.previous_hash)?,
        payloads: sent.events_json,
        signature: sent.signature,
    })
}

/// What a piece takes in memory at the most, in bytes: many small events take more than they hold. A group of real ones takes less than twice.
fn weight(piece: &Piece) -> usize {
    256 + piece.payloads.iter().map(|payload| payload.len() + 64).sum::<usize>()
}

/// Takes a message in, and says whether the journal ends for its sender as it does here. On disk before the next is read: a slow disk here
/// holds the sender's stream back.
async fn take(org: &Arc<Org>, copied: &Arc<Copied>, from: &Did, waiting: &mut Waiting, message: JournalEvents) -> Result<fork::End, Stop> {
    let end = place(message.last_incarnation, message.last_seq);
    let groups = waiting.take(message.pieces)?;
    let summed_up = (message.summary_json, message.summary_rows_json);
    let tells = !summed_up.0.is_empty() || groups.iter().flat_map(|piece| &piece.payloads).any(|event| tells(event));
    let (copied, from, age_ms, hash) = (copied.clone(), from.clone(), message.age_ms, message.last_hash);
    let taken = org.blocking(move |org| {
        let taken = sum_up(org, &copied, &from, end, &summed_up).and_then(|()| append(&copied, &groups));
        let taken = taken.and_then(|()| fork::compare(&copied, &from, end, &hash));
        if taken == Ok(fork::End::Same) {
            copied.heard(&from, end, age_ms);
            if copied.journal.point() >= end {
                org.journals.tried(copied.journal.device(), None);
                if from == *copied.journal.device() {
                    org.remote.note_whole(&from);
                }
            }
        }
        Ok(taken)
    });
    let ends = taken.await?.map_err(Stop::Refused)?;
    if tells {
        org.journals.grew();
    }
    Ok(ends)
}

/// Takes in what a device says that its own journal comes to. What others say of it counts nothing.
fn sum_up(org: &Org, copied: &Copied, from: &Did, end: Point, (sealed, rows_json): &(Vec<u8>, Vec<u8>)) -> Result<(), Refused> {
    if sealed.is_empty() || from != copied.journal.device() {
        return Ok(());
    }
    let told = summary::open(&org.name, from, sealed, rows_json)?;
    if told.at > end {
        return Err(Refused::Forged("the summary of its journal leads beyond the end that is told with it".into()));
    }
    copied.sum_up(told);
    Ok(())
}

fn append(copied: &Copied, groups: &[Piece]) -> Result<(), Refused> {
    if !groups.is_empty() {
        room::append(&copied.journal, groups, left_bytes(copied.journal.dir()))?;
    }
    copied.confirm()
}

/// Whether an event changes what people see: that a lease goes on does not.
fn tells(event: &[u8]) -> bool {
    !String::from_utf8_lossy(event).contains(r#""type":"lease_renewed""#)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures;
    use std::{cell::RefCell, future::ready};
    use store::JournalCopy;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_was_refused_is_followed_as_soon_as_its_device_mended_it() {
        let (dir, device) = (tempfile::tempdir().unwrap(), identity::Key::from_seed(&[1; 32]).did());
        let copied = Copied::of(JournalCopy::open(dir.path(), &device).unwrap());
        copied.told_incarnation.store(2, Ordering::Relaxed);
        // It goes on as before, starts anew, and is back.
        let said = RefCell::new(vec![Ok(3), Err(Problem::unavailable("It is away.")), Ok(2)]);
        let begun = Instant::now();
        begun_anew(&copied, || ready(said.borrow_mut().pop().unwrap())).await;
        assert!(said.borrow().is_empty(), "{said:?}");
        assert!(begun.elapsed() < limits::JOURNAL_REFUSED_PAUSE / 2, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_takes_the_call_for_a_journal_and_says_nothing_is_waited_for_a_while_only() {
        let (dir, own) = (tempfile::tempdir().unwrap(), identity::Key::from_seed(&[1; 32]).did());
        let copied = Copied::of(JournalCopy::open(dir.path(), &own).unwrap());
        let other = identity::Key::from_seed(&[2; 32]).did();
        // The device itself, which is asked for a summary too, and one that holds a copy.
        for from in [&own, &other] {
            let begun = Instant::now();
            let asked = timeout(limits::JOURNAL_ANSWER_WAIT * 2, ask(fixtures::silent(), &copied, from)).await;
            let problem = asked.unwrap().err().unwrap();
            assert_eq!(problem.kind, domain::Kind::Timeout, "{problem}");
            assert!(begun.elapsed() >= limits::JOURNAL_ANSWER_WAIT, "it took the call");
        }
    }
}
