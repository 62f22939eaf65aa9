//! Following a run that another device executes for us: its facts into the journal, its log into the log. A connection that broke is
//! made again and goes on where it was; a device that cannot be reached for longer than the lease has lost the run, and so has one that
//! says for a while that it does not have it, or with which it ended without a word.

use super::{checkpoint, client, hear, in_time, lock, reach::directly, reached, wish};
use crate::{clock, dispatch, lifecycle, limits, org::Org};
use domain::{
    Did, Kind, Problem, RunId, Timestamp,
    event::{Body, kind},
    follow::{Came, Following, GivenUp},
    lease::Reached,
    run::{Run, RunState},
    time::millis,
};
use futures::{
    StreamExt,
    future::{Either, select},
};
use mesh::{problem, spoken};
use proto::mesh::{Fact, LogLines, LogRequest, WatchRequest, mesh_client::MeshClient};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use store::{LogEntry, RunLog};
use tokio::time::{error::Elapsed, timeout};
use tonic::{Streaming, transport::Channel};

/// What is known of a run that is followed, and stands in no journal.
#[derive(Debug)]
pub(super) struct Followed {
    /// When its device was heard of last.
    heard_at: Timestamp,
    /// That nothing of it runs any more there, and why its end could not be written yet, as its device says.
    unended: Option<String>,
    /// Whether it did not answer when it was looked for last.
    silent: bool,
}

impl Followed {
    fn since(heard_at: Timestamp) -> Self {
        Self { heard_at, unended: None, silent: false }
    }
}

/// The clock by which a run is followed. It begins when its device was heard of last, as far as the journal knows that.
struct Clock(Instant);

impl Clock {
    fn now_ms(&self) -> u64 {
        millis(self.0.elapsed())
    }
}

/// Follows all runs that others execute for us: after a start.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn follow_all(org: &Arc<Org>) -> Result<(), Problem> {
    for run in org.active_runs()? {
        if let (Some(told), Some(device)) = (&run.told, run.elsewhere(&org.device)) {
            follow(org, &run.id, device, told.seq);
        }
    }
    Ok(())
}

/// Follows a run on another device until it has ended. `after` is the number of that device's journal after which its facts come.
pub(crate) fn follow(org: &Arc<Org>, run: &RunId, device: &Did, after: u64) {
    {
        let mut following = lock(&org.remote.following);
        if following.contains_key(run) {
            return;
        }
        following.insert(run.clone(), Followed::since(clock::now()));
    }
    let (following, run, device) = (org.clone(), run.clone(), device.clone());
    org.tasks.spawn(async move {
        let mut closing = following.closing.subscribe();
        tokio::select! {
            () = until_ended(&following, &run, &device, after) => {}
            _ = closing.wait_for(|c| *c) => {}
        }
        lock(&following.remote.following).remove(&run);
        lock(&following.remote.routes).remove(&run);
        following.wake.notify_one();
    });
}

async fn until_ended(org: &Arc<Org>, id: &RunId, device: &Did, first: u64) {
    let (mut pauses, mut followed, mut told, told_of_log) = (limits::REMOTE_PAUSES, None, false, AtomicBool::new(false));
    loop {
        let Some(run) = read_at_last(id, || org.store.get::<Run>(kind::RUN, id.as_str())).await else { return };
        if run.state.ended() {
            return ended(org, id).await;
        }
        let (clock, following) = followed.get_or_insert_with(|| {
            note_heard(org, id, run.told.as_ref().map_or_else(clock::now, |told| told.heard_at));
            (Clock(heard_before(&run)), Following::begin(0))
        });
        let after = run.told.as_ref().map_or(first, |told| told.seq);
        let begun = Instant::now();
        let given_up = match once(org, &run, device, after, clock, following, &told_of_log).await {
            Ok(None) => {
                if !following.is_missing() {
                    tracing::warn!(run = %id, %device, "the device of a run elsewhere says that it does not have it; it is asked again");
                }
                following.missing(clock.now_ms(), crate::fault::run_missing_ms())
            }
            Ok(Some(came)) => {
                pauses.anew();
                told = false;
                following.told(came, is_over_there(org, id, device).await)
            }
            Err(problem) => {
                // Once until it is followed again: it may be away for days.
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(run = %id, %device, %problem, "a run elsewhere cannot be followed now; it is tried again");
                }
                broke(org, id, device, clock, following).await
            }
        };
        if let Some(why) = given_up {
            match give_up(org, id, device, why).await {
                Ok(()) => continue,
                Err(problem) => tracing::error!(run = %id, %problem, "a lost run could not be noted; it is tried again"),
            }
        }
        if begun.elapsed() > limits::REMOTE_PAUSE_MAX {
            pauses.anew();
        }
        tokio::time::sleep(pauses.another()).await;
    }
}

