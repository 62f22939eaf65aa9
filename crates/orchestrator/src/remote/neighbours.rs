//! Keeps the Radicle nodes of the org's devices connected. Each device has a task of its own, so that none that is slow or away holds up
//! another, and gossip says who is there: who is heard again is called at once, and a session with one that fell silent is ended, unless it
//! answers.
//!
//! Of two calls that meet Radicle keeps that of the larger key (radicle-node 0.21, `wire.rs`). So that side calls, and the other only where
//! no call came, since it may be the one that can.

use super::{
    bring, device,
    gossip::AllHeard,
    missed::{self, Turns},
    reach,
};
use crate::{limits, org::Org};
use domain::{Did, Problem, Timestamp, lease::Reached, pauses::Pauses};
use futures::future::join;
use mesh::Heard;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// Who is there, as far as is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The devices that gossip hears.
    heard: BTreeSet<Did>,
    /// The devices whose Radicle nodes are connected, and since when.
    sessions: BTreeMap<Did, Timestamp>,
}

impl Seen {
    /// Since when a device's Radicle node is connected.
    pub(super) fn session(&self, did: &Did) -> Option<Timestamp> {
        self.sessions.get(did).copied()
    }

    fn of(&self, did: &Did) -> (bool, Option<Timestamp>) {
        (self.heard.contains(did), self.session(did))
    }
}

