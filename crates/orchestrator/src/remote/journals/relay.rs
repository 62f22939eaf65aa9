//! The journals of devices that were removed. Nobody connects with such a device any more, so what any device of the org holds of its
//! journal goes on from hand to hand, until all hold the one line that counts: the furthest, whoever got it and when (`store/src/link.rs`).

use super::{
    Copied, CopyState, When, fork,
    hear::{self, Stop},
    lock, others, own, place, room,
};
use crate::{
    clock,
    data_dir::{left_bytes, storage},
    limits,
    org::Org,
};
use domain::{Did, Problem, org::KeyKind};
use forge::OrgState;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    sync::Arc,
    time::Instant,
};
use store::{JournalCopy, Point, Refused, link};

/// The folder in that of a copy into which another line of its journal comes.
const LINE: &str = "line";

/// The devices that were removed from the org.
pub(super) fn removed(state: &OrgState) -> BTreeSet<Did> {
    let gone = state.revoked.iter().chain(&state.ended).filter(|gone| gone.kind == KeyKind::Device);
    gone.map(|gone| gone.did.clone()).collect()
}

/// Takes what others have of a removed device's journal, one after the other, again and again.
pub(super) async fn keep(org: Arc<Org>, device: Did) {
    if let Some(copied) = org.journals.get(&device) {
        // It is not what all have, and nothing takes its place any more.
        *lock(&copied.summed_up) = None;
    }
    let (mut pauses, mut vain) = (limits::JOURNAL_RELAY_PAUSES, Vain::new());
    loop {
        let before = end(&org, &device);
        for other in others(&org) {
            if let Err(problem) = catch_up(&org, &device, &other, &mut vain).await {
                tracing::debug!(%device, from = %other, %problem, "what another has of a removed device's journal is not known");
            }
        }
        // Else nobody who is there has more of it.
        if end(&org, &device) != before {
            pauses.anew();
        }
        tokio::time::sleep(pauses.another()).await;
    }
}

/// Where the copy of a journal ends; before everything where there is none.
fn end(org: &Org, device: &Did) -> Point {
    org.journals.get(device).map_or_else(Point::default, |copied| copied.journal.point())
}

/// The lines that were fetched whole and could not be taken: from whom, where each ends with which hash, and when that was.
type Vain = BTreeMap<Did, (Point, String, Instant)>;

/// What somebody tells of a journal: where it ends there, the hash of its last event, and how old that is, in milliseconds.
struct Told {
    end: Point,
    hash: String,
    age_ms: u64,
}

/// Takes what another device has of the journal, where that counts over what is here.
async fn catch_up(org: &Arc<Org>, device: &Did, from: &Did, vain: &mut Vain) -> Result<(), Problem> {
    let at = end(org, device);
    let first = hear::first_of(org, from, device, at).await?;
    let told = Told { end: place(first.last_incarnation, first.last_seq), hash: first.last_hash, age_ms: first.age_ms };
    let (there, here, sender) = (told.end, org.journals.get(device), from.clone());
    let line = (told.end, told.hash.clone(), Instant::now());
    if vain.get(from).is_some_and(|(end, hash, at)| (*end, hash) == (line.0, &line.1) && at.elapsed() < limits::JOURNAL_RELAY_VAIN) {
        return Ok(());
    }
    if !org.blocking(move |_| counts(here.as_deref(), &sender, &told)).await? {
        return Ok(());
    }
    let opening = device.clone();
    let copied = org.blocking(move |org| org.journals.copy(&opening)).await?;
    let stopped = hear::once(org, &copied, from, there).await;
    let stands = copied.journal.point() == at;
    match stopped {
        Err(Stop::Refused(Refused::Forked { .. } | Refused::OutOfPlace(_))) => {}
        Ok(()) if stands => {}
        stopped => {
            hear::told(org, &copied, from, stopped).await;
            return Ok(());
        }
    }
    let settled = settle(org, &copied, from, there).await;
    // Its hash, where it is another line of the same length, else its end says whether it was taken.
    if settled.is_err() || copied.journal.point() == at {
        vain.insert(from.clone(), line);
    }
    if let Err(problem) = &settled {
        org.journals.tried(device, Some(problem));
    }
    settled
}

/// Whether what somebody has of a journal counts over what is here. Where it does not, it says as of when that is whole.
fn counts(here: Option<&Copied>, from: &Did, told: &Told) -> Result<bool, Problem> {
    let head = here.map(|copied| copied.journal.head()).transpose()?.flatten();
    if link::counts_over(told.end, &told.hash, head.as_ref()) {
        return Ok(true);
    }
    if let Some(copied) = here.filter(|copied| told.end > Point::default() && is_news(copied, told.age_ms))
        && fork::compare(copied, from, told.end, &told.hash) == Ok(fork::End::Same)
    {
        copied.heard(from, told.end, told.age_ms);
    }
    Ok(false)
}

/// Whether it is news as of when somebody knows the journal: the same is told at every turn, and takes a moment on its way.
fn is_news(copied: &Copied, age_ms: u64) -> bool {
    let standing = copied.standing();
    let told = i64::try_from(age_ms).ok().map(|age| clock::now().0.saturating_sub(age));
    let known = standing.as_of.map(|as_of| as_of.0.saturating_add(limits::JOURNAL_ON_ITS_WAY_MS));
    standing.state != CopyState::Verified || told > known
}

