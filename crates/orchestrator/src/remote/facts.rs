//! What the executor tells of a run: its facts and its log, from a number on, as they come. A slow reader holds only its own
//! stream back.

use super::{lock, orders::Follows};
use crate::{fault, limits, org::Org};
use domain::{
    Problem, RunId,
    event::{Body, Event, kind},
    manifest::Class,
    run::Run,
};
use futures::{FutureExt, Stream};
use mesh::{spoken, status};
use proto::mesh::{Fact, LogLine, LogLines, ResultReply};
use std::{collections::BTreeMap, pin::Pin, sync::Arc};
use store::{LogEntry, Seq};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The facts about a run, and about the checks on its work, after a number of the journal. Ends with the run.
pub(super) fn watch(org: &Arc<Org>, run: RunId, after: u64) -> Out<Fact> {
    let (told, stream) = mpsc::channel(limits::FACTS_AHEAD_MAX);
    let (org, follows) = (org.clone(), Follows::begin(org, &run));
    tokio::spawn(async move {
        let _until_here = follows;
        if let Err(problem) = tell(&org, &run, after, &told).await {
            let _ = told.send(Err(status(problem))).await;
        }
    });
    Box::pin(ReceiverStream::new(stream))
}

async fn tell(org: &Arc<Org>, run: &RunId, after: u64, told: &mpsc::Sender<Result<Fact, Status>>) -> Result<(), Problem> {
    let (mut follower, mut checks) = (org.store.follow(Seq(after)), BTreeMap::new());
    let mut beat_at = Instant::now() + limits::WATCH_BEAT;
    loop {
        let next = tokio::select! {
            // The journal before the beat: that says that there is no more in it, for now. What else is journaled does not put it off.
            biased;
            () = told.closed() => return Ok(()),
            next = follower.next() => Some(next?),
            () = sleep_until(beat_at) => None,
        };
        let Some(recorded) = next else {
            // It is there, and that is all there is to say; of a run that ended nothing follows.
            let ended = over(org, run)?;
            if told.send(Ok(beat(org, run, follower.at()))).await.is_err() || ended {
                return Ok(());
            }
            beat_at = Instant::now() + limits::WATCH_BEAT;
            continue;
        };
        let (seq, event) = (recorded.seq.0, recorded.event);
        if !about(org, run, &event, &mut checks)? {
            continue;
        }
        if matches!(event.body, Body::PatchPublished { .. }) {
            announce(org, run).await;
        }
        let event_json = fault::said(serde_json::to_string(&*event).map_err(Problem::internal)?);
        if told.send(Ok(Fact { version: spoken(), seq, event_json, unended: String::new() })).await.is_err() {
            return Ok(());
        }
        if matches!(&event.body, Body::RunMoved { run: moved, to, .. } if moved == run && to.ended()) {
            return Ok(());
        }
        beat_at = Instant::now() + limits::WATCH_BEAT;
    }
}

/// That this device is there, with what it knows of the run and cannot journal.
fn beat(org: &Org, run: &RunId, at: Seq) -> Fact {
    Fact { version: spoken(), seq: at.0, event_json: String::new(), unended: org.driven.unended(run).unwrap_or_default() }
}

/// Has the requester's Radicle node told of the patch anew: it may not have been connected when it was published.
async fn announce(org: &Arc<Org>, run: &RunId) {
    let run = run.clone();
    let announced = org.blocking(move |org| {
        let Some(Run { key: Some(key), project, .. }) = org.store.get::<Run>(kind::RUN, run.as_str())? else { return Ok(()) };
        org.forge.announce(&org.project(Some(&project))?.rid, &[key])
    });
    if let Err(problem) = announced.await {
        tracing::warn!(%problem, "a patch was not announced anew");
    }
}

fn over(org: &Org, run: &RunId) -> Result<bool, Problem> {
    Ok(org.store.get::<Run>(kind::RUN, run.as_str())?.is_none_or(|r| r.state.ended()))
}

/// Whether an event is a fact that the requester is told. `checks` remembers which runs judge the run's work.
fn about(org: &Org, run: &RunId, event: &Event, checks: &mut BTreeMap<RunId, bool>) -> Result<bool, Problem> {
    if event.told.is_some() {
        return Ok(false);
    }
    if fault::tells(event) {
        return Ok(true);
    }
    let other = match &event.body {
        Body::RunQueued { run: queued } => &queued.id,
        body => match body.run() {
            Some(own) if own == run => return Ok(body.of_executor()),
            Some(other) => other,
            None => return Ok(false),
        },
    };
    let judges = match checks.get(other) {
        Some(known) => *known,
        None => {
            let found: Option<Run> = org.store.get(kind::RUN, other.as_str())?;
            let judges = found.is_some_and(|r| r.class == Class::Ci && r.subject.as_ref() == Some(run) && r.requester == org.device);
            checks.insert(other.clone(), judges);
            judges
        }
    };
    Ok(judges && event.body.of_checks())
}

