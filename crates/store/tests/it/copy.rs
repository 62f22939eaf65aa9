use crate::support::*;
use domain::{
    Timestamp,
    event::{Body, Event, kind},
    run::Run,
    task::Claim,
};
use identity::Key;
use sqlite::{Connection, State};
use std::{fs, path::Path};
use store::{JournalCopy, Piece, Point, Refused, Seq, Store, limits::COPIES_ASIDE_MAX, mark_restored};
use testkit::Random;

pub const SOME: usize = 1 << 20;

pub fn copy(dir: &Path) -> JournalCopy {
    JournalCopy::open(dir, &me()).unwrap()
}

/// Takes all over that is not there yet, so many bytes at once.
pub fn catch_up(from: &Store, to: &JournalCopy, bytes: usize) -> Result<(), Refused> {
    loop {
        let mut group = vec![];
        let mut at = to.point();
        while group.last().is_none_or(|last: &Piece| last.signature.is_empty()) {
            let pieces = from.pieces(at, bytes).unwrap();
            let Some(last) = pieces.last() else { return Ok(()) };
            at = last.end();
            group.extend(pieces);
        }
        to.append(&group)?;
    }
}

/// What is projected, as the table has it.
fn projected(dir: &Path) -> Vec<(String, String, String, i64, i64)> {
    let database = sqlite::open(dir.join("journal.db")).unwrap();
    let mut rows = database.prepare("SELECT kind, id, value, first_seq, last_seq FROM projected ORDER BY kind, id").unwrap();
    let mut all = vec![];
    while let State::Row = rows.next().unwrap() {
        all.push((rows.read(0).unwrap(), rows.read(1).unwrap(), rows.read(2).unwrap(), rows.read(3).unwrap(), rows.read(4).unwrap()));
    }
    all
}

/// A journal with runs and a claim, in several groups.
fn journal(dir: &Path) -> Store {
    let store = open(dir);
    store.append_blocking(vec![queued(1, &task(1)), stopped(1, "a")]).unwrap();
    store.append_blocking(vec![queued(2, &task(1))]).unwrap();
    store.append_blocking(vec![stopped(2, "b"), stopped(1, "c"), marked("x")]).unwrap();
    store
}

/// A folder for a journal, and one for its copy.
fn folders() -> (tempfile::TempDir, tempfile::TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

#[test]
fn a_copy_is_the_journal_with_the_same_picture_and_goes_on_after_reopening() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    let mut told = taken.watch();
    // One byte at once: groups come in pieces.
    catch_up(&store, &taken, 1).unwrap();
    assert!(told.has_changed().unwrap() && *told.borrow_and_update() == taken.point());
    assert_eq!(taken.head().unwrap().as_ref(), Some(&store.head().unwrap()));
    assert_eq!(taken.events(Seq(0), 100).unwrap(), store.events(Seq(0), 100).unwrap());
    assert_eq!(projected(here.path()), projected(there.path()));
    let report = taken.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.events, report.signatures, report.incarnations), (6, 3, 1));
    let (seq, run) = taken.get_numbered::<Run>(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!((seq, run.violations), (Seq(5), vec!["a".to_owned(), "c".into()]));

    drop(taken);
    store.append_blocking(vec![stopped(2, "d")]).unwrap();
    let taken = copy(here.path());
    assert_eq!(taken.point().seq, Seq(6));
    catch_up(&store, &taken, SOME).unwrap();
    assert_eq!(projected(here.path()), projected(there.path()));
    // A copy gives what it got, just as it got it.
    let further = tempfile::tempdir().unwrap();
    let second = copy(further.path());
    second.append(&taken.pieces(Point::default(), SOME).unwrap()).unwrap();
    assert_eq!(second.head().unwrap(), taken.head().unwrap());
    let claims: Vec<(Seq, Claim)> = second.list_numbered(kind::CLAIM, 9).unwrap();
    assert_eq!(claims[0].1.runs, [run_id(1), run_id(2)]);
}