/// Keeps them connected, and takes what was missed, until the org closes.
pub(crate) async fn keep_connected(org: Arc<Org>, mut heard: AllHeard) {
    let mut closing = org.closing.subscribe();
    let (seen, turns) = (watch::Sender::new(Seen::default()), Arc::new(Turns::new()));
    let (mut tasks, mut kept) = (JoinSet::new(), HashMap::<Did, AbortHandle>::new());
    loop {
        let sessions = org.blocking(|org| Ok(org.node()?.connected())).await.unwrap_or_default();
        let now = Seen { heard: live(&heard.borrow_and_update()).cloned().collect(), sessions };
        seen.send_if_modified(|before| {
            let changed = *before != now;
            before.clone_from(&now);
            changed
        });
        let state = org.remote.org();
        let listed: BTreeSet<&Did> = state.devices.values().map(|device| &device.did).filter(|did| **did != org.device).collect();
        kept.retain(|did, task| {
            let stays = listed.contains(did) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for did in listed {
            let begin = || tasks.spawn(neighbour(org.clone(), did.clone(), seen.subscribe(), turns.clone()));
            kept.entry(did.clone()).or_insert_with(begin);
        }
        // What has ended is forgotten.
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = others_heard(&mut heard, &now.heard) => {}
            () = org.remote.sessions.notified() => {}
            () = tokio::time::sleep(limits::MEMBERS_LOOK_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

fn live(all: &BTreeMap<Did, Heard>) -> impl Iterator<Item = &Did> {
    all.iter().filter(|(_, heard)| heard.live).map(|(did, _)| did)
}

/// Returns when others are heard than these.
async fn others_heard(heard: &mut AllHeard, these: &BTreeSet<Did>) {
    let over = heard.wait_for(|all| !live(all).eq(these)).await.is_err();
    if over {
        pending::<()>().await;
    }
}

async fn neighbour(org: Arc<Org>, did: Did, seen: watch::Receiver<Seen>, turns: Arc<Turns>) {
    // Side by side: a fetch that hangs ends with its session.
    join(connect(&org, &did, seen.clone()), missed::take(&org, &did, seen, &turns)).await;
}

async fn connect(org: &Arc<Org>, did: &Did, mut seen: watch::Receiver<Seen>) {
    let mut calls = Calls::new(org.device > *did, Instant::now());
    loop {
        let now = seen.borrow_and_update().of(did);
        let (what, done) = match calls.next(now, Instant::now()) {
            Step::Wait(wait) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = seen.wait_for(|seen| seen.of(did) != now) => {}
                }
                continue;
            }
            Step::Call => {
                let done = tokio::select! {
                    done = call(org, did) => done,
                    // What was said to who was not there may be waited for in vain.
                    _ = seen.wait_for(|seen| seen.of(did) != now) => continue,
                };
                calls.called(Instant::now());
                ("its Radicle node is not connected", done)
            }
            Step::Ask => {
                let done = tokio::select! {
                    done = end_unless_there(org, did) => done,
                    _ = seen.wait_for(|seen| seen.of(did) != now) => continue,
                };
                calls.asked(&done, Instant::now());
                ("the session with its Radicle node is not ended", done.map(|_| ()))
            }
        };
        if let Err(problem) = done {
            tracing::debug!(device = %did, %problem, "{what}");
        }
    }
}

async fn call(org: &Arc<Org>, did: &Did) -> Result<(), Problem> {
    bring::session(org, &device(org, did)?).await
}

/// Ends the session with a device that fell silent, and does not answer either: datagrams may be lost where connections hold, and that it
/// fell silent may be told late of one that is back.
async fn end_unless_there(org: &Arc<Org>, did: &Did) -> Result<Reached, Problem> {
    let reached = in_time(reach::directly(org, did)).await;
    if reached == Reached::No {
        let did = did.clone();
        org.blocking(move |org| org.node()?.disconnect(&did)).await?;
    }
    Ok(reached)
}

/// What came of asking a silent device whether it is there. An answer that takes too long for its session is none.
async fn in_time(asked: impl Future<Output = Reached>) -> Reached {
    tokio::time::timeout(limits::SESSION_ANSWER_WAIT, asked).await.unwrap_or(Reached::No)
}

/// When a device is called, and when it is asked whether the session with it is to be ended.
struct Calls {
    /// Whether this side calls first.
    first: bool,
    heard: bool,
    session: Option<Timestamp>,
    /// When it is asked whether it is there, since it is silent that was heard; none where the session began since then, or was ended
    /// for it.
    ask_at: Option<Instant>,
    /// When it may be called.
    due: Instant,
    /// The pauses after calls.
    pauses: Pauses,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Call,
    /// Whether it is there; where it is not, the session ends.
    Ask,
    /// For so long, or until something changes.
    Wait(Duration),
}

impl Calls {
    /// Of a device of which nothing is known: it is called at once, whoever else may.
    fn new(first: bool, now: Instant) -> Self {
        Self { first, heard: false, session: None, ask_at: None, due: now, pauses: limits::REMOTE_PAUSES }
    }

    fn next(&mut self, (heard, session): (bool, Option<Timestamp>), now: Instant) -> Step {
        if (heard, session) != (self.heard, self.session) {
            if heard != self.heard {
                self.ask_at = (!heard).then(|| now + limits::SESSION_SILENCE_MAX - limits::SESSION_ANSWER_WAIT);
            } else if session != self.session {
                // It was made in spite of the silence.
                self.ask_at = None;
            }
            (self.heard, self.session) = (heard, session);
            self.pauses.anew();
            self.due = now + self.begins_after();
        }
        match (session, self.ask_at) {
            (None, _) if now >= self.due => Step::Call,
            (None, _) => Step::Wait(self.due - now),
            (Some(_), None) => Step::Wait(limits::SILENT_CALL_EVERY),
            (Some(_), Some(at)) if now >= at => Step::Ask,
            (Some(_), Some(at)) => Step::Wait(at - now),
        }
    }

    fn begins_after(&self) -> Duration {
        match (self.heard, self.first) {
            (true, true) => Duration::ZERO,
            (true, false) => limits::CALL_HEAD_START,
            (false, _) => limits::SILENT_CALL_EVERY,
        }
    }

    /// Notes that a call ended. Where it connected, that is seen.
    fn called(&mut self, now: Instant) {
        let pause = self.pauses.another();
        self.due = now + if self.heard { pause } else { limits::SILENT_CALL_EVERY };
    }

    /// Notes what came of asking whether it is there: it does not answer, and the session is ended; it does; or the session stays that was
    /// to be ended.
    fn asked(&mut self, outcome: &Result<Reached, Problem>, now: Instant) {
        self.ask_at = match outcome {
            Ok(Reached::No) => None,
            Ok(Reached::Yes) => Some(now + limits::SILENT_CALL_EVERY),
            Err(_) => Some(now + limits::SESSION_SILENCE_MAX),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;

    const HEARD: (bool, Option<Timestamp>) = (true, None);
    const SILENT: (bool, Option<Timestamp>) = (false, None);

    /// How long a device is silent when it is asked.
    const ASKED_AFTER: Duration = Duration::from_secs(1);

    fn connected(heard: bool, since: i64) -> (bool, Option<Timestamp>) {
        (heard, Some(Timestamp(since)))
    }

    #[test]
    fn who_is_heard_again_is_called_at_once_and_who_is_silent_now_and_then() {
        let start = Instant::now();
        let mut calls = Calls::new(true, start);
        assert_eq!(calls.next(SILENT, start), Step::Call, "at first nothing is known");
        calls.called(start);
        let second = start + Duration::from_secs(1);
        assert_eq!(calls.next(SILENT, second), Step::Wait(limits::SILENT_CALL_EVERY - Duration::from_secs(1)));
        assert_eq!(calls.next(HEARD, second), Step::Call);
        let mut now = second;
        for pause in [limits::REMOTE_PAUSE, limits::REMOTE_PAUSE * 2] {
            calls.called(now);
            assert_eq!(calls.next(HEARD, now), Step::Wait(pause));
            now += pause;
            assert_eq!(calls.next(HEARD, now), Step::Call);
        }
        for _ in 0..20 {
            calls.called(now);
        }
        assert_eq!(calls.next(HEARD, now), Step::Wait(limits::REMOTE_PAUSE_MAX));
        assert_eq!(calls.next(SILENT, now), Step::Wait(limits::SILENT_CALL_EVERY));
        assert_eq!(calls.next(SILENT, now + limits::SILENT_CALL_EVERY), Step::Call);
    }

    #[test]
    fn the_side_of_the_smaller_key_calls_where_no_call_came() {
        let start = Instant::now();
        let mut calls = Calls::new(false, start);
        assert_eq!(calls.next(HEARD, start), Step::Wait(limits::CALL_HEAD_START));
        assert_eq!(calls.next(HEARD, start + limits::CALL_HEAD_START), Step::Call);
        assert!(matches!(calls.next(connected(true, 1), start), Step::Wait(_)));
        assert_eq!(calls.next(HEARD, start), Step::Wait(limits::CALL_HEAD_START), "also when a session broke");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_either_is_not_waited_for_longer_than_a_session_may_be_silent() {
        assert_eq!(in_time(ready(Reached::Yes)).await, Reached::Yes);
        let begun = tokio::time::Instant::now();
        assert_eq!(in_time(pending()).await, Reached::No);
        // Timers count whole milliseconds.
        assert!(ASKED_AFTER + begun.elapsed() <= limits::SESSION_SILENCE_MAX + Duration::from_millis(1));
    }

    #[test]
    fn who_is_silent_for_long_is_asked_until_the_session_ends_and_not_where_that_began_since() {
        let start = Instant::now();
        let late = start + ASKED_AFTER;
        let silent = || {
            let mut calls = Calls::new(true, start);
            calls.next(connected(true, 1), start);
            assert_eq!(calls.next(connected(false, 1), start), Step::Wait(ASKED_AFTER));
            calls
        };
        let mut calls = silent();
        assert_eq!(calls.next(connected(false, 1), late), Step::Ask);
        calls.asked(&Ok(Reached::No), late);
        assert!(matches!(calls.next(connected(false, 1), late + limits::SILENT_CALL_EVERY), Step::Wait(_)), "it was ended");

        let cannot = Err(Problem::unavailable("The session could not be ended."));
        for (outcome, wait) in [(Ok(Reached::Yes), limits::SILENT_CALL_EVERY), (cannot, limits::SESSION_SILENCE_MAX)] {
            let mut calls = silent();
            calls.asked(&outcome, late);
            assert_eq!(calls.next(connected(false, 1), late), Step::Wait(wait), "{outcome:?}");
            assert_eq!(calls.next(connected(false, 1), late + wait), Step::Ask, "{outcome:?}");
        }

        for since in [(true, 1), (true, 2), (false, 2)] {
            let mut calls = silent();
            calls.next(connected(since.0, since.1), start);
            assert!(matches!(calls.next(connected(since.0, since.1), late), Step::Wait(_)), "{since:?}");
        }
        // Gossip may be blocked where connections are not.
        let mut calls = Calls::new(true, start);
        assert!(matches!(calls.next(connected(false, 1), start), Step::Wait(_)));
        assert!(matches!(calls.next(connected(false, 1), late), Step::Wait(_)));
    }
}