/// Notes when the device of a run elsewhere was heard of last, for people.
fn note_heard(org: &Org, id: &RunId, at: Timestamp) {
    if let Some(followed) = lock(&org.remote.following).get_mut(id) {
        (followed.heard_at, followed.silent) = (at, false);
    }
}

/// Notes that the device of a run elsewhere was looked for, and did not answer.
fn note_silent(org: &Org, id: &RunId) {
    if let Some(followed) = lock(&org.remote.following).get_mut(id) {
        followed.silent = true;
    }
}

/// Notes what the device of a run elsewhere says beside its journal; empty: nothing, or that what it said is over.
fn note_unended(org: &Org, id: &RunId, said: &str) {
    if let Some(followed) = lock(&org.remote.following).get_mut(id) {
        followed.unended = (!said.is_empty()).then(|| domain::shown_at_length(said));
    }
}

/// Of a run elsewhere of which nothing runs any more, and whose end its device could not write yet: why, in its words.
pub(crate) fn unended(org: &Org, id: &RunId) -> Option<String> {
    lock(&org.remote.following).get(id)?.unended.clone()
}

/// About when a run elsewhere is given up, unless its device is heard of before; none: it is not followed. Whoever refuses what is `halted`
/// is there, and no run is given up for that: so then only where its device does not answer.
pub(crate) fn waited_until(org: &Org, id: &RunId, halted: bool) -> Option<Timestamp> {
    let following = lock(&org.remote.following);
    let followed = following.get(id).filter(|followed| followed.silent || !halted)?;
    Some(followed.heard_at.plus_ms(crate::fault::lease_ms()))
}

/// What the journal says, however often that cannot be read before: nobody else follows the run.
async fn read_at_last<T>(id: &RunId, read: impl Fn() -> Result<T, Problem>) -> T {
    let (mut pauses, mut told) = (limits::REMOTE_PAUSES, false);
    loop {
        match read() {
            Ok(read) => return read,
            Err(problem) if !told => tracing::error!(run = %id, %problem, "a run elsewhere cannot be looked up; it is tried again"),
            Err(_) => {}
        }
        told = true;
        tokio::time::sleep(pauses.another()).await;
    }
}

/// Before this process began: by what is in the journal.
fn heard_before(run: &Run) -> Instant {
    // Nothing was told yet: its lease counts from now, and not from when it was queued.
    let Some(told) = &run.told else { return Instant::now() };
    let ago = u64::try_from(clock::now().0.saturating_sub(told.heard_at.0)).unwrap_or(0);
    Instant::now().checked_sub(Duration::from_millis(ago)).unwrap_or_else(Instant::now)
}