#[test]
fn a_summary_tells_the_newest_first_and_names_the_event_to_which_the_copy_must_lead() {
    let (there, here) = folders();
    let store = journal(there.path());
    let (head, rows) = store.summary(&[kind::CLAIM, kind::RUN], SOME).unwrap();
    assert_eq!(head, store.head().unwrap());
    let named: Vec<(&str, &str, u64)> = rows.iter().map(|row| (row.kind.as_str(), row.id.as_str(), row.seq)).collect();
    let (first, second, claimed) = (run_id(1), run_id(2), task(1).to_string());
    assert_eq!(named[0].0, kind::CLAIM);
    assert_eq!(named[0].1, claimed);
    assert_eq!(named[1..], [(kind::RUN, second.as_str(), 4), (kind::RUN, first.as_str(), 5)]);
    let run: Run = serde_json::from_value(rows[2].value.clone()).unwrap();
    assert_eq!(run.violations, ["a", "c"]);
    // What does not fit is left out, from the end.
    let (_, fewer) = store.summary(&[kind::CLAIM, kind::RUN], serde_json::to_vec(&rows[..1]).unwrap().len() + 64).unwrap();
    assert_eq!(fewer, rows[..1]);

    let taken = copy(here.path());
    assert_eq!(taken.hash_at(head.point()).unwrap(), None);
    catch_up(&store, &taken, SOME).unwrap();
    assert_eq!(taken.hash_at(head.point()).unwrap(), Some(head.hash));
    let elsewhere = Point { incarnation: taken.point().incarnation + 1, ..taken.point() };
    assert_eq!(taken.hash_at(elsewhere).unwrap(), None);
}

#[test]
fn every_byte_that_is_changed_on_the_way_is_noticed_and_nothing_of_it_is_written() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    let whole = store.pieces(Point::default(), SOME).unwrap();
    taken.append(&whole[..1]).unwrap();
    let good = taken.point();
    let mut random = Random::seeded("STORE_SEED");
    for round in 0..60 {
        let mut sent = whole[1..].to_vec();
        let piece = &mut sent[0];
        match round % 5 {
            0 => {
                let payload = &mut piece.payloads[0];
                let at = random.below(payload.len() as u64) as usize;
                payload[at] ^= 1;
            }
            1 => piece.signature[random.below(64) as usize] ^= 1u8 << random.below(8),
            2 => piece.previous[random.below(32) as usize] ^= 1u8 << random.below(8),
            3 => piece.incarnation.number += 1,
            _ => piece.first = Seq(piece.first.0 + 1),
        }
        let refused = taken.append(&sent).unwrap_err();
        assert!(matches!(refused, Refused::Forged(_)), "round {round}: {refused}");
        assert_eq!(taken.point(), good, "round {round}");
    }
    taken.append(&whole[1..]).unwrap();
    assert!(taken.verify().unwrap().is_sound());
}

#[test]
fn what_comes_before_the_first_wrong_group_is_kept() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    let mut sent = store.pieces(Point::default(), SOME).unwrap();
    sent[1].signature[0] ^= 1;
    assert!(matches!(taken.append(&sent), Err(Refused::Forged(_))));
    assert_eq!(taken.point().seq, Seq(2));
    catch_up(&store, &taken, SOME).unwrap();
    assert_eq!(taken.point(), store.head().unwrap().point());
}

#[test]
fn gaps_halves_repetitions_and_journals_of_others_are_refused() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    let whole = store.pieces(Point::default(), SOME).unwrap();
    assert!(matches!(taken.append(&whole[1..]), Err(Refused::OutOfPlace(_))), "a gap");
    let mut half = whole[0].clone();
    half.signature.clear();
    assert!(matches!(taken.append(&[half]), Err(Refused::OutOfPlace(_))), "a group without its signature");
    assert_eq!(taken.point(), Point::default());
    taken.append(&whole).unwrap();
    assert!(matches!(taken.append(&whole[2..]), Err(Refused::OutOfPlace(_))), "the same again");

    // Of another device: under its own key, and with the key of the one whose it is said to be.
    let (elsewhere, other) = folders();
    let theirs = Store::open(elsewhere.path(), signer(2)).unwrap();
    theirs.append_blocking(vec![marked("y")]).unwrap();
    let sent = theirs.pieces(Point::default(), SOME).unwrap();
    assert!(matches!(copy(other.path()).append(&sent), Err(Refused::Forged(_))));
    drop(taken);
    assert!(JournalCopy::open(here.path(), &signer(2).device).unwrap_err().what.contains("another device"));
}

