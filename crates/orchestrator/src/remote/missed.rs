//! Takes from another device what was missed, over Radicle: everything that is here once its node is connected anew, since what it
//! announced meanwhile may be lost; what it turns out to have signed that is not here, since an announcement, or the fetch that came of
//! one, may be lost too; projects that are not here yet, and from the others what came here since; and the org repository now and then.
//! Of what was fetched it is compared what is signed there and here; where that is not the same, it is looked whether lines of signed
//! refs lie apart (`rejoin`). That it could not be looked is no failed fetch: only looking is tried again.

use super::{called, lock, neighbours::Seen, rejoin, signed};
use crate::{
    keep::{Said, Wanted},
    limits,
    org::Org,
};
use domain::{Did, Hash, Problem, ProjectName, Rid, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Instant,
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
            if missed.begins(since, Instant::now()) {
                subscribe_anew(org).await;
            }
            if missed.compares(Instant::now()) {
                compare(org, did, &now, &mut missed).await;
            }
            for rid in missed.due(&now, Instant::now()) {
                if seen.borrow().session(did) != session {
                    break;
                }
                let fetched = fetch(org, did, &rid, turns).await;
                missed.tried(&rid, fetched.is_ok(), Instant::now());
                // Whatever came of that: where the lines of a delegate lie apart, nothing of the repository is fetched.
                missed.looks_at(&rid, Instant::now());
                if fetched.is_ok() || missed.failed_for_long(&rid) {
                    said.note(&format!("{rid} as {} has it", called(org, did)), fetched);
                }
            }
            look(org, did, &now, &mut missed, turns).await;
            for (name, rid) in missed.due_absent(&now, Instant::now()) {
                match bring_here(org, did, &name, &rid, turns).await {
                    true => missed.came(&rid, Instant::now()),
                    false => missed.tried(&rid, false, Instant::now()),
                }
            }
        }
        let again = session.and_then(|_| missed.again(&now));
        tokio::select! {
            _ = wanted.changed() => {}
            _ = seen.wait_for(|seen| seen.session(did) != session) => {}
            () = tokio::time::sleep_until(again.unwrap_or_else(Instant::now).into()), if again.is_some() => {}
        }
    }
}

/// Before anything is fetched over a session: of what changes after that, its node is to tell.
async fn subscribe_anew(org: &Arc<Org>) {
    if let Err(problem) = org.blocking(|org| org.node()?.subscribe_anew(&org.rid)).await {
        tracing::debug!(%problem, "other nodes were not told anew what is wanted here");
    }
}

/// Looks whether the device has signed what is not here.
async fn compare(org: &Arc<Org>, did: &Did, wanted: &Wanted, missed: &mut Missed) {
    let absent = wanted.absent.iter().map(|(_, rid)| rid);
    let theirs = match signed::ask(org, did, wanted.here.iter().chain(absent).cloned().collect()).await {
        Ok(theirs) => theirs,
        Err(problem) => return tracing::debug!(device = %did, %problem, "it is not known what is signed there"),
    };
    missed.forget_but(&theirs);
    let news: Vec<(Rid, Hash)> = theirs.into_iter().filter(|(rid, signed)| missed.is_news(rid, signed)).collect();
    if news.is_empty() {
        return;
    }
    let with_ours = |org: &Arc<Org>| {
        let same = |rid: &Rid, theirs: &Hash| signed::digest(org, rid).is_ok_and(|ours| ours == *theirs);
        Ok(news.into_iter().map(|(rid, theirs)| (same(&rid, &theirs), rid, theirs)).collect::<Vec<_>>())
    };
    for (same, rid, theirs) in org.blocking(with_ours).await.unwrap_or_default() {
        missed.heard(rid, theirs, same);
    }
}