/// Follows over one connection, until the run has ended or the connection breaks; none: its device answered that it does not have it.
/// `told_of_log`: whether it was warned that its log cannot be taken.
async fn once(
    org: &Arc<Org>,
    run: &Run,
    device: &Did,
    after: u64,
    clock: &Clock,
    following: &mut Following,
    told_of_log: &AtomicBool,
) -> Result<Option<Came>, Problem> {
    if let Some(reason) = run.ending.clone() {
        // Whoever asked for the end may have done so while the device was away.
        wish::end(org, run, device, reason).await?;
    }
    let id = run.id.clone();
    let log = org.blocking(move |org| org.store.run_log(&id)).await?;
    let over = AtomicBool::new(false);
    let facts = pin!(facts(org, run, device, after, clock, following));
    let lines = pin!(whole_log(org, run, device, &log, &over, told_of_log));
    match select(facts, lines).await {
        Either::Left((came, lines)) => {
            let came = came?;
            if came.is_none() {
                return Ok(None);
            }
            over.store(true, Ordering::Relaxed);
            if let Err(problem) = rest(|| log.last_seq(), lines).await {
                tracing::warn!(run = %run.id, %device, %problem, "what is left of the log of a run elsewhere did not come");
            }
            Ok(came)
        }
        Either::Right((_, facts)) => facts.await,
    }
}

async fn facts(
    org: &Arc<Org>,
    run: &Run,
    device: &Did,
    after_seq: u64,
    clock: &Clock,
    following: &mut Following,
) -> Result<Option<Came>, Problem> {
    let mut stream = match begin_facts(client(org, device)?, &run.id, after_seq).await {
        Ok(begun) => begun,
        // Its own word: what it leases is on its disk before it says so.
        Err(said) if said.kind == Kind::NotFound => {
            reached(org, device, Ok(()));
            return Ok(None);
        }
        Err(problem) => return Err(problem),
    };
    reached(org, device, Ok(()));
    let mut came = Came::Nothing;
    loop {
        let next = timeout(limits::WATCH_SILENCE, stream.next()).await;
        let Some(fact) = next.map_err(silent)? else { return Ok(Some(came)) };
        let fact = fact.map_err(|s| problem(&s))?;
        following.heard(clock.now_ms());
        note_heard(org, &run.id, clock::now());
        note_unended(org, &run.id, &fact.unended);
        // A message without an event comes where the journal there has no more, for now.
        came = if fact.event_json.is_empty() { Came::All } else { Came::UpTo(fact.seq) };
        if came != Came::All {
            hear::fact(org, &run.id, device, fact).await?;
        }
    }
}

/// Asks for a run's facts after a number of its device's journal.
async fn begin_facts(mut client: MeshClient<Channel>, run: &RunId, after_seq: u64) -> Result<Streaming<Fact>, Problem> {
    let request = WatchRequest { version: spoken(), run: run.to_string(), after_seq };
    Ok(in_time(limits::WATCH_SILENCE, client.watch(request)).await?.into_inner())
}

/// Asks for a run's log after a number.
async fn begin_lines(mut client: MeshClient<Channel>, run: &RunId, after_seq: u64) -> Result<Streaming<LogLines>, Problem> {
    let request = LogRequest { version: spoken(), run: run.to_string(), after_seq };
    Ok(in_time(limits::WATCH_SILENCE, client.log(request)).await?.into_inner())
}

fn silent(_: Elapsed) -> Problem {
    Problem::unavailable("Nothing was heard of the device.")
}

/// Takes a run's log, over as many connections as that needs: whatever is wrong with it holds no fact up. Once the run is `over` it is
/// tried for one time more. `told`: whether it was warned that it cannot be taken; it is again once more of it came.
async fn whole_log(org: &Arc<Org>, run: &Run, device: &Did, log: &RunLog, over: &AtomicBool, told: &AtomicBool) -> Result<(), Problem> {
    let mut pauses = limits::REMOTE_PAUSES;
    loop {
        let (last, before) = (over.load(Ordering::Relaxed), log.last_seq());
        match lines(org, run, device, log).await {
            Err(problem) if !last => {
                let more_came = log.last_seq() > before;
                if more_came {
                    pauses.anew();
                }
                if !told.swap(true, Ordering::Relaxed) || more_came {
                    tracing::warn!(run = %run.id, %device, %problem, "the log of a run elsewhere cannot be taken now; it is tried again");
                }
            }
            done => return done,
        }
        tokio::time::sleep(pauses.another()).await;
    }
}