/// The lines of a run's log after a number. Ends when nothing will follow.
pub(super) async fn log(org: &Arc<Org>, run: RunId, after: u64) -> Result<Out<LogLines>, Problem> {
    let wanted = run.clone();
    let log = org.blocking(move |org| org.store.run_log(&wanted)).await?;
    let (told, stream) = mpsc::channel(limits::LOG_AHEAD_MAX);
    let org = org.clone();
    tokio::spawn(async move {
        let (mut follower, mut wait) = (log.follow(after), limits::LOG_PAGE_QUIET);
        loop {
            let first = tokio::select! {
                first = tokio::time::timeout(wait, follower.next()) => first,
                () = told.closed() => return,
            };
            let first = match first {
                Ok(Ok(Some(entry))) => entry,
                Ok(Ok(None)) => return,
                Ok(Err(problem)) => return drop(told.send(Err(status(problem))).await),
                // After a restart nobody says that the log of an ended run is finished.
                Err(_) if whole(&org, &run) && follower.at() >= log.last_seq() => return,
                Err(_) => {
                    wait = limits::WATCH_BEAT;
                    continue;
                }
            };
            wait = limits::LOG_PAGE_QUIET;
            // What cannot be read is met again as the first of the next.
            let lines = together(line(first), || follower.next().now_or_never()?.ok()?.map(line));
            if told.send(Ok(LogLines { version: spoken(), lines })).await.is_err() {
                return;
            }
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

/// Whether nothing is added to a run's log any more. Where that cannot be read it goes on: whoever reads it takes its end for the whole.
pub(super) fn whole(org: &Org, run: &RunId) -> bool {
    over(org, run).unwrap_or(false) && !lock(&org.remote.following).contains_key(run)
}

/// A line with those after it that are there already, as far as they fit into one message.
fn together(first: LogLine, mut more: impl FnMut() -> Option<LogLine>) -> Vec<LogLine> {
    let mut bytes = first.event_json.len();
    let mut lines = vec![first];
    while lines.len() < limits::LOG_BATCH
        && bytes < limits::LOG_MESSAGE_BYTES
        && let Some(line) = more()
    {
        bytes += line.event_json.len();
        lines.push(line);
    }
    lines
}

fn line(entry: LogEntry) -> LogLine {
    LogLine { seq: entry.seq, at_ms: entry.at.0, event_json: entry.event.to_string() }
}

/// What a run came to: itself, and what its facts name only by a hash.
pub(super) async fn result(org: &Arc<Org>, run: Run) -> Result<ResultReply, Problem> {
    org.blocking(move |org| {
        let judged = crate::provenance::judged(org, &run)?;
        let json = |value: &serde_json::Value| -> Result<Vec<u8>, Problem> {
            identity::Envelope::from_json(&serde_json::to_vec(value).map_err(Problem::internal)?)?.to_json()
        };
        Ok(ResultReply {
            version: spoken(),
            run_json: serde_json::to_string(&run).map_err(Problem::internal)?,
            checked_json: judged.as_ref().map(|j| json(&j.results)).transpose()?.unwrap_or_default(),
            checked_delegation_json: judged.as_ref().map(|j| json(&j.delegation)).transpose()?.unwrap_or_default(),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, fixtures::Opened};
    use domain::{
        Timestamp,
        run::{RunState, RunnerEvent},
    };
    use futures::StreamExt;
    use tokio::time::timeout;

    /// What gRPC takes in one message, and what a line may have there beside its event, in bytes.
    const MESSAGE_BYTES_MAX: usize = 4 << 20;
    const BESIDE_BYTES: usize = 32;

    #[test]
    fn lines_of_any_size_go_in_messages_that_are_taken_and_none_is_left_out() {
        // Short ones; 4 KiB of control characters, each of which has six bytes in JSON; the longest that a log takes.
        for (bytes, count) in [(24, 600), (24 * 1024, 600), (store::limits::LOG_ENTRY_BYTES_MAX, 9)] {
            let mut lines = (1..=count).map(|seq| LogLine { seq, ..line_of(bytes) });
            let mut sent: Vec<u64> = vec![];
            while let Some(first) = lines.next() {
                let message = together(first, || lines.next());
                let size: usize = message.iter().map(|line| line.event_json.len() + BESIDE_BYTES).sum();
                assert!(size < MESSAGE_BYTES_MAX && message.len() <= limits::LOG_BATCH, "{} lines of {bytes} bytes", message.len());
                sent.extend(message.iter().map(|line| line.seq));
            }
            assert_eq!(sent, (1..=count).collect::<Vec<u64>>());
        }
        assert_eq!(together(line_of(24), || Some(line_of(24))).len(), limits::LOG_BATCH, "short ones go together");
    }

    #[tokio::test]
    async fn a_run_is_told_of_in_time_however_much_else_is_journaled() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let (quiet, over) = (queued(org, 1, RunState::Working).await, queued(org, 2, RunState::Done).await);
        tokio::time::pause();
        let (mut of_quiet, mut of_over) = (watch(org, quiet, 0), watch(org, over, 0));
        for n in 3..9 {
            let other = org.event(&org.device, Body::RunQueued { run: Box::new(run(org, n, RunState::Queued)) });
            // On a thread of its own: the clock stands until it is written.
            org.blocking(move |org| org.store.append_blocking(vec![other])).await.unwrap();
            tokio::time::sleep(limits::WATCH_BEAT / 2).await;
        }
        let next = |told: &mut Out<Fact>| told.next().now_or_never().map(|told| told.map(|fact| fact.unwrap().event_json));
        assert_eq!(next(&mut of_quiet), Some(Some(String::new())), "its device is there");
        assert_eq!([next(&mut of_over), next(&mut of_over)], [Some(Some(String::new())), Some(None)], "nothing follows");
    }

    #[tokio::test]
    async fn that_the_end_of_a_run_could_not_be_written_is_told_beside_the_journal() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let id = queued(org, 1, RunState::Working).await;
        let known: Run = org.store.get(kind::RUN, id.as_str()).unwrap().unwrap();
        let said = || beat(org, &id, Seq(1)).unended;
        assert_eq!(said(), "");
        let full = "The disk is full.";
        org.driven.later(&known, Some(Problem::unavailable(full).into()), full.to_owned());
        assert_eq!(said(), full);
    }

    #[tokio::test]
    async fn the_log_of_a_run_that_is_over_ends_soon_and_that_of_one_that_is_quiet_does_not() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let (quiet, over) = (queued(org, 1, RunState::Working).await, queued(org, 2, RunState::Done).await);
        let logs = [&quiet, &over].map(|id| org.store.run_log(id).unwrap());
        let said = |seq| LogEntry::new(seq, Timestamp(1), &RunnerEvent::Message { text: "x".into() }).unwrap();
        logs.iter().for_each(|log| assert_eq!(log.append(&[said(1)]).unwrap(), 1));
        tokio::time::pause();
        let (mut of_quiet, mut of_over) = (log(org, quiet, 0).await.unwrap(), log(org, over, 0).await.unwrap());
        assert_eq!(seqs(&mut of_quiet).await, Some(vec![1]));

        let begun = Instant::now();
        assert_eq!((seqs(&mut of_over).await, seqs(&mut of_over).await), (Some(vec![1]), None));
        assert!(begun.elapsed() < limits::WATCH_BEAT);

        assert!(timeout(limits::WATCH_BEAT * 3, of_quiet.next()).await.is_err(), "it goes on");
        logs[0].append(&[said(2)]).unwrap();
        assert_eq!(seqs(&mut of_quiet).await, Some(vec![2]));
    }

    async fn seqs(log: &mut Out<LogLines>) -> Option<Vec<u64>> {
        log.next().await.map(|told| told.unwrap().lines.iter().map(|line| line.seq).collect())
    }

    async fn queued(org: &Org, n: u32, state: RunState) -> RunId {
        let run = run(org, n, state);
        let id = run.id.clone();
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run) }]).await.unwrap();
        id
    }

    fn run(org: &Org, n: u32, state: RunState) -> Run {
        let id = format!("{n:026}").parse().unwrap();
        let run = new_run(id, Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        Run { state, ..run }
    }

    fn line_of(bytes: usize) -> LogLine {
        LogLine { seq: 1, at_ms: 0, event_json: "x".repeat(bytes) }
    }
}