/// Joins lines of signed refs that lie apart in what was fetched, and fetches that once more then.
async fn look(org: &Arc<Org>, did: &Did, wanted: &Wanted, missed: &mut Missed, turns: &Turns) {
    let due = missed.due_looks(wanted, Instant::now());
    if due.is_empty() {
        return;
    }
    let signed = signed_alike(org, did, &due).await;
    for rid in due {
        let alike = signed.as_ref().map(|alike| alike.contains(&rid)).map_err(Problem::clone);
        let looked = rejoin::look(org, did, &rid, alike).await;
        missed.looked(&rid, looked.failed.is_none(), Instant::now());
        if let Some(problem) = looked.failed {
            tracing::debug!(%rid, device = %did, %problem, "lines of signed refs were not compared and joined; it is tried again");
        }
        if looked.joined {
            let fetched = fetch(org, did, &rid, turns).await;
            missed.tried(&rid, fetched.is_ok(), Instant::now());
        }
    }
}

/// Those of these repositories in which the same is signed there as here, and no lines can lie apart; and those that are not there, or that
/// may not be read here.
async fn signed_alike(org: &Arc<Org>, did: &Did, rids: &[Rid]) -> Result<BTreeSet<Rid>, Problem> {
    let theirs: BTreeMap<Rid, Hash> = signed::ask(org, did, rids.to_vec()).await?.into_iter().collect();
    let rids = rids.to_vec();
    org.blocking(move |org| {
        let alike = |rid: &Rid| theirs.get(rid).is_none_or(|theirs| signed::digest(org, rid).is_ok_and(|ours| ours == *theirs));
        Ok(rids.into_iter().filter(alike).collect())
    })
    .await
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
    /// What it did not have or could not give over that session, and when that is tried again.
    failed: BTreeMap<Rid, Again>,
    /// In what of it lines of signed refs are still to be looked at, and when.
    looks: BTreeMap<Rid, Again>,
    /// When the org repository was fetched last.
    org_at: Option<Instant>,
    /// When it is compared next what is signed there and here.
    compare_at: Option<Instant>,
    /// What was signed there when it was compared last.
    signed: BTreeMap<Rid, Hash>,
}

/// When something is tried again.
struct Again {
    at: Instant,
    /// How often it failed.
    failures: u32,
}

impl Again {
    /// After one more failure.
    fn after(before: Option<&Self>, now: Instant) -> Self {
        let failures = before.map_or(0, |again| again.failures);
        Self { at: now + limits::MISSED_PAUSES.after(failures), failures: failures.saturating_add(1) }
    }
}

impl Missed {
    /// Whether this session is another than the last: then everything is to be fetched anew, and all pauses are over.
    fn begins(&mut self, session: Timestamp, now: Instant) -> bool {
        let begins = self.session.replace(session) != Some(session);
        if begins {
            self.fetched.clear();
            self.failed.clear();
            self.looks.clear();
            self.compare_at = Some(now + limits::SIGNED_LOOK_EVERY);
        }
        begins
    }

    /// Whether it is to be compared now; not again for a while then.
    fn compares(&mut self, now: Instant) -> bool {
        let due = self.compare_at.is_none_or(|at| now >= at);
        if due {
            self.compare_at = Some(now + limits::SIGNED_LOOK_EVERY);
        }
        due
    }

    /// Whether something else is signed there than when it was compared last.
    fn is_news(&self, rid: &Rid, signed: &Hash) -> bool {
        self.signed.get(rid) != Some(signed)
    }

    /// Forgets what was signed there in what is compared no more.
    fn forget_but(&mut self, compared: &[(Rid, Hash)]) {
        let compared: BTreeSet<&Rid> = compared.iter().map(|(rid, _)| rid).collect();
        self.signed.retain(|rid, _| compared.contains(rid));
    }

    /// Notes what is signed there by now, and whether the same is here. Where it is not, it is fetched at once.
    fn heard(&mut self, rid: Rid, signed: Hash, same: bool) {
        if !same {
            self.fetched.remove(&rid);
            self.failed.remove(&rid);
        }
        self.signed.insert(rid, signed);
    }