#[test]
fn a_device_that_signs_two_journals_is_told_from_one_who_forges_and_the_copy_stands() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    catch_up(&store, &taken, SOME).unwrap();
    drop(store);
    // Put back to an earlier moment behind the journal's back: it goes on under the same numbers.
    let database = sqlite::open(there.path().join("journal.db")).unwrap();
    database.execute("DELETE FROM event WHERE seq>2; DELETE FROM head WHERE seq>2; DELETE FROM projected;").unwrap();
    drop(database);
    fs::remove_file(there.path().join("journal.head")).unwrap();
    let store = open(there.path());
    store.append_blocking(vec![marked("other")]).unwrap();
    assert_eq!(catch_up(&store, &taken, SOME), Ok(()), "nothing new under these numbers");
    let at_two = Point { seq: Seq(2), ..taken.point() };
    assert!(matches!(taken.append(&store.pieces(at_two, SOME).unwrap()), Err(Refused::OutOfPlace(_))));
    store.append_blocking(["more"; 3].map(marked).to_vec()).unwrap();
    store.append_blocking(vec![marked("and more")]).unwrap();
    let good = taken.point();
    let forked = catch_up(&store, &taken, SOME).unwrap_err();
    assert!(matches!(forked, Refused::Forked { seq: Seq(6), .. }), "{forked}");
    assert_eq!(taken.point(), good);
    assert!(taken.verify().unwrap().is_sound());
}

#[test]
fn two_journals_of_one_length_are_found_by_the_last_event_of_the_other() {
    let (there, here) = folders();
    let store = journal(there.path());
    let elsewhere = tempfile::tempdir().unwrap();
    store.snapshot(&elsewhere.path().join("journal.db")).unwrap();
    let other = open(elsewhere.path());
    store.append_blocking(vec![marked("one"), marked("one")]).unwrap();
    other.append_blocking(vec![marked("two"), marked("two")]).unwrap();
    let taken = copy(here.path());
    catch_up(&store, &taken, SOME).unwrap();
    assert_eq!(taken.point(), other.head().unwrap().point());
    assert_eq!(catch_up(&other, &taken, SOME), Ok(()), "nothing new under these numbers");

    // In the midst of their last groups: the signature holds for the rest of each.
    let at_seven = Point { seq: Seq(7), ..taken.point() };
    let last = |of: &Store| of.pieces(at_seven, SOME).unwrap();
    assert_eq!(taken.compare(&last(&store)), Ok(()));
    assert!(matches!(taken.compare(&last(&other)), Err(Refused::Forked { seq: Seq(8), .. })));
    let mut forged = last(&other);
    forged[0].signature[0] ^= 1;
    assert!(matches!(taken.compare(&forged), Err(Refused::Forged(_))), "whoever sent it lies");
    // What has not come yet is nothing else.
    other.append_blocking(vec![marked("more")]).unwrap();
    assert_eq!(taken.compare(&last(&other)[1..]), Ok(()));
}

/// A journal in a folder that goes on in two ways, by these groups of events: the copies of both.
fn two_lines(dir: &Path, one: &[&[&str]], other: &[&[&str]]) -> [JournalCopy; 2] {
    let [first, second] = ["first", "second"].map(|name| dir.join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let store = journal(&first);
    store.snapshot(&second.join("journal.db")).unwrap();
    [(store, one, "copy"), (open(&second), other, "other")].map(|(store, groups, name)| {
        for texts in groups {
            store.append_blocking(texts.iter().map(|text| marked(text)).collect()).unwrap();
        }
        let copied = copy(&dir.join(name));
        catch_up(&store, &copied, SOME).unwrap();
        copied
    })
}

#[test]
fn whoever_has_one_line_of_a_journal_and_whoever_has_the_other_come_to_the_same() {
    let longer: &[&[&str]] = &[&["both", "there"], &["more"]];
    // They part in the midst of a group here, and there; and two are of one length.
    type Line<'a> = &'a [&'a [&'a str]];
    let cases: [(Line<'_>, Line<'_>); 3] =
        [(&[&["both", "here"]], longer), (longer, &[&["both"], &["here"]]), (&[&["here"]], &[&["there"]])];
    for (one, other) in cases {
        let dir = tempfile::tempdir().unwrap();
        let copies = two_lines(dir.path(), one, other);
        let ends = copies.each_ref().map(|copied| copied.head().unwrap().unwrap());
        let counts = ends.iter().max_by_key(|end| (end.point(), end.hash.to_string())).unwrap();
        let went = [copies[0].go_over(&copies[1]).unwrap(), copies[1].go_over(&copies[0]).unwrap()];
        assert_eq!(went, ends.each_ref().map(|end| end != counts), "who has the other one goes over");
        let late = copy(&dir.path().join("late"));
        assert!(late.go_over(&copies[0]).unwrap() && !late.go_over(&copies[1]).unwrap());
        for copied in copies.iter().chain([&late]) {
            assert_eq!(copied.head().unwrap().as_ref(), Some(counts));
            assert!(copied.verify().unwrap().is_sound());
            assert_eq!(projected(copied.dir()), projected(late.dir()));
        }
        let aside = copies.each_ref().map(|copied| copied.dir().join("replaced-0.db").exists());
        assert_eq!(aside, went, "the line that was left is kept");
    }
}

