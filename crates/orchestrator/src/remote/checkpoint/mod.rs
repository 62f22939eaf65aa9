//! Saved work on its way between devices. Whoever asked for a run brings its checkpoint over as soon as it hears of it; so the device
//! that executed it may go, and any device may go on: it gets the checkpoint from the one that asks. `give` tells, `bring` hears; `alone`
//! finds what a device saved while it could not be heard, and `found` that it had ended with a patch.

mod alone;
mod bring;
mod found;
mod give;

pub(super) use alone::at as run_there;
pub(crate) use alone::{ask as ask_saved, goes_on_there, keep as keep_given_up};
pub(crate) use bring::{bring_saved, receive};
pub(crate) use found::published_there;
pub(super) use give::give;

use super::lock;
use crate::{limits, org::Org};
use domain::{Did, Oid, RunId, run::LeftBehind};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, watch};

/// How far a checkpoint has come, in the order in which its objects are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// So many objects are whole.
    objects: u64,
    /// So many bytes of the next one are here.
    bytes: u64,
}

/// What is remembered of checkpoints that move, while the process lives.
#[derive(Debug)]
pub(crate) struct Moving {
    /// How many more may be given at once.
    giving: Arc<Semaphore>,
    /// Runs that ended here with saved work which their requester has not got yet, and since when.
    owed: watch::Sender<BTreeMap<RunId, Instant>>,
    /// By the run that is to go on: the saved work that was not to be had, and when that was found out.
    left: Mutex<HashMap<RunId, (LeftBehind, Instant)>>,
    /// Runs elsewhere that were given up here, and may have been saved there since: the newest.
    given_up: Mutex<BTreeMap<RunId, GivenUp>>,
}

/// What is known of a run that was given up here.
#[derive(Debug)]
struct GivenUp {
    answer: Answer,
    /// What its device said that it saved, and does not have, or is no checkpoint: that is not asked for again.
    refused: Option<Oid>,
    /// Whether it was to be asked once more because it was there again when the next run was to be placed with it.
    back: bool,
    /// Since when it is known to have published a patch, which did not come yet.
    published: Option<Instant>,
    /// Whether what it is said to have published is not its own: that is not asked for again.
    disbelieved: bool,
    /// Whether it was said that its patch did not come yet.
    warned: bool,
}

/// Whether a device said what it saved of a run that was given up here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It is to be asked before the next step with a run that goes on from it.
    Wanted,
    /// It was just asked.
    Asked,
    /// It said so.
    Had,
}

impl Default for Moving {
    fn default() -> Self {
        let giving = Arc::new(Semaphore::new(limits::CHECKPOINTS_AT_ONCE));
        Self { giving, owed: watch::Sender::new(BTreeMap::new()), left: Mutex::default(), given_up: Mutex::default() }
    }
}

impl Moving {
    /// Notes that a run was saved here which another device asked for; what is old is forgotten: that device is away.
    pub(crate) fn owe(&self, run: &RunId) {
        self.owed.send_modify(|owed| {
            owed.retain(|_, since| since.elapsed() < limits::CHECKPOINT_AGAIN);
            owed.insert(run.clone(), Instant::now());
        });
    }

    /// Notes that it was given.
    fn given(&self, run: &RunId) {
        self.owed.send_if_modified(|owed| owed.remove(run).is_some());
    }

    /// Notes that a run elsewhere was given up here. Where there are too many, the oldest is not looked for any more, first of those whose
    /// device has answered: what was saved of it stays on its device.
    pub(crate) fn give_up(&self, run: &RunId) {
        let mut all = lock(&self.given_up);
        let new = GivenUp { answer: Answer::Wanted, refused: None, back: false, published: None, disbelieved: false, warned: false };
        all.entry(run.clone()).or_insert(new);
        if all.len() > limits::GIVEN_UP_MAX {
            let answered = all.iter().find(|(_, one)| matches!(one.answer, Answer::Had)).map(|(run, _)| run.clone());
            match answered {
                Some(run) => drop(all.remove(&run)),
                None => drop(all.pop_first()),
            }
        }
    }

    /// The runs that were given up here, and of which more may be found.
    fn given_up(&self) -> Vec<RunId> {
        lock(&self.given_up).keys().cloned().collect()
    }

    /// Whether the device of a run that was given up here is to be asked now what it saved: each second time while it does not answer, so
    /// that what goes on from it is not held up.
    pub(crate) fn to_ask(&self, run: &RunId) -> bool {
        let mut all = lock(&self.given_up);
        let Some(GivenUp { answer, .. }) = all.get_mut(run) else { return false };
        let wanted = *answer == Answer::Wanted;
        if *answer != Answer::Had {
            *answer = if wanted { Answer::Asked } else { Answer::Wanted };
        }
        wanted
    }

