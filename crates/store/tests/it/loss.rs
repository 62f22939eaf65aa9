//! Journals that lost events and are sound in themselves: only the remembered head tells.

use crate::support::*;
use domain::{Kind, Problem, event::Body};
use sqlite::State;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use store::{Seq, Store, accept_loss, mark_restored};

/// How long a condition may take to become true.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many events the child writes: few enough to be done long before its log is taken over.
const EVENTS: u64 = 40;

/// A closed journal of so many events, each in a group of its own.
fn journal(dir: &Path, events: u64) {
    let store = open(dir);
    for n in 0..events {
        store.append_blocking(vec![marked(&format!("{n}"))]).unwrap();
    }
}

/// Takes the newest events and their heads away, as if they had never been.
fn cut_off(dir: &Path, events: u64) {
    let database = sqlite::open(dir.join("journal.db")).unwrap();
    for table in ["event", "head"] {
        database.execute(format!("DELETE FROM {table} WHERE seq > (SELECT max(seq) FROM {table}) - {events}")).unwrap();
    }
}

fn refusal(dir: &Path) -> Problem {
    Store::open(dir, signer(1)).map(|_| ()).unwrap_err()
}

/// That opening is refused with so many missing events, and the way on.
fn assert_missing(dir: &Path, events: u64) {
    let problem = refusal(dir);
    assert_eq!(problem.kind, Kind::Conflict, "{problem}");
    assert!(problem.what.contains(&format!("{events} events or more are missing")), "{problem}");
    let next = problem.next.unwrap();
    assert!(next.contains("meshwork restore") && next.contains("accept-loss"), "{next}");
}

/// Waits until the file is there and fits.
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn remembered_seq(dir: &Path) -> u64 {
    let head: Option<serde_json::Value> = fs::read(dir.join("journal.head")).ok().and_then(|b| serde_json::from_slice(&b).ok());
    head.and_then(|head| head["seq"].as_u64()).unwrap_or(0)
}

#[test]
fn a_journal_whose_newest_events_were_removed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 150);
    cut_off(dir.path(), 100);
    assert_missing(dir.path(), 100);
    assert_missing(dir.path(), 100);
}

#[test]
fn a_journal_that_lost_events_is_not_projected_anew_before_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 7);
    cut_off(dir.path(), 2);
    sqlite::open(dir.path().join("journal.db")).unwrap().execute("UPDATE projected_by SET version=99").unwrap();
    assert_missing(dir.path(), 2);
    assert_eq!(projected_by(dir.path()), 99);
}

#[test]
fn a_check_sees_what_was_removed_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 20);
    let store = open(dir.path());
    cut_off(dir.path(), 5);
    let bad = store.verify().unwrap().bad.unwrap();
    assert_eq!(bad.seq, Seq(16), "{bad:?}");
    assert!(bad.why.contains("5 events or more are missing"), "{bad:?}");
}

#[test]
fn a_journal_that_is_gone_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 7);
    fs::remove_file(dir.path().join("journal.db")).unwrap();
    assert_missing(dir.path(), 7);
    assert_missing(dir.path(), 7);
}

#[test]
fn an_older_copy_that_went_on_by_itself_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    journal(&old, 3);
    fs::create_dir(&new).unwrap();
    fs::copy(old.join("journal.db"), new.join("journal.db")).unwrap();
    journal(&old, 2);
    // Five events in both, but others.
    for n in 0..2 {
        open(&new).append_blocking(vec![marked(&format!("other {n}"))]).unwrap();
    }
    fs::copy(new.join("journal.db"), old.join("journal.db")).unwrap();
    let problem = refusal(&old);
    assert!(problem.what.contains("event 5 is not the one that was signed"), "{problem}");
}

