//! Following a run that another device executes for us: its facts into the journal, its log into the log. A connection that broke is
//! made again and goes on where it was; a device that cannot be reached for longer than the lease has lost the run, and so has one that
//! says for a while that it does not have it, or with which it ended without a word.

use super::{checkpoint, client, hear, lock, reach::directly, reached, wish};
use crate::{clock, dispatch, lifecycle, limits, org::Org};
use domain::{
    Did, Kind, Problem, RunId, Timestamp,
    event::{Body, kind},
    lease::{Reached, is_lost},
    run::{Reason, Run, RunState},
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
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use store::{LogEntry, RunLog};
use tokio::time::{error::Elapsed, timeout};
use tonic::{Streaming, transport::Channel};

/// When the executor was heard of last.
struct Heard(Mutex<Instant>);

impl Heard {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn ago(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// What came of following a run over one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    /// All was told until then: nothing more of it came for a while, before the connection ended.
    All,
    /// Its device told of it up to this number of its journal, if anything, until the connection ended.
    Told(Option<u64>),
    /// Its device answered that it does not have it.
    Missing,
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
    if !lock(&org.remote.following).insert(run.clone()) {
        return;
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
    let (mut pause, mut heard, mut missing, mut over_there) = (limits::REMOTE_PAUSE, None, None, None);
    loop {
        let Some(run) = read_at_last(id, || org.store.get::<Run>(kind::RUN, id.as_str())).await else { return };
        if run.state.ended() {
            return ended(org, id).await;
        }
        let heard = heard.get_or_insert_with(|| Heard(Mutex::new(heard_before(&run))));
        let after = run.told.as_ref().map_or(first, |told| told.seq);
        let begun = Instant::now();
        let given_up = match once(org, &run, device, after, heard).await {
            Ok(Watched::Missing) => {
                if missing.is_none() {
                    tracing::warn!(run = %id, %device, "the device of a run elsewhere says that it does not have it; it is asked again");
                }
                gone(device, *missing.get_or_insert_with(Instant::now))
            }
            Ok(told) => {
                (pause, missing) = (limits::REMOTE_PAUSE, None);
                let before = std::mem::replace(&mut over_there, is_over_there(org, id, device).await.then_some(told));
                told_all(before, over_there).then(|| ended_unheard(device))
            }
            Err(problem) => {
                tracing::warn!(run = %id, %device, %problem, "a run elsewhere cannot be followed now; it is tried again");
                over(org, device, heard).await
            }
        };
        if let Some(message) = given_up {
            match lost(org, id, message).await {
                Ok(()) => continue,
                Err(problem) => tracing::error!(run = %id, %problem, "a lost run could not be noted; it is tried again"),
            }
        }
        if begun.elapsed() > limits::REMOTE_PAUSE_MAX {
            pause = limits::REMOTE_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(limits::REMOTE_PAUSE_MAX);
    }
}

/// What the journal says, however often that cannot be read before: nobody else follows the run.
async fn read_at_last<T>(id: &RunId, read: impl Fn() -> Result<T, Problem>) -> T {
    let (mut pause, mut told) = (limits::REMOTE_PAUSE, false);
    loop {
        match read() {
            Ok(read) => return read,
            Err(problem) if !told => tracing::error!(run = %id, %problem, "a run elsewhere cannot be looked up; it is tried again"),
            Err(_) => {}
        }
        told = true;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(limits::REMOTE_PAUSE_MAX);
    }
}

/// Before this process began: by what is in the journal.
fn heard_before(run: &Run) -> Instant {
    // Nothing was told yet: its lease counts from now, and not from when it was queued.
    let Some(told) = &run.told else { return Instant::now() };
    let ago = u64::try_from(clock::now().0.saturating_sub(told.heard_at.0)).unwrap_or(0);
    Instant::now().checked_sub(Duration::from_millis(ago)).unwrap_or_else(Instant::now)
}

/// Follows over one connection, until the run has ended or the connection breaks.
async fn once(org: &Arc<Org>, run: &Run, device: &Did, after: u64, heard: &Heard) -> Result<Watched, Problem> {
    if let Some(reason) = run.ending.clone() {
        // Whoever asked for the end may have done so while the device was away.
        wish::end(org, run, device, reason).await?;
    }
    let id = run.id.clone();
    let log = org.blocking(move |org| org.store.run_log(&id)).await?;
    let over = AtomicBool::new(false);
    let facts = pin!(facts(org, run, device, after, heard));
    let lines = pin!(whole_log(org, run, device, &log, &over));
    match select(facts, lines).await {
        Either::Left((told, lines)) => {
            let told = told?;
            if told == Watched::Missing {
                return Ok(told);
            }
            over.store(true, Ordering::Relaxed);
            if let Err(problem) = rest(|| log.last_seq(), lines).await {
                tracing::warn!(run = %run.id, %device, %problem, "what is left of the log of a run elsewhere did not come");
            }
            Ok(told)
        }
        Either::Right((_, facts)) => facts.await,
    }
}

async fn facts(org: &Arc<Org>, run: &Run, device: &Did, after_seq: u64, heard: &Heard) -> Result<Watched, Problem> {
    let mut stream = match begin_facts(client(org, device)?, &run.id, after_seq).await {
        Ok(begun) => begun,
        // Its own word: what it leases is on its disk before it says so.
        Err(said) if said.kind == Kind::NotFound => {
            reached(org, device, Ok(()));
            return Ok(Watched::Missing);
        }
        Err(problem) => return Err(problem),
    };
    reached(org, device, Ok(()));
    let mut told = Watched::Told(None);
    loop {
        let next = timeout(limits::WATCH_SILENCE, stream.next()).await;
        let Some(fact) = next.map_err(silent)? else { return Ok(told) };
        let fact = fact.map_err(|s| problem(&s))?;
        heard.now();
        // A message without an event comes where the journal there has no more, for now.
        told = if fact.event_json.is_empty() { Watched::All } else { Watched::Told(Some(fact.seq)) };
        if told != Watched::All {
            hear::fact(org, &run.id, device, fact).await?;
        }
    }
}

/// Asks for a run's facts after a number of its device's journal.
async fn begin_facts(mut client: MeshClient<Channel>, run: &RunId, after_seq: u64) -> Result<Streaming<Fact>, Problem> {
    let request = WatchRequest { version: spoken(), run: run.to_string(), after_seq };
    let begun = timeout(limits::WATCH_SILENCE, client.watch(request)).await.map_err(silent)?;
    Ok(begun.map_err(|s| problem(&s))?.into_inner())
}

/// Asks for a run's log after a number.
async fn begin_lines(mut client: MeshClient<Channel>, run: &RunId, after_seq: u64) -> Result<Streaming<LogLines>, Problem> {
    let request = LogRequest { version: spoken(), run: run.to_string(), after_seq };
    let begun = timeout(limits::WATCH_SILENCE, client.log(request)).await.map_err(silent)?;
    Ok(begun.map_err(|s| problem(&s))?.into_inner())
}

fn silent(_: Elapsed) -> Problem {
    Problem::unavailable("Nothing was heard of the device.")
}

/// Takes a run's log, over as many connections as that needs: whatever is wrong with it holds no fact up. Once the run is `over` it is
/// tried for one time more.
async fn whole_log(org: &Arc<Org>, run: &Run, device: &Did, log: &RunLog, over: &AtomicBool) -> Result<(), Problem> {
    let mut pause = limits::REMOTE_PAUSE;
    loop {
        let (last, before) = (over.load(Ordering::Relaxed), log.last_seq());
        match lines(org, run, device, log).await {
            Err(problem) if !last => {
                tracing::warn!(run = %run.id, %device, %problem, "the log of a run elsewhere cannot be taken now; it is tried again");
            }
            done => return done,
        }
        if log.last_seq() > before {
            pause = limits::REMOTE_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(limits::REMOTE_PAUSE_MAX);
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

/// Takes a run's log over one connection, to its end.
async fn lines(org: &Arc<Org>, run: &Run, device: &Did, log: &RunLog) -> Result<(), Problem> {
    let mut stream = begin_lines(client(org, device)?, &run.id, log.last_seq()).await?;
    while let Some(lines) = stream.next().await {
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

/// Why nothing will come of a run any more, whatever its device still does: that belongs to the org no more, or cannot be reached and
/// the lease is over. Why it cannot be followed does not count: that may be the disk here, or a stop order.
async fn over(org: &Arc<Org>, device: &Did, heard: &Heard) -> Option<String> {
    if super::device(org, device).is_err_and(|p| p.kind == Kind::Forbidden) {
        return Some(format!("Its device {device} does not belong to the org any more."));
    }
    let silent = heard.ago();
    let reached = directly(org, device).await;
    if reached == Reached::Yes {
        heard.now();
    }
    let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
    is_lost(silent_ms, crate::fault::lease_ms(), reached)
        .then(|| format!("Its device {device} was not heard of for {} s, longer than its lease, and cannot be reached.", silent.as_secs()))
}

/// Whether nothing more will be told of a run that is over at its device, by what came over the last two connections, each none where it
/// was not over there yet. It was over before the second began: so all of it came, or the second ended at the same fact as the first, as
/// where its end cannot be read here. One that ends earlier is of a device that is being closed.
fn told_all(before: Option<Watched>, now: Option<Watched>) -> bool {
    match (before, now) {
        (Some(_), Some(Watched::All)) => true,
        (Some(before), Some(now @ Watched::Told(Some(_)))) => before == now,
        _ => false,
    }
}

/// Whether a run has ended at its device, though nothing was heard of that here.
async fn is_over_there(org: &Arc<Org>, id: &RunId, device: &Did) -> bool {
    let known = org.store.get::<Run>(kind::RUN, id.as_str());
    let Ok(Some(run)) = known.map(|run| run.filter(|run| !run.state.ended())) else { return false };
    checkpoint::run_there(org, &run, device).await.is_ok_and(|there| there.state.ended())
}

/// Why nothing will come of a run any more that is over at its device, which has told all of it: its journal was put back to before a fact
/// that was heard here, and the end has the number of an earlier one.
fn ended_unheard(device: &Did) -> String {
    format!("It ended at its device {device}, which cannot tell how any more, as when a backup from before was put back there.")
}

/// Why nothing will come of a run any more whose device says since then that it does not have it. It is not taken at its first word: a
/// disk that was put back is joined with what others hold of its journal, by which the run may come back.
fn gone(device: &Did, since: Instant) -> Option<String> {
    let wait = Duration::from_millis(crate::fault::run_missing_ms());
    (since.elapsed() >= wait)
        .then(|| format!("Its device {device} does not have it any more, as when a backup from before it began was put back there."))
}

/// Notes that a run is lost; or done, where its patch is here and only its end was not heard; or ended, where a person stopped it.
///
/// # Errors
/// When the journal cannot be written.
async fn lost(org: &Arc<Org>, id: &RunId, message: String) -> Result<(), Problem> {
    let (run, deciding) = (id.clone(), org.clone());
    let decided = org.store.append_if(move |view| {
        let Some(now) = view.get::<Run>(kind::RUN, run.as_str())?.filter(|now| !now.state.ended()) else { return Ok(vec![]) };
        let (to, reason) = end_of_lost(now, message);
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

/// How a run ends whose device is not heard any more. One that a person stopped is not taken up again.
fn end_of_lost(run: Run, message: String) -> (RunState, Reason) {
    match run.ending {
        _ if run.revision.is_some() => (RunState::Done, Reason::Completed),
        Some(stopped @ Reason::Stopped { .. }) => (RunState::Cancelled, stopped),
        _ => (RunState::Lost, Reason::Vanished { message }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use std::{
        future::{pending, ready},
        sync::atomic::AtomicU64,
    };

    #[test]
    fn a_run_that_a_person_stopped_while_its_device_was_away_is_not_lost() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = crate::admission::new_run(id, domain::manifest::Class::Agent, project, did.clone(), did.clone(), Timestamp(0));
        let stopped = Run { ending: Some(Reason::Stopped { by: did }), ..plain.clone() };
        let evicted = Run { ending: Some(Reason::Evicted { message: String::new() }), ..plain.clone() };
        let revision = "1".repeat(40).parse().unwrap_or_else(|p| unreachable!("{p}"));
        let published = Run { revision: Some(revision), ..stopped.clone() };
        let end = |run: &Run| end_of_lost(run.clone(), String::new()).0;
        assert_eq!([&plain, &evicted].map(end), [RunState::Lost; 2]);
        assert_eq!([&stopped, &published].map(end), [RunState::Cancelled, RunState::Done]);
    }

    #[test]
    fn a_device_that_does_not_have_a_run_is_asked_for_a_while_before_the_run_is_given_up() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let ago = |ms: u64| Instant::now().checked_sub(Duration::from_millis(ms)).unwrap_or_else(|| unreachable!("it is up for longer"));
        assert_eq!(gone(&did, Instant::now()), None, "it may come back with what others hold");
        let said = gone(&did, ago(limits::RUN_MISSING_MS)).unwrap_or_default();
        assert!(said.contains(did.as_str()) && said.contains("does not have it any more"), "{said}");
    }

    #[test]
    fn a_run_that_is_over_at_its_device_is_given_up_only_once_all_of_it_was_told() {
        let (all, nothing) = (Some(Watched::All), Some(Watched::Told(None)));
        let told = |seq| Some(Watched::Told(Some(seq)));
        assert!(told_all(all, all) && told_all(nothing, all) && told_all(told(7), all));
        assert!(told_all(told(7), told(7)), "its end cannot be read");
        assert!(!told_all(None, all) && !told_all(None, told(7)), "it may have ended meanwhile");
        assert!(!told_all(all, None), "it goes on there");
        assert!(
            !told_all(nothing, nothing) && !told_all(all, nothing) && !told_all(told(7), told(8)) && !told_all(all, told(8)),
            "cut off"
        );
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
            let problem = asked.ok().flatten();
            assert_eq!(problem.map(|problem| problem.what).as_deref(), Some("Nothing was heard of the device."));
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