/// A store that goes on from an older copy of its folder's database, as a restore does.
fn restored(dir: &Path, backup: &Path) -> Store {
    for companion in ["journal.db-wal", "journal.db-shm", "journal.head"] {
        let _ = fs::remove_file(dir.join(companion));
    }
    fs::copy(backup, dir.join("journal.db")).unwrap();
    mark_restored(dir).unwrap();
    open(dir)
}

#[test]
fn a_restored_journal_is_followed_as_another_incarnation_and_the_one_before_is_kept() {
    let (there, here) = folders();
    let backups = tempfile::tempdir().unwrap();
    let backup = backups.path().join("journal.db");
    let store = journal(there.path());
    store.snapshot(&backup).unwrap();
    store.append_blocking(vec![queued(3, &task(2)), stopped(1, "lost")]).unwrap();
    let (taken, behind) = (copy(here.path()), tempfile::tempdir().unwrap());
    let late = copy(behind.path());
    catch_up(&store, &taken, SOME).unwrap();
    late.append(&store.pieces(Point::default(), SOME).unwrap()[..2]).unwrap();
    drop(store);

    let store = restored(there.path(), &backup);
    store.append_blocking(vec![queued(4, &task(3))]).unwrap();
    for (one, dir) in [(&taken, &here), (&late, &behind)] {
        catch_up(&store, one, SOME).unwrap();
        assert_eq!(one.head().unwrap().as_ref(), Some(&store.head().unwrap()));
        assert_eq!(projected(dir.path()), projected(there.path()));
        let report = one.verify().unwrap();
        assert!(report.is_sound() && report.incarnations == 2, "{report:?}");
    }
    assert!(here.path().join("replaced-0.db").exists() && !behind.path().join("replaced-0.db").exists());
    assert_eq!((taken.places_aside() + 1, late.places_aside()), (COPIES_ASIDE_MAX, COPIES_ASIDE_MAX));
    let kept = Connection::open(here.path().join("replaced-0.db")).unwrap();
    let mut last = kept.prepare("SELECT max(seq) FROM event").unwrap();
    last.next().unwrap();
    assert_eq!(last.read::<i64, _>(0).unwrap(), 8);

    // Once more from the same backup: the incarnation between is gone there, and here.
    drop(store);
    let store = restored(there.path(), &backup);
    assert_eq!(catch_up(&store, &taken, SOME), Ok(()));
    assert_eq!(taken.head().unwrap().as_ref(), Some(&store.head().unwrap()));
    let report = taken.verify().unwrap();
    assert!(report.is_sound() && report.incarnations == 2, "{report:?}");
}

/// An event that cannot be read here.
const ODD: &[u8] = br#"{"actor":"x","at":1,"brand":"new","type":"of_tomorrow","version":2}"#;

/// An event that follows the journal's six, as the device itself would sign it.
fn seventh(store: &Store, payload: &[u8]) -> Piece {
    let head = store.head().unwrap();
    let previous: [u8; 32] =
        Vec::from_iter((0..64).step_by(2).map(|at| u8::from_str_radix(&head.hash.as_str()[at..at + 2], 16).unwrap())).try_into().unwrap();
    let incarnation = store.pieces(Point::default(), SOME).unwrap()[0].incarnation.clone();
    let mut hasher = blake3::Hasher::new_derive_key("meshwork 2026-01 journal event");
    hasher.update(&head.incarnation.to_be_bytes()).update(&7u64.to_be_bytes()).update(&previous).update(payload);
    let text = format!("meshwork journal head 1\n{}\n", me());
    let message = [text.as_bytes(), &head.incarnation.to_be_bytes(), &7u64.to_be_bytes(), hasher.finalize().as_bytes()].concat();
    let signature = Key::from_seed(&[1; 32]).sign(&message).to_vec();
    Piece { incarnation, first: Seq(7), previous, payloads: vec![payload.to_vec()], signature }
}

