//! Takes from another device what was missed, over Radicle: everything that is here once its node is connected anew, since what it
//! announced meanwhile may be lost; projects that are not here yet, and from the others what came here since; and the org repository now
//! and then.

use super::{called, lock, neighbours::Seen};
use crate::{
    keep::{Said, Wanted},
    limits,
    org::Org,
};
use domain::{Did, Problem, ProjectName, Rid, Timestamp};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, watch};

/// Which of the devices is fetched from, so that not all are at once.
#[derive(Debug)]
pub(super) struct Turns {
    fetches: Semaphore,
    /// The projects that are being brought here.
    coming: Mutex<BTreeSet<Rid>>,
}

/// A project that one device gives: while this is held it is brought from no other.
struct Coming {
    turns: Arc<Turns>,
    rid: Rid,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { fetches: Semaphore::new(limits::FETCHED_AT_ONCE), coming: Mutex::default() }
    }

    /// None where it is being brought already.
    fn bring(self: &Arc<Self>, rid: &Rid) -> Option<Coming> {
        let free = lock(&self.coming).insert(rid.clone());
        free.then(|| Coming { turns: self.clone(), rid: rid.clone() })
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        lock(&self.turns.coming).remove(&self.rid);
    }
}

/// Takes it whenever the node is connected anew, or it was looked at what is wanted, and tries again what failed.
pub(super) async fn take(org: &Arc<Org>, did: &Did, mut seen: watch::Receiver<Seen>, turns: &Arc<Turns>) {
    let (mut wanted, mut missed, mut said) = (org.kept.wanted(), Missed::default(), Said::default());
    loop {
        let now = wanted.borrow_and_update().clone();
        let session = seen.borrow_and_update().session(did);
        if let Some(since) = session {
            for rid in missed.due(since, &now, Instant::now()) {
                if seen.borrow().session(did) != session {
                    break;
                }
                let fetched = fetch(org, did, &rid, turns).await;
                let done = fetched.is_ok();
                if done {
                    missed.fetched.insert(rid.clone());
                }
                if done || missed.failed_for_long() {
                    said.note(&format!("{rid} as {} has it", called(org, did)), fetched);
                }
            }
            for (name, rid) in &now.absent {
                if bring_here(org, did, name, rid, turns).await {
                    missed.fetched.insert(rid.clone());
                }
            }
        }
        let again = session.and_then(|_| missed.again(&now));
        tokio::select! {
            _ = wanted.changed() => {}
            _ = seen.wait_for(|seen| seen.session(did) != session) => {}
            () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
        }
    }
}

async fn fetch(org: &Arc<Org>, did: &Did, rid: &Rid, turns: &Turns) -> Result<(), Problem> {
    // What the org says comes whatever else does.
    let _turn = if *rid == org.rid { None } else { Some(turns.fetches.acquire().await.map_err(Problem::internal)?) };
    let (did, rid) = (did.clone(), rid.clone());
    org.blocking(move |org| {
        let fetched = org.node()?.fetch(&rid, &did);
        if rid == org.rid {
            org.look_at_head();
        }
        fetched
    })
    .await
}

/// Brings a project here, unless another device gives it just now, or gave it meanwhile. Whether it came from this one.
async fn bring_here(org: &Arc<Org>, did: &Did, name: &ProjectName, rid: &Rid, turns: &Arc<Turns>) -> bool {
    let Some(coming) = turns.bring(rid) else { return false };
    let Ok(_turn) = turns.fetches.acquire().await else { return false };
    let (from, project) = (did.clone(), rid.clone());
    let brought = org.blocking(move |org| {
        let _until_here = coming;
        let missing = !org.forge.has(&project);
        if missing {
            org.forge.clone_project(&project, &from, None, &*org.node()?)?;
        }
        Ok(missing)
    });
    match brought.await {
        Ok(true) => {
            tracing::info!(project = %name, from = %called(org, did), "the project is here now");
            org.wake.notify_one();
            org.kept.notify_one();
            true
        }
        Ok(false) => false,
        Err(problem) => {
            org.kept.note_absent(rid, format!("From {}: {problem}", called(org, did)));
            false
        }
    }
}

/// What is still to be fetched from a device.
#[derive(Default)]
struct Missed {
    /// Since when its node was connected when it was looked last.
    session: Option<Timestamp>,
    /// What was fetched over that session: of changes since then its node tells.
    fetched: BTreeSet<Rid>,
    /// The pause before what failed is tried again.
    pause: Duration,
    /// When the org repository was fetched last.
    org_at: Option<Instant>,
}

impl Missed {
    /// What is to be fetched now over a session that began then; the org repository first.
    fn due(&mut self, session: Timestamp, wanted: &Wanted, now: Instant) -> Vec<Rid> {
        // Nothing is known yet of what is wanted.
        let Some(org) = wanted.here.first() else { return vec![] };
        if self.session.replace(session) != Some(session) {
            self.fetched.clear();
            self.pause = limits::REMOTE_PAUSE;
        }
        let again = if wanted.unsettled { limits::ORG_FETCH_UNSETTLED } else { limits::ORG_FETCH_EVERY };
        if self.org_at.is_none_or(|at| now.saturating_duration_since(at) >= again) {
            self.fetched.remove(org);
            self.org_at = Some(now);
        }
        wanted.here.iter().filter(|rid| !self.fetched.contains(*rid)).cloned().collect()
    }