    /// Whether the device of a run that was given up here has not said yet what it saved.
    pub(crate) fn unanswered(&self, run: &RunId) -> bool {
        lock(&self.given_up).get(run).is_some_and(|given_up| given_up.answer != Answer::Had)
    }

    /// Whether a run was given up here, and more of it may be found.
    fn is_given_up(&self, run: &RunId) -> bool {
        lock(&self.given_up).contains_key(run)
    }

    /// Whether the device of a run that was given up here is to be asked before anything is placed with it: it is there again, and has not
    /// said yet what it has of that run. Once, so that a device which never says it holds nothing up.
    pub(crate) fn is_back(&self, run: &RunId) -> bool {
        let mut all = lock(&self.given_up);
        let Some(given_up) = all.get_mut(run).filter(|given_up| given_up.answer != Answer::Had && !given_up.back) else { return false };
        (given_up.answer, given_up.back) = (Answer::Wanted, true);
        true
    }

    /// Whether the patch that a run published which was given up here is still waited for, from the first time that this is asked.
    fn waits_for_patch(&self, run: &RunId) -> bool {
        let mut all = lock(&self.given_up);
        let since = all.get_mut(run).map(|given_up| *given_up.published.get_or_insert_with(Instant::now));
        since.is_some_and(|since| since.elapsed() < limits::PUBLISHED_WAIT)
    }

    /// Whether it is to be said that its patch did not come yet: once.
    fn to_warn(&self, run: &RunId) -> bool {
        lock(&self.given_up).get_mut(run).is_none_or(|given_up| !std::mem::replace(&mut given_up.warned, true))
    }

    /// Notes that what a run is said to have published is not its own.
    fn disbelieve(&self, run: &RunId) {
        if let Some(given_up) = lock(&self.given_up).get_mut(run) {
            given_up.disbelieved = true;
        }
    }

    /// Whether that was noted.
    fn disbelieved(&self, run: &RunId) -> bool {
        lock(&self.given_up).get(run).is_some_and(|given_up| given_up.disbelieved)
    }

    /// Notes that it said so.
    fn answered(&self, run: &RunId) {
        if let Some(given_up) = lock(&self.given_up).get_mut(run) {
            given_up.answer = Answer::Had;
        }
    }

    /// Notes that a checkpoint of it cannot be had of its device, however often that is asked.
    fn refuse(&self, run: &RunId, commit: Oid) {
        if let Some(given_up) = lock(&self.given_up).get_mut(run) {
            given_up.refused = Some(commit);
        }
    }

    /// Whether that was noted.
    fn refused(&self, run: &RunId, commit: &Oid) -> bool {
        lock(&self.given_up).get(run).is_some_and(|given_up| given_up.refused.as_ref() == Some(commit))
    }

    /// Notes that nothing more will be found of a run.
    fn settled(&self, run: &RunId) {
        lock(&self.given_up).remove(run);
    }

    /// Notes that the saved work which a run was to go on from cannot be had.
    pub(crate) fn leave(&self, run: &RunId, left: LeftBehind) {
        let mut all = lock(&self.left);
        if all.len() >= limits::LEFT_BEHIND_MAX {
            // Whoever has it is asked once too often.
            all.clear();
        }
        all.insert(run.clone(), (left, Instant::now()));
    }

    /// What a run goes on without, and how long ago that was found out.
    pub(crate) fn left(&self, run: &RunId) -> Option<(LeftBehind, Duration)> {
        lock(&self.left).get(run).map(|(left, at)| (left.clone(), at.elapsed()))
    }
}

/// Returns when the devices that asked for what ended here lately have its saved work, or do not get it in time: for a device that closes.
pub(crate) async fn farewell(org: &Arc<Org>) {
    let owed = &org.remote.moving.owed;
    owed.send_modify(|owed| owed.retain(|_, since| since.elapsed() < limits::CHECKPOINT_AGAIN));
    if owed.borrow().is_empty() {
        return;
    }
    let mut watched = owed.subscribe();
    if tokio::time::timeout(limits::CHECKPOINT_FAREWELL, watched.wait_for(BTreeMap::is_empty)).await.is_err() {
        tracing::warn!("saved work of runs that others asked for was not brought away in time; it stays here");
    }
    tokio::time::sleep(limits::CHECKPOINT_LAST_BYTES).await;
}