    /// What of that which is here is to be fetched now; the org repository first.
    fn due(&mut self, wanted: &Wanted, now: Instant) -> Vec<Rid> {
        // Nothing is known yet of what is wanted.
        let Some(org) = wanted.here.first() else { return vec![] };
        let again = if wanted.unsettled { limits::ORG_FETCH_UNSETTLED } else { limits::ORG_FETCH_EVERY };
        if self.org_at.is_none_or(|at| now.saturating_duration_since(at) >= again) {
            self.fetched.remove(org);
            self.failed.remove(org);
            self.org_at = Some(now);
        }
        wanted.here.iter().filter(|rid| self.is_due(rid, now)).cloned().collect()
    }

    /// The projects that are not here, and are to be brought now.
    fn due_absent(&self, wanted: &Wanted, now: Instant) -> Vec<(ProjectName, Rid)> {
        wanted.absent.iter().filter(|(_, rid)| self.is_due(rid, now)).cloned().collect()
    }

    fn is_due(&self, rid: &Rid, now: Instant) -> bool {
        !self.fetched.contains(rid) && self.failed.get(rid).is_none_or(|again| now >= again.at)
    }

    /// Notes what came of trying. After each failure the pause is twice as long.
    fn tried(&mut self, rid: &Rid, done: bool, now: Instant) {
        if done {
            self.failed.remove(rid);
            self.fetched.insert(rid.clone());
            return;
        }
        self.fetched.remove(rid);
        self.failed.insert(rid.clone(), Again::after(self.failed.get(rid), now));
    }

    /// Notes that a project came. What was signed there meanwhile, its node may have told to nobody: so it is fetched once more soon.
    fn came(&mut self, rid: &Rid, now: Instant) {
        self.failed.insert(rid.clone(), Again::after(None, now));
    }

    /// Lines of signed refs are to be looked at now in what was fetched.
    fn looks_at(&mut self, rid: &Rid, now: Instant) {
        let failures = self.looks.get(rid).map_or(0, |again| again.failures);
        self.looks.insert(rid.clone(), Again { at: now, failures });
    }

    /// In what lines are to be looked at now, as many as can be compared at once.
    fn due_looks(&mut self, wanted: &Wanted, now: Instant) -> Vec<Rid> {
        self.looks.retain(|rid, _| wanted.here.contains(rid));
        let due = self.looks.iter().filter(|(_, again)| now >= again.at);
        due.map(|(rid, _)| rid.clone()).take(limits::SIGNED_ASKED_MAX).collect()
    }

    /// Notes what came of looking at lines, as [`Missed::tried`] does; what was fetched stays fetched.
    fn looked(&mut self, rid: &Rid, done: bool, now: Instant) {
        let before = self.looks.remove(rid);
        if !done {
            self.looks.insert(rid.clone(), Again::after(before.as_ref(), now));
        }
    }

    /// When something is to be looked at next.
    fn again(&self, wanted: &Wanted) -> Option<Instant> {
        let absent = wanted.absent.iter().map(|(_, rid)| rid);
        let failed = wanted.here.iter().chain(absent).filter_map(|rid| self.failed.get(rid)).map(|again| again.at);
        failed.chain(self.looks.values().map(|again| again.at)).chain(self.compare_at).min()
    }