    /// After which pause it is tried again; none where nothing is left.
    fn again(&mut self, wanted: &Wanted) -> Option<Duration> {
        let absent = wanted.absent.iter().map(|(_, rid)| rid);
        let left = wanted.here.iter().chain(absent).any(|rid| !self.fetched.contains(rid));
        let pause = if left { self.pause } else { limits::REMOTE_PAUSE };
        self.pause = if left { (pause * 2).min(limits::KEEP_EVERY) } else { pause };
        left.then_some(pause)
    }

    /// Whether what fails is worth a word: a project that was made here is not at another device at once.
    fn failed_for_long(&self) -> bool {
        self.pause >= limits::KEEP_EVERY
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rids() -> Vec<Rid> {
        ["rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "rad:zp7DoqEYEsQMi4WzHtJ8Ki6D4jfG"].map(|rid| rid.parse().unwrap()).to_vec()
    }

    #[test]
    fn everything_is_fetched_once_over_each_session_and_the_org_repository_now_and_then() {
        let rids = rids();
        let wanted = Wanted { here: rids.clone(), ..Wanted::default() };
        let (mut missed, start) = (Missed::default(), Instant::now());
        assert!(missed.due(Timestamp(1), &Wanted::default(), start).is_empty(), "nothing is known yet of what is wanted");
        for session in [1, 2] {
            assert_eq!(missed.due(Timestamp(session), &wanted, start), rids, "over session {session}");
            missed.fetched.insert(rids[0].clone());
            assert_eq!(missed.due(Timestamp(session), &wanted, start), rids[1..], "what failed is tried again");
            missed.fetched.insert(rids[1].clone());
            assert!(missed.due(Timestamp(session), &wanted, start).is_empty());
        }
        let unsettled = Wanted { unsettled: true, here: rids.clone(), ..Wanted::default() };
        assert_eq!(missed.due(Timestamp(2), &unsettled, start + limits::ORG_FETCH_UNSETTLED), rids[..1]);
        missed.fetched.insert(rids[0].clone());
        let later = start + limits::ORG_FETCH_UNSETTLED + limits::ORG_FETCH_EVERY;
        assert_eq!(missed.due(Timestamp(2), &wanted, later), rids[..1]);
    }

    #[test]
    fn a_project_that_comes_here_during_a_session_is_fetched_over_it() {
        let rids = rids();
        let before = Wanted { here: rids[..1].to_vec(), ..Wanted::default() };
        let (mut missed, start) = (Missed::default(), Instant::now());
        assert_eq!(missed.due(Timestamp(1), &before, start), rids[..1]);
        missed.fetched.insert(rids[0].clone());
        let wanted = Wanted { here: rids.clone(), ..Wanted::default() };
        assert_eq!(missed.due(Timestamp(1), &wanted, start), rids[1..]);
    }

    #[test]
    fn what_failed_is_tried_again_after_pauses_that_grow_until_nothing_is_left_or_a_session_begins() {
        let rids = rids();
        let absent = vec![("web".parse().unwrap(), rids[1].clone())];
        let wanted = Wanted { here: rids[..1].to_vec(), absent, ..Wanted::default() };
        let (mut missed, start) = (Missed::default(), Instant::now());
        for session in [1, 2] {
            missed.due(Timestamp(session), &wanted, start);
            assert_eq!(missed.again(&wanted), Some(limits::REMOTE_PAUSE), "over session {session}");
            assert_eq!(missed.again(&wanted), Some(limits::REMOTE_PAUSE * 2));
            for _ in 0..20 {
                assert!(missed.again(&wanted).is_some_and(|pause| pause <= limits::KEEP_EVERY));
            }
            assert!(missed.failed_for_long());
        }
        missed.fetched.insert(rids[0].clone());
        assert_eq!(missed.again(&wanted), Some(limits::KEEP_EVERY), "a project is not here yet");
        missed.fetched.insert(rids[1].clone());
        assert_eq!(missed.again(&wanted), None);
        missed.fetched.remove(&rids[0]);
        assert_eq!(missed.again(&wanted), Some(limits::REMOTE_PAUSE));
    }

    #[test]
    fn a_project_is_brought_from_one_device_at_a_time() {
        let (rids, turns) = (rids(), Arc::new(Turns::new()));
        let coming = turns.bring(&rids[0]);
        assert!(coming.is_some());
        assert!(turns.bring(&rids[0]).is_none(), "it is being brought");
        assert!(turns.bring(&rids[1]).is_some(), "another is not");
        drop(coming);
        assert!(turns.bring(&rids[0]).is_some(), "it may have failed");
    }
}