#[test]
fn an_event_that_only_a_newer_meshwork_knows_is_kept_and_changes_nothing() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    catch_up(&store, &taken, SOME).unwrap();
    let before = projected(here.path());
    taken.append(&[seventh(&store, ODD)]).unwrap();
    assert_eq!((taken.point().seq, projected(here.path())), (Seq(7), before));
    assert!(taken.verify().unwrap().is_sound());
    assert_eq!(taken.events(Seq(0), 100).unwrap().len(), 6, "what can be read of it");
}

#[test]
fn a_copy_with_an_event_that_cannot_be_read_is_brought_to_another_form_all_the_same() {
    let (there, here) = folders();
    let store = journal(there.path());
    let taken = copy(here.path());
    catch_up(&store, &taken, SOME).unwrap();
    taken.append(&[seventh(&store, ODD)]).unwrap();
    let before = projected(here.path());
    drop(taken);
    testkit::age_journal(&here.path().join("journal.db"));
    assert_ne!(projected(here.path()), before);
    let taken = copy(here.path());
    assert_eq!((taken.point().seq, projected(here.path())), (Seq(7), before));
    assert!(taken.verify().unwrap().is_sound());
}

#[test]
fn what_a_build_of_another_version_projected_is_projected_anew_once() {
    let (there, here) = folders();
    let store = journal(there.path());
    catch_up(&store, &copy(here.path()), SOME).unwrap();
    drop(store);
    let sound = projected(there.path());
    let change = |dir: &Path, sql: &str| sqlite::open(dir.join("journal.db")).unwrap().execute(sql).unwrap();
    let copy_again = |dir: &Path| drop(copy(dir));
    let own_again = |dir: &Path| drop(open(dir));
    type Again<'a> = &'a dyn Fn(&Path);
    let both: [(&Path, Again<'_>); 2] = [(here.path(), &copy_again), (there.path(), &own_again)];
    for (dir, reopen) in both {
        // It knew fewer events, or more, and whatever it was: what this build makes of them counts.
        for another in
            ["UPDATE projected_by SET version=version-1", "UPDATE projected_by SET version=version+1", "DELETE FROM projected_by"]
        {
            change(dir, "DELETE FROM projected WHERE kind='run'");
            change(dir, another);
            reopen(dir);
            assert_eq!(projected(dir), sound, "{another}");
        }
        change(dir, "DELETE FROM projected WHERE kind='run'");
        reopen(dir);
        assert_ne!(projected(dir), sound, "what this very version made is left as it is");
    }
    let report = copy(here.path()).rebuild().unwrap();
    assert_eq!((report.events, report.differences), (6, 2));
    assert_eq!(projected(here.path()), sound);
}

#[test]
fn the_copy_of_another_devices_journal_is_not_projected_anew_before_it_is_refused() {
    let (there, here) = folders();
    catch_up(&journal(there.path()), &copy(here.path()), SOME).unwrap();
    sqlite::open(here.path().join("journal.db")).unwrap().execute("UPDATE projected_by SET version=99").unwrap();
    assert_eq!(JournalCopy::open(here.path(), &signer(2).device).unwrap_err().kind, domain::Kind::Conflict);
    assert_eq!(projected_by(here.path()), 99);
    copy(here.path());
    assert_ne!(projected_by(here.path()), 99);
}

#[test]
fn an_append_has_a_bound_in_bytes() {
    let (there, _) = folders();
    let large = |n: usize| -> Event {
        let text = "x".repeat(200_000);
        Event { at: Timestamp(n as i64), ..event(Body::DeviceStarted { version: text, demo: false }) }
    };
    let store = open(there.path());
    let problem = store.append_blocking((0..100).map(large).collect()).unwrap_err();
    assert_eq!(problem.kind, domain::Kind::Limit);
    store.append_blocking((0..50).map(large).collect()).unwrap();
}