/// Takes the whole line that another device has, which is not the one here, and goes over to it where it counts.
async fn settle(org: &Arc<Org>, copied: &Arc<Copied>, from: &Did, end: Point) -> Result<(), Problem> {
    let (dir, device) = (copied.journal.dir().join(LINE), copied.journal.device().clone());
    let folder = dir.clone();
    let opened = org.blocking(move |_| {
        remove(&folder)?;
        Ok(Arc::new(Copied::of(JournalCopy::open(&folder, &device)?)))
    });
    let line = opened.await?;
    own::take(org, &line, from, end).await;
    let copied = copied.clone();
    org.blocking(move |org| {
        let went = go_over(&copied, &line, left_bytes(copied.journal.dir()));
        drop(line);
        remove(&dir)?;
        if went? {
            org.journals.grew();
        }
        Ok(())
    })
    .await
}

fn go_over(copied: &Copied, line: &Copied, left_bytes: u64) -> Result<bool, Problem> {
    let before = copied.journal.point();
    let went = room::go_over(&copied.journal, &line.journal, left_bytes).map_err(|refused| match refused {
        Refused::Disk(problem) => problem,
        other => Problem::internal(other),
    })?;
    if went {
        let (device, from, to) = (copied.journal.device(), before.seq.0, copied.journal.point().seq.0);
        tracing::warn!(%device, from, to, "a removed device has two journals: the copy went over to the one that counts");
        copied.begin_anew();
    }
    Ok(went)
}

impl Copied {
    /// Forgets what was known of the line that it was: whoever tells next where this one ends says as of when it is whole.
    fn begin_anew(&self) {
        {
            let mut known = lock(&self.known);
            (known.as_of, known.furthest, known.forked, known.shown_forked) = (None, (0, 0), None, None);
        }
        self.note(When::Now);
    }
}

fn remove(dir: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(dir, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fixtures, remote::journals::own::tests as journal};
    use domain::{
        Timestamp,
        org::{Device, Revocation},
    };
    use identity::Key;

    #[test]
    fn the_journals_of_devices_that_were_removed_are_relayed_and_no_others() {
        let gone = |n: char, kind| Revocation { did: fixtures::did(n), kind, at: Timestamp(0), why: "sold".into(), name: None };
        let mut state = fixtures::state();
        state.revoked = vec![gone('a', KeyKind::Device), gone('b', KeyKind::Member), gone('c', KeyKind::Run)];
        state.ended = vec![gone('d', KeyKind::Device)];
        state.devices.insert("e".into(), Device::new("e", fixtures::did('e'), "ada"));
        assert_eq!(removed(&state), BTreeSet::from(['a', 'd'].map(fixtures::did)));
    }

    #[test]
    fn what_is_further_there_counts_and_else_it_is_known_as_of_when_this_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = journal::own(&dir, 3);
        let pieces = store.pieces(Point::default(), 1 << 20).unwrap();
        let copied = Copied::of(JournalCopy::open(&dir.path().join("copy"), store.device()).unwrap());
        let from = Key::from_seed(&[2; 32]).did();
        let whole = store.head().unwrap();
        let told = |end: Point, hash: &str| Told { end, hash: hash.into(), age_ms: 0 };
        let there = told(whole.point(), whole.hash.as_str());
        let looks = |here, told: &Told| counts(here, &from, told).unwrap();
        assert!(looks(None, &there) && looks(Some(&copied), &there) && !looks(None, &told(Point::default(), "")));
        copied.journal.append(&pieces[..1]).unwrap();
        assert!(looks(Some(&copied), &there) && copied.standing().as_of.is_none());
        copied.journal.append(&pieces[1..]).unwrap();
        let (end, greater, less) = (whole.point(), "z".repeat(64), "0".repeat(64));
        assert!(looks(Some(&copied), &told(end, &greater)), "another line");
        assert!(!looks(Some(&copied), &told(end, &less)) && copied.standing().as_of.is_none(), "which does not count");
        assert!(!looks(Some(&copied), &there) && copied.standing().as_of.is_some());
        assert!(!is_news(&copied, 0) && !is_news(&copied, u64::MAX), "it is as of now");
        lock(&copied.known).as_of = Some(Timestamp(1));
        assert!(is_news(&copied, 0) && !is_news(&copied, u64::MAX));
    }

    #[test]
    fn a_copy_that_went_over_to_another_line_forgets_what_was_told_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let store = journal::own(&dir, 2);
        let copy = |name: &str| Copied::of(JournalCopy::open(&dir.path().join(name), store.device()).unwrap());
        let (copied, line) = (copy("copy"), copy("line"));
        let pieces = store.pieces(Point::default(), 1 << 20).unwrap();
        copied.journal.append(&pieces[..1]).unwrap();
        assert!(!go_over(&copied, &line, u64::MAX).unwrap(), "there is nothing of it");
        line.journal.append(&pieces).unwrap();
        lock(&copied.known).forked = Some("It was shown.".into());
        assert!(go_over(&copied, &line, 0).is_err_and(|problem| problem.passes()), "there is no room");
        assert!(go_over(&copied, &line, u64::MAX).unwrap());
        assert_eq!((copied.journal.point(), copied.standing().why), (line.journal.point(), None));
    }
}
