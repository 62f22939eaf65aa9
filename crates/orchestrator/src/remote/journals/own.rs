//! What other devices hold of this device's own journal. It never tells what is not on its disk, so one that holds more, or something
//! else in its place, shows that the disk was put back to an earlier moment. Then all that others hold of it is fetched, and verified as
//! any copy is; the next opening of the journal joins both (`store/src/mend.rs`).

use super::{Copied, hear, lock, others, place};
use crate::{limits, org::Org};
use domain::{Did, Problem, pauses::Pauses};
use futures::future::join_all;
use std::{cmp::Reverse, sync::Arc};
use store::{JournalCopy, Point, Store};

/// Where another device's copy of this device's journal ends.
#[derive(Clone)]
struct End {
    point: Point,
    /// The hash of the event there.
    hash: String,
}

/// Looks whether another device holds of this device's journal what is not here, until that is known and fetched.
pub(super) async fn compare(org: &Arc<Org>, with: &Did) {
    let mut pauses = Pauses::new(limits::REMOTE_PAUSE, limits::JOURNAL_REFUSED_PAUSE);
    while let Err(problem) = compared(org, with).await {
        tracing::debug!(%with, %problem, "what another device holds of this journal is not known; it is asked again");
        tokio::time::sleep(pauses.another()).await;
    }
}

async fn compared(org: &Arc<Org>, with: &Did) -> Result<(), Problem> {
    let end = end_at(org, with).await?;
    if !org.blocking(move |org| unknown(&org.store, &end)).await? {
        return Ok(());
    }
    let Ok(mut tries) = org.journals.own.try_lock() else {
        return Err(Problem::unavailable("What others hold of this journal is being fetched."));
    };
    // Found before: nothing more is fetched until the journal is opened anew, so that what is joined then is not the half of something.
    if org.journals.apart().is_some() || org.store.unmended().is_some() {
        return Ok(());
    }
    if fetch(org).await?.joins(&mut tries) { mend(org).await } else { Err(Problem::unavailable("It has not come whole.")) }
}

/// Where the copy of this device's journal ends that another device has.
async fn end_at(org: &Org, at: &Did) -> Result<End, Problem> {
    let here = org.store.head()?;
    let told = hear::first_of(org, at, &org.device, here.point()).await?;
    Ok(End { point: place(told.last_incarnation, told.last_seq), hash: told.last_hash })
}

/// Whether an end is none that this journal ever had, as far as is known here. What is of an earlier incarnation was given up here; an end
/// without a hash says nothing.
fn unknown(own: &Store, end: &End) -> Result<bool, Problem> {
    if end.point.seq.0 == 0 || end.hash.is_empty() || end.point.incarnation < own.head()?.incarnation {
        return Ok(false);
    }
    Ok(own.hash_at(end.point)?.is_none_or(|hash| hash.as_str() != end.hash))
}

/// Whether all is in the branch of which an end was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Here {
    /// It has this very end.
    Whole,
    /// The device itself gave that end up, and went on from before it.
    GivenUp,
    /// It has not come so far, or leads elsewhere.
    Not,
}

fn here(branch: &JournalCopy, end: &End) -> Result<Here, Problem> {
    if branch.hash_at(end.point)?.is_some_and(|hash| hash.as_str() == end.hash) {
        return Ok(Here::Whole);
    }
    Ok(if end.point.incarnation < branch.point().incarnation { Here::GivenUp } else { Here::Not })
}

/// What a turn of fetching came to.
#[derive(Clone, Copy)]
struct Turn {
    /// An end that was told is here.
    reached: bool,
    /// Another one that was told is not.
    left: bool,
    /// Something came.
    grew: bool,
}

impl Turn {
    /// Whether the journal is joined with what came. What only one device holds would be given up by that: so an end that was told is
    /// waited for as long as something comes, and a few turns more. Longer would let whoever tells of what there is not hold it up.
    fn joins(self, tries: &mut u32) -> bool {
        *tries += u32::from(self.reached && self.left && !self.grew);
        self.reached && (!self.left || !self.grew && *tries >= limits::JOURNAL_OWN_TRIES)
    }
}