/// Waits for what is left of a log, for as long as more of it comes: what follows from the end of its run waits for that. `last_seq` says
/// how far it came.
async fn rest(last_seq: impl Fn() -> u64, mut lines: impl Future<Output = Result<(), Problem>> + Unpin) -> Result<(), Problem> {
    let begun = tokio::time::Instant::now();
    loop {
        let before = last_seq();
        match timeout(limits::WATCH_SILENCE, &mut lines).await {
            Ok(done) => return done,
            Err(late) if last_seq() == before || begun.elapsed() > limits::LOG_REST_MAX => return Err(silent(late)),
            Err(_) => {}
        }
    }
}

/// Takes a run's log over one connection, to its end. A stream that says nothing for long is asked for anew.
async fn lines(org: &Arc<Org>, run: &Run, device: &Did, log: &RunLog) -> Result<(), Problem> {
    let mut stream = begin_lines(client(org, device)?, &run.id, log.last_seq()).await?;
    loop {
        let Ok(next) = timeout(limits::LOG_SILENCE, stream.next()).await else {
            stream = begin_lines(client(org, device)?, &run.id, log.last_seq()).await?;
            continue;
        };
        let Some(lines) = next else { break };
        let lines = lines.map_err(|s| problem(&s))?.lines.into_iter();
        let entry = |line: proto::mesh::LogLine| {
            let event = serde_json::from_str(&line.event_json).map_err(|_| Problem::invalid("The device sent a line that is none."))?;
            Ok(LogEntry { seq: line.seq, at: Timestamp(line.at_ms), event })
        };
        let entries = lines.map(entry).collect::<Result<Vec<_>, Problem>>()?;
        let into = log.clone();
        // Written before the next is read: a slow disk here holds the executor's stream back, not its run.
        crate::org::blocking(move || into.append(&entries).map(drop)).await?;
    }
    log.finish();
    Ok(())
}

/// The run has ended: what follows from it here.
async fn ended(org: &Arc<Org>, id: &RunId) {
    let run = id.clone();
    if let Ok(log) = org.blocking(move |org| org.store.run_log(&run)).await {
        log.finish();
    }
    lifecycle::prune_checkpoints(org, id).await;
    if !*org.closing.borrow()
        && let Err(problem) = lifecycle::take_up_again(org, id).await
    {
        tracing::error!(run = %id, %problem, "a run that ended elsewhere could not be taken up again");
    }
}

/// Whether a run is given up whose connection broke: its device belongs to the org no more, or cannot be reached and the lease is over.
/// Why it broke does not count: that may be the disk here, or a stop order.
async fn broke(org: &Arc<Org>, id: &RunId, device: &Did, clock: &Clock, following: &mut Following) -> Option<GivenUp> {
    if super::device(org, device).is_err_and(|p| p.kind == Kind::Forbidden) {
        return Some(GivenUp::Outside);
    }
    let now_ms = clock.now_ms();
    let reached = directly(org, device).await;
    match reached {
        Reached::Yes => note_heard(org, id, clock::now()),
        Reached::No => note_silent(org, id),
    }
    following.broke(now_ms, crate::fault::lease_ms(), reached)
}

/// Whether a run has ended at its device, though nothing was heard of that here.
async fn is_over_there(org: &Arc<Org>, id: &RunId, device: &Did) -> bool {
    let known = org.store.get::<Run>(kind::RUN, id.as_str());
    let Ok(Some(run)) = known.map(|run| run.filter(|run| !run.state.ended())) else { return false };
    checkpoint::run_there(org, &run, device).await.is_ok_and(|there| there.state.ended())
}

