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
        fs::remove_dir_all(self.of("store")).unwrap();
        copy_folder(&self.of("older"), &self.of("store"));
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
    assert_eq!(store.aside(), 1);
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