/// Fetches what others hold of this journal, the longest of it first. A branch to which nothing comes and that has nothing new goes again.
async fn fetch(org: &Arc<Org>) -> Result<Turn, Problem> {
    let ends = ends(org).await?;
    let branch = org.blocking(|org| Ok(Arc::new(Copied::of(org.store.branch()?)))).await?;
    let before = branch.journal.point();
    let mut found = vec![];
    for (from, end) in &ends {
        if is_here(org, &branch, end).await? == Here::Not {
            take(org, &branch, from, end.point).await;
        }
    }
    for (_, end) in &ends {
        found.push(is_here(org, &branch, end).await?);
    }
    let grew = branch.journal.point() != before;
    drop(branch);
    let turn = Turn { reached: found.contains(&Here::Whole), left: found.contains(&Here::Not), grew };
    if !turn.reached && !grew && !ends.is_empty() {
        org.blocking(|org| if org.store.apart()?.is_none() { org.store.forget_branch() } else { Ok(()) }).await?;
    }
    Ok(turn)
}

/// The ends of which others tell and that are not here, the longest first.
async fn ends(org: &Arc<Org>) -> Result<Vec<(Did, End)>, Problem> {
    let asked = others(org);
    let told = join_all(asked.iter().map(|other| end_at(org, other))).await;
    let told: Vec<(Did, End)> = asked.into_iter().zip(told).filter_map(|(other, end)| Some((other, end.ok()?))).collect();
    org.blocking(move |org| {
        let mut ends = vec![];
        for (other, end) in told {
            if unknown(&org.store, &end)? {
                ends.push((other, end));
            }
        }
        ends.sort_by_key(|(_, end)| Reverse(end.point));
        Ok(ends)
    })
    .await
}

async fn is_here(org: &Arc<Org>, branch: &Arc<Copied>, end: &End) -> Result<Here, Problem> {
    let (branch, end) = (branch.clone(), end.clone());
    org.blocking(move |_| here(&branch.journal, &end)).await
}

/// Takes what a device holds, until the end that it told of. What goes on there meanwhile is not waited for.
pub(super) async fn take(org: &Arc<Org>, branch: &Arc<Copied>, from: &Did, end: Point) {
    // For its own this device waits before it begins: not long for one who is slow, since another may be quicker.
    let told = if *branch.journal.device() == org.device { Point::default() } else { end };
    tokio::select! {
        stopped = hear::once(org, branch, from, told) => {
            hear::told(org, branch, from, stopped).await;
        }
        () = until(&branch.journal, end) => {}
    }
}

