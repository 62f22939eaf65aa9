//! A journal whose disk was put back by hand to an earlier moment, while others hold what came after that.

use crate::{
    copy::{SOME, catch_up, copy},
    support::*,
};
use domain::{
    Hash, Timestamp,
    event::{Body, Event, Mended, Told, kind},
    role::Role,
    run::Run,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use store::{Apart, Head, JournalCopy, Point, Seq, Store, mark_restored};

/// A device's folder, what was copied of it by hand, and the copy of its journal on another device.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn of(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self) -> Store {
        open(&self.of("store"))
    }

    /// Copies the folder of the closed store.
    fn keep_copy(&self) {
        copy_folder(&self.of("store"), &self.of("older"));
    }

    fn put_back(&self) {
        self.put("older");
    }

    /// Puts the copy of this name in the place of the closed store.
    fn put(&self, copy: &str) {
        fs::remove_dir_all(self.of("store")).unwrap();
        copy_folder(&self.of(copy), &self.of("store"));
    }

    /// Has the closed store put back, go on with an event, fetch what a copy holds, and be marked.
    fn marked(&self, held: &JournalCopy) {
        self.put_back();
        let store = self.open();
        store.append_blocking(vec![marked("here")]).unwrap();
        store.branch().unwrap().append(&held.pieces(Point::default(), SOME).unwrap()).unwrap();
        store.mend_when_opened().unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What another device told of a run.
fn told(what: &str, seq: u64) -> Event {
    Event { told: Some(Told { device: signer(2).device, seq, heard_at: Timestamp(1) }), ..stopped(1, what) }
}

fn said(text: Hash) -> Event {
    event(Body::MessageSent { run: run_id(1), order: 1, text })
}

/// Has a store fetch what a copy holds of it, and goes on with it as after a start.
fn mended(place: &Place, store: Store, held: &JournalCopy, apart: Option<Apart>) -> Store {
    let branch = store.branch().unwrap();
    assert_eq!(store.apart().unwrap(), None, "nothing was fetched yet");
    branch.append(&held.pieces(Point::default(), SOME).unwrap()).unwrap();
    assert_eq!(store.apart().unwrap(), apart);
    drop(branch);
    store.mend_when_opened().unwrap();
    drop(store);
    place.open()
}

fn events(store: &Store) -> Vec<(u64, Event)> {
    store.events(Seq(0), 100).unwrap().into_iter().map(|one| (one.seq.0, (*one.event).clone())).collect()
}

/// Two events, then a copy by hand, then three more that another device holds.
fn gone_on(place: &Place) -> (JournalCopy, Vec<(u64, Event)>) {
    let store = place.open();
    store.append_blocking(vec![queued(1, &task(1)), stopped(1, "a")]).unwrap();
    drop(store);
    place.keep_copy();
    let store = place.open();
    let text = store.blobs().put(b"go on").unwrap();
    store.append_blocking(vec![stopped(1, "b"), told("told", 7)]).unwrap();
    store.append_blocking(vec![said(text)]).unwrap();
    let held = copy(&place.of("held"));
    catch_up(&store, &held, SOME).unwrap();
    (held, events(&store))
}

fn same_head(copy: &JournalCopy, head: &Head) {
    assert_eq!(copy.head().unwrap().as_ref(), Some(head));
    let report = copy.verify().unwrap();
    assert!(report.is_sound() && report.incarnations == 2, "{report:?}");
}

#[test]
fn what_others_hold_comes_back_and_what_was_written_since_follows_it_in_a_new_incarnation() {
    let place = Place::new();
    let (held, before) = gone_on(&place);
    place.put_back();
    let store = place.open();
    store.append_blocking(vec![told("told", 7), queued(2, &task(2))]).unwrap();
    let old = store.head().unwrap();
    // Another device knows the journal only as it went on from the older disk.
    let misled = copy(&place.of("misled"));
    catch_up(&store, &misled, SOME).unwrap();

    let store = mended(&place, store, &held, Some(Apart { after: Seq(2), there: 3, here: 2 }));
    let after = events(&store);
    assert_eq!(after[..5], before[..], "all of it is back, under the same numbers");
    assert_eq!(after[5], (6, queued(2, &task(2))));
    let Body::JournalMended(mended) = &after[6].1.body else { panic!("{after:#?}") };
    let aside = mended.aside.clone().unwrap();
    assert_eq!(*mended, Mended { after: 2, came_back: 3, written_here: 1, told_twice: 1, aside: Some(aside.clone()) });
    assert_eq!(after.len(), 7);
    let incarnations: Vec<u64> = store.events(Seq(0), 100).unwrap().iter().map(|one| one.incarnation).collect();
    assert!(incarnations[..2].iter().all(|one| *one == old.incarnation) && incarnations[2..].iter().all(|one| *one > old.incarnation));
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!((run.violations, run.messages.len()), (vec!["a".to_owned(), "b".into(), "told".into()], 1));
    assert!(store.get::<Run>(kind::RUN, run_id(2).as_str()).unwrap().is_some());

    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.incarnations, report.lost_blobs, report.mends.len()), (2, 1, 1));
    assert_eq!(store.rebuild_blocking().unwrap().differences, 0);
    assert_eq!(fs::read_dir(place.of("store/aside")).unwrap().count(), 1);
    let kept = open(&place.of("store/aside").join(aside));
    assert_eq!((kept.head().unwrap(), kept.verify().unwrap().is_sound()), (old, true), "as it was before, it is aside");

    // Whoever followed one of the two follows on.
    let head = store.head().unwrap();
    for one in [&held, &misled] {
        catch_up(&store, one, SOME).unwrap();
        same_head(one, &head);
    }
    // And that was it: nothing is left to be done.
    drop(store);
    assert_eq!(place.open().head().unwrap(), head);
    assert!(!place.of("store/branch").exists() && !place.of("store/mend").exists());
}