    /// Whether what fails is worth a word: a project that was made here is not at another device at once.
    fn failed_for_long(&self, rid: &Rid) -> bool {
        self.failed.get(rid).is_some_and(|again| limits::MISSED_PAUSES.after(again.failures.saturating_sub(1)) >= limits::KEEP_EVERY)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rids() -> Vec<Rid> {
        ["rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "rad:zp7DoqEYEsQMi4WzHtJ8Ki6D4jfG"].map(|rid| rid.parse().unwrap()).to_vec()
    }

    fn here(rids: &[Rid]) -> Wanted {
        Wanted { here: rids.to_vec(), ..Wanted::default() }
    }

    fn digest(of: u8) -> Hash {
        Hash::from_bytes([of; 32])
    }

    /// Notes of these that they were fetched.
    fn fetched(missed: &mut Missed, rids: &[Rid], now: Instant) {
        rids.iter().for_each(|rid| missed.tried(rid, true, now));
    }

    #[test]
    fn everything_is_fetched_once_over_each_session_and_the_org_repository_now_and_then() {
        let rids = rids();
        let wanted = here(&rids);
        let (mut missed, start) = (Missed::default(), Instant::now());
        assert!(missed.due(&Wanted::default(), start).is_empty(), "nothing is known yet of what is wanted");
        for session in [1, 2] {
            assert!(missed.begins(Timestamp(session), start));
            assert!(!missed.begins(Timestamp(session), start));
            assert_eq!(missed.due(&wanted, start), rids, "over session {session}");
            fetched(&mut missed, &rids[..1], start);
            assert_eq!(missed.due(&wanted, start), rids[1..]);
            fetched(&mut missed, &rids[1..], start);
            assert!(missed.due(&wanted, start).is_empty());
        }
        let unsettled = Wanted { unsettled: true, ..here(&rids) };
        assert_eq!(missed.due(&unsettled, start + limits::ORG_FETCH_UNSETTLED), rids[..1]);
        fetched(&mut missed, &rids[..1], start);
        let later = start + limits::ORG_FETCH_UNSETTLED + limits::ORG_FETCH_EVERY;
        assert_eq!(missed.due(&wanted, later), rids[..1]);
    }

    #[test]
    fn a_project_that_comes_here_during_a_session_is_fetched_over_it() {
        let rids = rids();
        let (mut missed, start) = (Missed::default(), Instant::now());
        missed.begins(Timestamp(1), start);
        assert_eq!(missed.due(&here(&rids[..1]), start), rids[..1]);
        fetched(&mut missed, &rids[..1], start);
        assert_eq!(missed.due(&here(&rids), start), rids[1..]);
    }

    #[test]
    fn what_failed_is_tried_again_after_pauses_that_grow_until_it_comes_is_there_or_a_session_begins() {
        let rids = rids();
        let absent = vec![("web".parse().unwrap(), rids[1].clone())];
        let wanted = Wanted { absent, ..here(&rids[..1]) };
        let (mut missed, start) = (Missed::default(), Instant::now());
        missed.begins(Timestamp(1), start);
        missed.due(&wanted, start);
        fetched(&mut missed, &rids[..1], start);
        let mut now = start;
        for pause in [limits::REMOTE_PAUSE, limits::REMOTE_PAUSE * 2, limits::REMOTE_PAUSE * 4] {
            assert_eq!(missed.due_absent(&wanted, now), wanted.absent);
            missed.tried(&rids[1], false, now);
            assert_eq!(missed.again(&wanted), Some(now + pause));
            assert!(missed.due_absent(&wanted, now + pause / 2).is_empty());
            assert!(!missed.failed_for_long(&rids[1]));
            now += pause;
        }
        (0..20).for_each(|_| missed.tried(&rids[1], false, now));
        assert!(missed.failed_for_long(&rids[1]));
        now += limits::MISSED_PAUSES.after(u32::MAX);
        assert_eq!(missed.due_absent(&wanted, now), wanted.absent, "the pause does not grow for ever");
        missed.tried(&rids[1], false, now);
        // The device has it by now.
        missed.heard(rids[1].clone(), digest(1), false);
        assert_eq!(missed.due_absent(&wanted, now), wanted.absent);
        missed.tried(&rids[1], false, now);
        assert!(missed.due_absent(&wanted, now).is_empty());
        missed.begins(Timestamp(2), now);
        assert_eq!(missed.due_absent(&wanted, now), wanted.absent);
        fetched(&mut missed, &rids[..1], now);
        missed.came(&rids[1], now);
        let come = here(&rids);
        assert_eq!(missed.due(&come, now), rids[..1], "the org repository is, now and then");
        fetched(&mut missed, &rids[..1], now);
        now += limits::REMOTE_PAUSE;
        assert_eq!(missed.due(&come, now), rids[1..], "what was signed there while it came is fetched");
        fetched(&mut missed, &rids, now);
        assert!(missed.due(&come, now).is_empty());
    }

    #[test]
    fn lines_that_could_not_be_looked_at_are_looked_at_again_and_what_was_fetched_stays_fetched() {
        let rids = rids();
        let wanted = here(&rids);
        let (mut missed, start) = (Missed::default(), Instant::now());
        missed.begins(Timestamp(1), start);
        missed.due(&wanted, start);
        for rid in &rids {
            missed.tried(rid, true, start);
            missed.looks_at(rid, start);
        }
        assert_eq!(missed.due_looks(&wanted, start).len(), 2);
        missed.looked(&rids[0], true, start);
        let mut now = start;
        for pause in [limits::REMOTE_PAUSE, limits::REMOTE_PAUSE * 2, limits::REMOTE_PAUSE * 4] {
            assert_eq!(missed.due_looks(&wanted, now), rids[1..]);
            missed.looked(&rids[1], false, now);
            assert!(missed.due(&wanted, now).is_empty(), "it is not fetched again");
            assert_eq!(missed.again(&wanted), Some(now + pause));
            assert!(missed.due_looks(&wanted, now + pause / 2).is_empty());
            now += pause;
        }
        missed.looks_at(&rids[1], now);
        assert_eq!(missed.due_looks(&wanted, now), rids[1..], "it was fetched anew");
        missed.looked(&rids[1], false, now);
        assert_eq!(missed.again(&wanted), Some(now + limits::REMOTE_PAUSE * 8), "which does not make the pauses short");
        assert!(
            missed.due_looks(&here(&rids[..1]), now + limits::MISSED_PAUSES.after(u32::MAX)).is_empty(),
            "it is not wanted here any more"
        );
        // As where a line was joined, and is fetched in vain.
        missed.tried(&rids[0], false, now);
        assert_eq!(missed.due(&wanted, now + limits::REMOTE_PAUSE), rids[..1], "it is fetched again though it was before");
    }

    #[test]
    fn what_is_signed_there_and_not_here_is_fetched_whatever_was_announced() {
        let rids = rids();
        let wanted = here(&rids);
        let (mut missed, start) = (Missed::default(), Instant::now());
        missed.begins(Timestamp(1), start);
        missed.due(&wanted, start);
        fetched(&mut missed, &rids, start);
        assert!(!missed.compares(start), "all of it was just fetched");
        assert_eq!(missed.again(&wanted), Some(start + limits::SIGNED_LOOK_EVERY));
        let now = start + limits::SIGNED_LOOK_EVERY;
        assert!(missed.compares(now) && !missed.compares(now));
        for (signed, same, due) in [(1, true, vec![]), (2, false, rids[1..].to_vec())] {
            assert!(missed.is_news(&rids[1], &digest(signed)));
            missed.heard(rids[1].clone(), digest(signed), same);
            assert!(!missed.is_news(&rids[1], &digest(signed)));
            assert_eq!(missed.due(&wanted, now), due, "{signed}");
        }
        missed.tried(&rids[1], false, now);
        assert_eq!(missed.due(&wanted, now + limits::REMOTE_PAUSE), rids[1..], "until it came");
        fetched(&mut missed, &rids, now);
        assert!(missed.due(&wanted, now).is_empty(), "the rest of the difference is what only this device has");
        missed.forget_but(&[(rids[0].clone(), digest(1))]);
        assert!(missed.is_news(&rids[1], &digest(2)), "it was not compared any more");
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