/// Notes that nothing will come of a run any more, and how it ends by that.
///
/// # Errors
/// When the journal cannot be written.
async fn give_up(org: &Arc<Org>, id: &RunId, device: &Did, why: GivenUp) -> Result<(), Problem> {
    let (run, device, deciding) = (id.clone(), device.clone(), org.clone());
    let decided = org.store.append_if(move |view| {
        let Some(now) = view.get::<Run>(kind::RUN, run.as_str())?.filter(|now| !now.state.ended()) else { return Ok(vec![]) };
        let (to, reason) = why.end(now, &device);
        if to != RunState::Done {
            // It may go on there, and be saved; one that was stopped is ended there yet.
            deciding.remote.moving.give_up(&run);
        }
        Ok(vec![deciding.event(&deciding.device, Body::RunMoved { run, to, reason: Some(reason) })])
    });
    decided.await?;
    dispatch::wake(org);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use std::{
        future::{pending, ready},
        sync::atomic::AtomicU64,
    };

    #[tokio::test]
    async fn a_run_elsewhere_is_waited_for_as_long_as_a_lease_after_its_device_was_heard_of() {
        let opened = fixtures::Opened::new().await;
        let (org, id) = (&opened.org, crate::clock::run_id());
        note_heard(org, &id, Timestamp(1_000));
        assert_eq!(waited_until(org, &id, false), None, "it is not followed");
        lock(&org.remote.following).insert(id.clone(), Followed::since(Timestamp(1_000)));
        let first = waited_until(org, &id, false);
        assert_eq!(first, Some(Timestamp(1_000).plus_ms(crate::fault::lease_ms())));
        note_heard(org, &id, Timestamp(5_000));
        let until = waited_until(org, &id, false);
        assert_eq!(until, first.map(|first| first.plus_ms(4_000)));
        assert_eq!(waited_until(org, &id, true), None, "it is halted, and answers");
        note_silent(org, &id);
        assert_eq!(waited_until(org, &id, true), until, "it is halted, and switched off");
        note_unended(org, &id, "The disk is full.");
        note_heard(org, &id, Timestamp(6_000));
        assert_eq!(unended(org, &id).as_deref(), Some("The disk is full."));
        note_unended(org, &id, "");
        assert_eq!(unended(org, &id), None, "it could be written, or goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_cannot_be_read_for_a_while_ends_no_following() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let (tries, begun) = (AtomicU64::new(0), tokio::time::Instant::now());
        let read = || match tries.fetch_add(1, Ordering::Relaxed) {
            tried @ 0..9 => Err(Problem::unavailable(format!("The disk did not answer for the {}th time.", tried + 1))),
            tried => Ok(tried),
        };
        assert_eq!(read_at_last(&id, read).await, 9);
        assert!((limits::REMOTE_PAUSE * 9..limits::REMOTE_PAUSE_MAX * 9).contains(&begun.elapsed()), "after pauses, which end");
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_takes_a_call_and_says_nothing_is_waited_for_a_while_only() {
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let heard_nothing = |asked: Result<Option<Problem>, Elapsed>, begun: tokio::time::Instant| {
            assert!(asked.ok().flatten().is_some_and(|problem| problem.kind == Kind::Timeout && problem.passes()));
            assert!(begun.elapsed() >= limits::WATCH_SILENCE, "it took the call");
        };
        let begun = tokio::time::Instant::now();
        let facts = async { begin_facts(fixtures::silent(), &id, 0).await.err() };
        heard_nothing(timeout(limits::WATCH_SILENCE * 2, facts).await, begun);
        let begun = tokio::time::Instant::now();
        let lines = async { begin_lines(fixtures::silent(), &id, 0).await.err() };
        heard_nothing(timeout(limits::WATCH_SILENCE * 2, lines).await, begun);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_its_device_keeps_open_holds_the_end_of_its_run_up_for_a_while_only() {
        assert!(rest(|| 7, ready(Ok(()))).await.is_ok());
        let begun = tokio::time::Instant::now();
        assert!(rest(|| 7, pending()).await.is_err());
        assert!(begun.elapsed() < limits::WATCH_SILENCE * 2, "nothing more came of it");
        // One that still comes is waited for, and not for ever either.
        let (come, begun) = (AtomicU64::new(0), tokio::time::Instant::now());
        assert!(rest(|| come.fetch_add(1, Ordering::Relaxed), pending()).await.is_err());
        assert!(begun.elapsed() >= limits::LOG_REST_MAX && begun.elapsed() < limits::LOG_REST_MAX * 2);
    }
}