#[test]
fn a_disk_on_which_nothing_was_written_since_is_brought_up_to_what_others_hold() {
    let place = Place::new();
    let (held, before) = gone_on(&place);
    place.put_back();
    let store = mended(&place, place.open(), &held, Some(Apart { after: Seq(2), there: 3, here: 0 }));
    let after = events(&store);
    assert_eq!(after[..5], before[..]);
    let nothing = Mended { after: 2, came_back: 3, written_here: 0, told_twice: 0, aside: None };
    assert_eq!((&after[5].1.body, after.len()), (&Body::JournalMended(nothing), 6));
    assert!(store.verify().unwrap().is_sound() && !place.of("store/aside").exists());
    catch_up(&store, &held, SOME).unwrap();
    same_head(&held, &store.head().unwrap());
}

#[test]
fn a_journal_that_is_a_later_incarnation_than_what_others_hold_is_left_alone() {
    let place = Place::new();
    let (held, _) = gone_on(&place);
    place.put_back();
    // What a restore, or an accepted loss, leaves.
    mark_restored(&place.of("store")).unwrap();
    let store = place.open();
    let head = store.head().unwrap();
    let store = mended(&place, store, &held, None);
    assert_eq!(store.head().unwrap(), head);
}

#[test]
fn a_mend_that_was_cut_off_after_its_commit_is_not_done_twice() {
    let place = Place::new();
    let (held, _) = gone_on(&place);
    place.put_back();
    let store = place.open();
    store.append_blocking(vec![marked("here")]).unwrap();
    let branch = store.branch().unwrap();
    branch.append(&held.pieces(Point::default(), SOME).unwrap()).unwrap();
    drop(branch);
    store.mend_when_opened().unwrap();
    drop(store);
    let (branch, head) = (place.of("store/branch"), place.of("store/journal.head"));
    copy_folder(&branch, &place.of("branch"));
    let remembered = fs::read(&head).unwrap();
    let mended = place.open().head().unwrap();
    // As if the power had gone before the head was remembered and the mark taken away.
    copy_folder(&place.of("branch"), &branch);
    fs::write(&head, remembered).unwrap();
    fs::write(place.of("store/mend"), "").unwrap();
    let store = place.open();
    assert_eq!(store.head().unwrap(), mended);
    assert!(store.verify().unwrap().is_sound() && !branch.exists());
}

#[test]
fn what_others_hold_of_a_journal_that_lost_nothing_changes_nothing() {
    let place = Place::new();
    let (held, before) = gone_on(&place);
    let store = place.open();
    store.append_blocking(vec![marked("more")]).unwrap();
    let head = store.head().unwrap();
    let store = mended(&place, store, &held, None);
    assert_eq!((store.head().unwrap(), events(&store)[..5].to_vec()), (head, before));
}

#[tokio::test]
async fn what_was_revoked_after_the_copy_stays_revoked() {
    let place = Place::new();
    let (_, record) = identity::token::create(Role::Viewer, "script", Timestamp(1), None).unwrap();
    let store = place.open();
    store.insert_token(record.clone(), event(Body::TokenCreated { id: record.id.clone(), role: record.role })).await.unwrap();
    drop(store);
    place.keep_copy();
    let store = place.open();
    store.revoke_token(&record.id, event(Body::TokenRevoked { id: record.id.clone() })).await.unwrap();
    let held = copy(&place.of("held"));
    catch_up(&store, &held, SOME).unwrap();
    drop(store);
    place.put_back();
    let store = place.open();
    assert_eq!(store.tokens().unwrap(), [record]);
    let store = mended(&place, store, &held, Some(Apart { after: Seq(1), there: 1, here: 0 }));
    assert!(store.tokens().unwrap().is_empty());
}

