//! Takes from another device what was missed, over Radicle: everything that is here once its node is connected anew, since what it
//! announced meanwhile may be lost; projects that are not here yet; and the org repository now and then.

use super::{called, neighbours::Seen};
use crate::{
    keep::{Said, Wanted},
    limits,
    org::Org,
};
use domain::{Did, Problem, ProjectName, Rid, Timestamp};
use std::{collections::BTreeSet, sync::Arc, time::Instant};
use tokio::sync::{Semaphore, watch};

/// Takes it whenever the node is connected anew, or it was looked at what is wanted.
pub(super) async fn take(org: &Arc<Org>, did: &Did, mut seen: watch::Receiver<Seen>, at_once: &Semaphore) {
    let (mut wanted, mut missed, mut said) = (org.kept.wanted(), Missed::default(), Said::default());
    loop {
        let now = wanted.borrow_and_update().clone();
        let session = seen.borrow_and_update().session(did);
        if let Some(since) = session {
            for rid in missed.due(since, &now, Instant::now()) {
                if seen.borrow().session(did) != session {
                    break;
                }
                let fetched = fetch(org, did, &rid, at_once).await;
                if fetched.is_ok() {
                    missed.rids.remove(&rid);
                }
                said.note(&format!("{rid} as {} has it", called(org, did)), fetched);
            }
            for (name, rid) in &now.absent {
                bring_here(org, did, name, rid, at_once).await;
            }
        }
        tokio::select! {
            _ = wanted.changed() => {}
            _ = seen.wait_for(|seen| seen.session(did) != session) => {}
        }
    }
}

async fn fetch(org: &Arc<Org>, did: &Did, rid: &Rid, at_once: &Semaphore) -> Result<(), Problem> {
    let _turn = at_once.acquire().await.map_err(Problem::internal)?;
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

/// Brings a project here, unless another device gave it meanwhile.
async fn bring_here(org: &Arc<Org>, did: &Did, name: &ProjectName, rid: &Rid, at_once: &Semaphore) {
    let Ok(_turn) = at_once.acquire().await else { return };
    let (from, project) = (did.clone(), rid.clone());
    let brought = org.blocking(move |org| {
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
        }
        Ok(false) => {}
        Err(problem) => org.kept.note_absent(rid, format!("From {}: {problem}", called(org, did))),
    }
}

/// What is still to be fetched from a device.
#[derive(Default)]
struct Missed {
    /// Since when its node was connected when it was looked last.
    session: Option<Timestamp>,
    rids: BTreeSet<Rid>,
    /// When the org repository was fetched last.
    org_at: Option<Instant>,
}

impl Missed {
    /// What is to be fetched now over a session that began then; the org repository first.
    fn due(&mut self, session: Timestamp, wanted: &Wanted, now: Instant) -> Vec<Rid> {
        // Nothing is known yet of what is wanted.
        let Some(org) = wanted.here.first() else { return vec![] };
        if self.session.replace(session) != Some(session) {
            self.rids = wanted.here.iter().cloned().collect();
        }
        let again = if wanted.unsettled { limits::ORG_FETCH_UNSETTLED } else { limits::ORG_FETCH_EVERY };
        if self.org_at.is_none_or(|at| now.saturating_duration_since(at) >= again) {
            self.rids.insert(org.clone());
            self.org_at = Some(now);
        }
        wanted.here.iter().filter(|rid| self.rids.contains(*rid)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn everything_is_fetched_once_over_each_session_and_the_org_repository_now_and_then() {
        let rids: Vec<Rid> =
            ["rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "rad:zp7DoqEYEsQMi4WzHtJ8Ki6D4jfG"].map(|rid| rid.parse().unwrap()).to_vec();
        let wanted = Wanted { here: rids.clone(), ..Wanted::default() };
        let (mut missed, start) = (Missed::default(), Instant::now());
        assert!(missed.due(Timestamp(1), &Wanted::default(), start).is_empty(), "nothing is known yet of what is wanted");
        for session in [1, 2] {
            assert_eq!(missed.due(Timestamp(session), &wanted, start), rids, "over session {session}");
            missed.rids.remove(&rids[0]);
            assert_eq!(missed.due(Timestamp(session), &wanted, start), rids[1..], "what failed is tried again");
            missed.rids.clear();
            assert!(missed.due(Timestamp(session), &wanted, start).is_empty());
        }
        let unsettled = Wanted { unsettled: true, here: rids.clone(), ..Wanted::default() };
        assert_eq!(missed.due(Timestamp(2), &unsettled, start + limits::ORG_FETCH_UNSETTLED), rids[..1]);
        missed.rids.clear();
        let later = start + limits::ORG_FETCH_UNSETTLED + limits::ORG_FETCH_EVERY;
        assert_eq!(missed.due(Timestamp(2), &wanted, later), rids[..1]);
    }
}