/// Whether a device answered the last time, or nobody tried.
pub(crate) fn may_answer(org: &Org, device: &Did) -> bool {
    lock(&org.remote.reach).get(device).is_none_or(|reach| reach.reachable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        bring::Assembly,
        give::{Packer, Part},
        *,
    };
    use forge::ObjectKind;
    use proto::mesh::ObjectPiece;
    use std::cell::RefCell;

    /// What is given of these objects to who has so much of them.
    fn given(objects: &[&[u8]], after: Place) -> Vec<ObjectPiece> {
        let sent = RefCell::new(vec![]);
        let send = |part: Part| {
            sent.borrow_mut().extend(part.unwrap().pieces);
            Ok(())
        };
        let mut packer = Packer::new(after.bytes, &send);
        let had = usize::try_from(after.objects).unwrap();
        objects.iter().skip(had).for_each(|data| packer.object(ObjectKind::Blob, data).unwrap());
        packer.flush().unwrap();
        sent.take()
    }

    /// Takes pieces, and gives the objects that are whole with them.
    fn taken(assembly: &mut Assembly, pieces: Vec<ObjectPiece>) -> Vec<Vec<u8>> {
        pieces.into_iter().filter_map(|piece| assembly.put(piece).unwrap()).map(|(_, data)| data).collect()
    }

    #[test]
    fn what_broke_off_goes_on_where_it_stopped_wherever_that_was() {
        let large = vec![7; 2 * limits::CHECKPOINT_PART_BYTES + 9];
        let objects: [&[u8]; 6] = [b"one", b"", &large, b"", b"two", &large];
        let whole = given(&objects, Place::default());
        for broke_at in 0..=whole.len() {
            let mut assembly = Assembly::default();
            let mut came = taken(&mut assembly, whole[..broke_at].to_vec());
            let rest = given(&objects, assembly.place());
            came.extend(taken(&mut assembly, rest));
            assert_eq!(came, objects, "after {broke_at} pieces");
        }
        let beyond = Place { objects: 0, bytes: 4 };
        let send = |_: Part| Ok(());
        assert!(Packer::new(beyond.bytes, &send).object(ObjectKind::Blob, b"one").is_err());
    }

    #[test]
    fn a_device_is_asked_each_second_time_until_it_said_what_it_saved_alone() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let moving = Moving::default();
        assert!(!moving.to_ask(&run) && !moving.unanswered(&run), "it was not given up");
        moving.give_up(&run);
        let asked: Vec<bool> = (0..4).map(|_| moving.to_ask(&run)).collect();
        assert_eq!(asked, [true, false, true, false]);
        assert!(moving.unanswered(&run));
        moving.answered(&run);
        moving.give_up(&run);
        assert!(!moving.to_ask(&run) && !moving.unanswered(&run) && moving.given_up() == [run.clone()], "more may follow");
        let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap();
        moving.refuse(&run, oid("1"));
        assert!(moving.refused(&run, &oid("1")) && !moving.refused(&run, &oid("2")), "another may be one");
        moving.settled(&run);
        assert!(moving.given_up().is_empty());
    }

    #[test]
    fn a_device_that_is_there_again_is_asked_once_more_before_anything_is_placed_with_it() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let moving = Moving::default();
        assert!(!moving.is_back(&run) && !moving.waits_for_patch(&run), "it was not given up");
        moving.give_up(&run);
        assert!(moving.to_ask(&run), "it was asked in vain");
        assert!(moving.is_back(&run) && moving.to_ask(&run));
        assert!(!moving.is_back(&run), "it holds nothing up for ever");
        assert!(moving.is_given_up(&run) && moving.waits_for_patch(&run) && moving.waits_for_patch(&run), "a patch is waited for a while");
        assert!(moving.to_warn(&run) && !moving.to_warn(&run), "that it does not come is said once");
        assert!(!moving.disbelieved(&run));
        moving.disbelieve(&run);
        assert!(moving.disbelieved(&run), "what is not its own is not asked for again");
        let other: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap();
        moving.give_up(&other);
        moving.answered(&other);
        assert!(!moving.is_back(&other), "it has said what it has");
    }

    #[test]
    fn of_the_runs_that_were_given_up_only_so_many_of_the_newest_are_looked_for() {
        let run = |number: usize| format!("01ARZ3NDEKTSV4RRFFQ6{number:06}").parse::<RunId>().unwrap();
        let moving = Moving::default();
        (0..=limits::GIVEN_UP_MAX).for_each(|number| moving.give_up(&run(number)));
        let left = moving.given_up();
        assert_eq!((left.len(), left.first(), left.last()), (limits::GIVEN_UP_MAX, Some(&run(1)), Some(&run(limits::GIVEN_UP_MAX))));
        assert!(!moving.unanswered(&run(0)), "its work waits for nobody");
        moving.give_up(&run(2));
        assert_eq!(moving.given_up(), left, "it was known");
    }

    #[test]
    fn what_is_owed_is_waited_for_until_it_was_given() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let moving = Moving::default();
        moving.owe(&run);
        assert_eq!(moving.owed.borrow().len(), 1);
        moving.given(&run);
        assert!(moving.owed.borrow().is_empty());
    }
}
