use crate::support::*;
use domain::event::Body;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use store::{Seq, Store, mark_restored};

/// A store with some events, and a backup of it; the store then went on.
fn backed_up(dir: &Path) -> std::path::PathBuf {
    let store = open(&dir.join("old"));
    store.append_blocking(vec![queued(1, &task(1)), stopped(1, "a")]).unwrap();
    let backup = dir.join("journal.backup");
    store.snapshot(&backup).unwrap();
    assert!(store.snapshot(&backup).is_err(), "a backup is not overwritten");
    store.append_blocking(vec![stopped(1, "after the backup")]).unwrap();
    backup
}

fn restored(backup: &Path, into: &Path) -> Store {
    fs::create_dir(into).unwrap();
    fs::copy(backup, into.join("journal.db")).unwrap();
    mark_restored(into).unwrap();
    open(into)
}

#[test]
fn a_restored_backup_goes_on_as_a_new_incarnation() {
    let dir = tempfile::tempdir().unwrap();
    let backup = backed_up(dir.path());
    let old = open(&dir.path().join("old"));
    let store = restored(&backup, &dir.path().join("new"));
    let events = store.events(Seq(0), 10).unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(events[2].event.body, Body::Restored);
    assert!(events[2].incarnation > events[1].incarnation);
    assert_eq!(store.append_blocking(vec![stopped(1, "b")]).unwrap(), Seq(4));

    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.events, report.incarnations), (4, 2));
    assert_eq!(store.rebuild_blocking().unwrap().differences, 0);
    // Number 3 exists in both journals, but never as one and the same event.
    let (lost, new) = (old.events(Seq(2), 1).unwrap().remove(0), events[2].clone());
    assert_ne!((lost.incarnation, lost.hash), (new.incarnation, new.hash));
}

#[test]
fn nobody_else_can_read_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let backup = backed_up(dir.path());
    let store = open(&dir.path().join("old"));
    let log = store.run_log(&run_id(1)).unwrap();
    let files = ["journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"].map(|name| store.dir().join(name));
    for path in files.iter().map(|path| path.as_path()).chain([backup.as_path(), log.path()]) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(fs::metadata(store.dir()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_mark_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let backup = backed_up(dir.path());
    let into = dir.path().join("new");
    let first = restored(&backup, &into).head().unwrap();
    let again = open(&into).head().unwrap();
    assert_eq!(first, again);
}

#[test]
fn a_backup_restored_over_and_over_never_repeats_itself() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("new");
    let store = restored(&backed_up(dir.path()), &into);
    let mut seen = vec![store.head().unwrap().incarnation];
    drop(store);
    for _ in 0..5 {
        mark_restored(&into).unwrap();
        seen.push(open(&into).head().unwrap().incarnation);
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    let report = open(&into).verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.incarnations, 7);
}

#[test]
fn a_newer_journal_and_a_broken_one_are_refused_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append_blocking(vec![marked("a")]).unwrap();
    let database = dir.path().join("journal.db");
    sqlite::open(&database).unwrap().execute("PRAGMA user_version=99").unwrap();
    let problem = Store::open(dir.path(), signer(1)).unwrap_err();
    assert!(problem.what.contains("newer Meshwork") && problem.next.is_some(), "{problem}");

    fs::write(&database, "this was a journal").unwrap();
    let problem = Store::open(dir.path(), signer(1)).unwrap_err();
    assert!(problem.what.contains("damaged") && problem.next.unwrap().contains("restore"));
    assert_eq!(fs::read(&database).unwrap(), b"this was a journal");
}