#[test]
fn a_loss_that_is_accepted_goes_on_as_a_new_incarnation() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 10);
    let before = open(dir.path()).head().unwrap();
    assert_eq!(accept_loss(dir.path()).unwrap_err().kind, Kind::Conflict, "nothing is missing");
    assert_eq!(open(dir.path()).head().unwrap(), before, "and nothing was changed");

    cut_off(dir.path(), 4);
    accept_loss(dir.path()).unwrap();
    let store = open(dir.path());
    let events = store.events(Seq(6), 9).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.body, Body::Restored);
    assert!(events[0].incarnation > before.incarnation);
    assert!(store.verify().unwrap().is_sound());
    let head = store.head().unwrap();
    drop(store);
    assert_eq!(open(dir.path()).head().unwrap(), head, "it counts once");
}

#[test]
fn a_restored_backup_is_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("journal.backup");
    let into = dir.path().join("store");
    journal(&into, 3);
    open(&into).snapshot(&backup).unwrap();
    journal(&into, 5);
    fs::copy(&backup, into.join("journal.db")).unwrap();
    assert_missing(&into, 5);
    mark_restored(&into).unwrap();
    let store = open(&into);
    assert_eq!(store.head().unwrap().seq, Seq(4));
    assert!(store.verify().unwrap().is_sound());
}

#[test]
fn a_remembered_head_that_is_damaged_or_of_another_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), 3);
    let head = dir.path().join("journal.head");
    let forged = fs::read_to_string(&head).unwrap().replace("\"seq\":3", "\"seq\":9");
    for text in ["", "{}", forged.as_str()] {
        fs::write(&head, text).unwrap();
        let store = open(dir.path());
        assert!(store.verify().unwrap().is_sound(), "{text}");
        let seq = store.append_blocking(vec![marked("more")]).unwrap();
        drop(store);
        assert_eq!(remembered_seq(dir.path()), seq.0, "{text}");
    }
}

#[test]
fn what_was_written_is_soon_remembered_and_in_the_database_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..5 {
        store.append_blocking(vec![marked(&format!("{n}"))]).unwrap();
    }
    until("the head is remembered", || remembered_seq(dir.path()) == 5);
    let log = dir.path().join("journal.db-wal");
    until("the log is empty", || fs::metadata(&log).is_ok_and(|found| found.len() == 0));
    // The file alone, as a copy of it would be.
    let copy = dir.path().join("copy.db");
    fs::copy(dir.path().join("journal.db"), &copy).unwrap();
    let database = sqlite::open(&copy).unwrap();
    let mut rows = database.prepare("SELECT count(*) FROM event").unwrap();
    assert_eq!(rows.next().unwrap(), State::Row);
    assert_eq!(rows.read::<i64, _>(0).unwrap(), 5);
}

#[test]
fn one_bad_byte_in_the_log_after_a_kill_is_no_sound_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Guarded(child(&[], "loss::writing_child").env("STORE_DIR", dir.path()).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("WRITTEN")), "the child ended by itself");
    // Before the log is taken over.
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let log = dir.path().join("journal.db-wal");
    let mut bytes = fs::read(&log).unwrap();
    let written = remembered_seq(dir.path());
    assert!(bytes.len() > 100_000 && written == EVENTS, "{} bytes, {written} events", bytes.len());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, &bytes).unwrap();

    let problem = refusal(dir.path());
    assert!(problem.what.contains("are missing: the journal was damaged"), "{problem}");
    assert_eq!(fs::read(dir.path().join("journal.db-wal.damaged")).unwrap(), bytes, "the log is kept");
    assert!(refusal(dir.path()).what.contains("are missing"), "and stays refused");
    accept_loss(dir.path()).unwrap();
    let store = open(dir.path());
    assert!(store.verify().unwrap().is_sound());
    assert!(store.head().unwrap().seq.0 < written);
}

#[test]
#[ignore = "the child of the test above"]
fn writing_child() {
    let Some(dir) = told("STORE_DIR") else { return };
    let (dir, text) = (Path::new(&dir), "x".repeat(20_000));
    let store = open(dir);
    for _ in 0..EVENTS {
        store.append_blocking(vec![marked(&text)]).unwrap();
    }
    // No head is remembered twice within a second.
    until("the head is remembered", || remembered_seq(dir) == EVENTS);
    println!("\nWRITTEN");
    std::thread::park_timeout(PATIENCE);
}