#[test]
fn what_came_back_once_is_not_told_again_when_the_disk_is_put_back_a_second_time() {
    let place = Place::new();
    let store = place.open();
    store.append_blocking(vec![queued(1, &task(1))]).unwrap();
    drop(store);
    place.keep_copy();
    let store = place.open();
    store.append_blocking(vec![stopped(1, "a")]).unwrap();
    drop(store);
    copy_folder(&place.of("store"), &place.of("later"));
    let store = place.open();
    store.append_blocking(vec![stopped(1, "b"), stopped(1, "b")]).unwrap();
    let held = copy(&place.of("held"));
    catch_up(&store, &held, SOME).unwrap();
    drop(store);
    place.put_back();
    let store = mended(&place, place.open(), &held, Some(Apart { after: Seq(1), there: 3, here: 0 }));
    catch_up(&store, &held, SOME).unwrap();
    let before = events(&store);
    drop(store);

    // The copy of a later moment has under the old incarnation what the new one told again.
    place.put("later");
    let store = place.open();
    store.append_blocking(vec![marked("here"), stopped(1, "a")]).unwrap();
    let store = mended(&place, store, &held, Some(Apart { after: Seq(1), there: 4, here: 3 }));
    let after = events(&store);
    assert_eq!((&after[..5], &after[5].1, &after[6].1), (&before[..], &marked("here"), &stopped(1, "a")));
    let Body::JournalMended(mend) = &after[7].1.body else { panic!("{after:#?}") };
    assert_eq!((mend.came_back, mend.written_here, mend.told_twice), (4, 2, 1), "each that came back counts for one");
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!(run.violations, ["a", "b", "b", "a"]);
    assert!(store.verify().unwrap().is_sound());
}

#[test]
fn of_what_another_device_told_only_the_same_fact_is_left_out_whenever_it_was_heard() {
    let place = Place::new();
    let (held, _) = gone_on(&place);
    place.put_back();
    let store = place.open();
    // What is saved alone is told under the number of the fact before.
    let mut again = told("told", 7);
    again.told.as_mut().unwrap().heard_at = Timestamp(9);
    store.append_blocking(vec![again, told("other", 7)]).unwrap();
    let store = mended(&place, store, &held, Some(Apart { after: Seq(2), there: 3, here: 2 }));
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!(run.violations, ["a", "b", "told", "other"]);
    let after = events(&store);
    let Body::JournalMended(mend) = &after[6].1.body else { panic!("{after:#?}") };
    assert_eq!((mend.written_here, mend.told_twice), (1, 1));
}

#[test]
fn a_journal_that_cannot_be_mended_is_opened_as_it_is_and_mended_once_it_can() {
    let place = Place::new();
    let (held, _) = gone_on(&place);
    place.marked(&held);
    let (aside, branch) = (place.of("store/aside"), place.of("store/branch/journal.db"));
    let opened = |why: &str| {
        let store = place.open();
        assert!(store.unmended().is_some_and(|problem| problem.to_string().contains(why)), "{why}: {:?}", store.unmended());
        store.append_blocking(vec![marked(why)]).unwrap();
        assert!(store.verify().unwrap().is_sound() && place.of("store/mend").exists());
    };
    // It cannot be laid aside.
    fs::write(&aside, "").unwrap();
    opened("aside");
    fs::remove_file(&aside).unwrap();
    // It was mended too often.
    for name in ["1", "2", "3", "4"] {
        fs::create_dir_all(aside.join(name)).unwrap();
    }
    opened("mended so often");
    fs::remove_dir_all(&aside).unwrap();
    // What was fetched is damaged.
    let fetched = fs::read(&branch).unwrap();
    fs::write(&branch, [b'x'; 8192]).unwrap();
    opened("");
    assert!(!aside.exists());
    fs::write(&branch, fetched).unwrap();

    let store = place.open();
    assert_eq!(store.unmended(), None);
    let texts: Vec<String> = events(&store).iter().filter_map(|(_, event)| mark(event).map(str::to_owned)).collect();
    assert_eq!(texts, ["here", "aside", "mended so often", ""]);
    assert!(store.verify().unwrap().mends.len() == 1 && !place.of("store/mend").exists());
}

#[test]
fn a_journal_that_lost_events_is_refused_though_it_is_to_be_mended() {
    let place = Place::new();
    let (held, _) = gone_on(&place);
    place.marked(&held);
    for name in ["journal.db-wal", "journal.db-shm"] {
        let _ = fs::remove_file(place.of("store").join(name));
    }
    fs::copy(place.of("older/journal.db"), place.of("store/journal.db")).unwrap();
    let refused = Store::open(&place.of("store"), signer(1)).unwrap_err();
    assert!(refused.what.contains("not whole"), "{refused}");
    assert!(place.of("store/mend").exists(), "it is mended once that is");
}

#[test]
fn what_was_fetched_for_nothing_is_forgotten() {
    let place = Place::new();
    let (held, _) = gone_on(&place);
    let store = place.open();
    store.branch().unwrap().append(&held.pieces(Point::default(), SOME).unwrap()).unwrap();
    assert_eq!(store.apart().unwrap(), None);
    store.forget_branch().unwrap();
    store.forget_branch().unwrap();
    assert!(!place.of("store/branch").exists());
}