/// Resolves once the branch has come to a place, and once nothing came for long: one who sends nothing, or very slowly, holds nobody up.
async fn until(branch: &JournalCopy, end: Point) {
    let come = async {
        let mut at = branch.watch();
        while *at.borrow_and_update() < end {
            if !matches!(tokio::time::timeout(limits::JOURNAL_STILL_MAX, at.changed()).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(limits::JOURNAL_TAKE_MAX, come).await;
}

/// Has the journal joined with what was fetched, by a new start.
async fn mend(org: &Arc<Org>) -> Result<(), Problem> {
    let found = org.blocking(|org| {
        let apart = org.store.apart()?;
        if apart.is_some() {
            org.store.mend_when_opened()?;
        } else {
            org.store.forget_branch()?;
        }
        Ok(apart)
    });
    let Some(apart) = found.await? else { return Ok(()) };
    *lock(&org.journals.apart) = Some(apart);
    let (after, there, here) = (apart.after.0, apart.there, apart.here);
    tracing::error!(after, there, here, "this disk was put back to an earlier moment; the journal is mended by a new start");
    org.anew.notify_one();
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        Timestamp,
        event::{self, Body, Event},
    };
    use identity::Key;
    use store::{Seq, Signer};

    /// A journal with so many events.
    pub(in super::super) fn own(dir: &tempfile::TempDir, events: usize) -> Store {
        let key = Key::from_seed(&[1; 32]);
        let signer = Signer { device: key.did(), sign: Arc::new(move |bytes| Ok(key.sign(bytes))) };
        let store = Store::open(&dir.path().join("own"), signer).unwrap();
        for _ in 0..events {
            append(&store, "1");
        }
        store
    }

    /// Appends an event that has this text.
    pub(in super::super) fn append(store: &Store, text: &str) {
        let (actor, body) = (store.device().clone(), Body::DeviceStarted { version: text.into(), demo: false });
        let event = Event { version: event::VERSION, at: Timestamp(1), actor, via: None, told: None, body };
        store.append_blocking(vec![event]).unwrap();
    }

    fn end_of(store: &Store) -> End {
        let head = store.head().unwrap();
        End { point: head.point(), hash: head.hash.to_string() }
    }

    #[test]
    fn an_end_is_unknown_where_its_event_is_not_here_and_says_nothing_without_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let store = own(&dir, 3);
        let end = end_of(&store);
        let other = |incarnation, seq, hash: &str| End { point: place(incarnation, seq), hash: hash.into() };
        let now = end.point.incarnation;
        assert!(!unknown(&store, &end).unwrap());
        assert!(!unknown(&store, &other(now, 3, "")).unwrap(), "a device that tells no hash holds nothing else");
        assert!(!unknown(&store, &other(now - 1, 9, &end.hash)).unwrap(), "it was given up here");
        assert!(unknown(&store, &other(now, 4, &end.hash)).unwrap() && unknown(&store, &other(now, 3, "other")).unwrap());
    }

    #[test]
    fn a_branch_that_was_cut_short_is_not_all_of_what_was_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = own(&dir, 3);
        let (end, branch) = (end_of(&store), JournalCopy::open(&dir.path().join("branch"), store.device()).unwrap());
        let pieces = store.pieces(Point::default(), 1 << 20).unwrap();
        branch.append(&pieces[..1]).unwrap();
        assert!(branch.point().seq < Seq(3));
        assert_eq!(here(&branch, &end).unwrap(), Here::Not);
        branch.append(&pieces[1..]).unwrap();
        assert_eq!(here(&branch, &end).unwrap(), Here::Whole);
        let elsewhere = End { hash: "other".into(), ..end.clone() };
        assert_eq!(here(&branch, &elsewhere).unwrap(), Here::Not, "of the same number, and not the same");
        let before = End { point: place(end.point.incarnation - 1, 9), ..end };
        assert_eq!(here(&branch, &before).unwrap(), Here::GivenUp);
    }

    #[test]
    fn what_was_told_is_waited_for_while_it_comes_and_not_for_ever() {
        let mut tries = 0;
        let mut joins = |reached, left, grew| Turn { reached, left, grew }.joins(&mut tries);
        assert!(joins(true, false, true) && joins(true, false, false));
        assert!((0..9).all(|_| !joins(true, true, true)), "it comes");
        assert!((1..limits::JOURNAL_OWN_TRIES).all(|_| !joins(true, true, false)));
        assert!(joins(true, true, false), "who tells of what there is not holds it up no longer");
        assert!(!joins(false, true, false) && !joins(false, true, true) && !joins(false, false, false), "nothing that was told is here");
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_sends_nothing_is_waited_for_a_while_only() {
        let dir = tempfile::tempdir().unwrap();
        let branch = JournalCopy::open(dir.path(), &Key::from_seed(&[1; 32]).did()).unwrap();
        let begun = tokio::time::Instant::now();
        until(&branch, place(u64::MAX, 1)).await;
        assert!(begun.elapsed() >= limits::JOURNAL_STILL_MAX && begun.elapsed() < limits::JOURNAL_TAKE_MAX);
        until(&branch, Point::default()).await;
    }
}
