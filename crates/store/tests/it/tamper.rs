use crate::support::*;
use domain::{
    Hash, Timestamp,
    event::{Body, Event, Told},
};
use sqlite::{Connection, State};
use std::{fs, path::Path};
use store::{Bad, Seq, mark_restored};
use testkit::Random;

/// Twelve events in six signed groups and two incarnations; the second begins with event 7.
fn journal(dir: &Path) {
    let store = open(dir);
    for n in 0..3 {
        store.append_blocking(vec![marked(&format!("first {n}")), marked("x")]).unwrap();
    }
    drop(store);
    mark_restored(dir).unwrap();
    let store = open(dir);
    store.append_blocking(vec![marked("second")]).unwrap();
    for n in 0..2 {
        store.append_blocking(vec![marked(&format!("third {n}")), marked("x")]).unwrap();
    }
    assert_eq!(store.head().unwrap().seq, Seq(12));
    assert!(store.verify().unwrap().is_sound());
}

/// What a check of the chain alone says after somebody changed the file.
fn after(tamper: impl FnOnce(&Connection)) -> Option<Bad> {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    tamper(&sqlite::open(dir.path().join("journal.db")).unwrap());
    fs::remove_file(dir.path().join("journal.head")).unwrap();
    open(dir.path()).verify().unwrap().bad
}

fn after_sql(sql: &str) -> Option<Bad> {
    after(|database| {
        database.execute(sql).unwrap();
        assert!(database.total_change_count() > 0, "{sql}");
    })
}

fn assert_bad(bad: Option<Bad>, seq: u64, why: &str, case: &str) {
    let bad = bad.unwrap_or_else(|| panic!("not noticed: {case}"));
    assert_eq!(bad.seq, Seq(seq), "{case}: {bad:?}");
    assert!(bad.why.contains(why), "{case}: {bad:?}");
}

#[test]
fn nothing_is_said_of_a_sound_journal() {
    assert_eq!(after(|_| {}), None);
}

#[test]
fn every_flipped_bit_of_an_event_or_a_signature_is_found_where_it_is() {
    let mut random = Random::seeded("STORE_SEED");
    let columns =
        [("event", "payload", "content"), ("event", "hash", "hash"), ("event", "previous", "follow"), ("head", "signature", "signature")];
    for (table, column, why) in columns {
        for seq in (1..=12).filter(|seq| table == "event" || [2, 4, 6, 7, 8, 10, 12].contains(seq)) {
            let bad = after(|database| {
                let mut row = database.prepare(format!("SELECT {column} FROM {table} WHERE seq={seq}")).unwrap();
                assert_eq!(row.next().unwrap(), State::Row);
                let mut bytes: Vec<u8> = row.read(0).unwrap();
                let at = random.below(bytes.len() as u64) as usize;
                // Bit 0 keeps ASCII text within ASCII, so that the payload stays text.
                bytes[at] ^= 1;
                let mut change = database.prepare(format!("UPDATE {table} SET {column}=? WHERE seq={seq}")).unwrap();
                match column {
                    "payload" => change.bind((1, std::str::from_utf8(&bytes).unwrap())).unwrap(),
                    _ => change.bind((1, &bytes[..])).unwrap(),
                }
                change.next().unwrap();
            });
            assert_bad(bad, seq, why, &format!("{table}.{column} of {seq}"));
        }
    }
}

#[test]
fn removed_moved_and_added_rows_are_found() {
    let swap = "UPDATE event SET seq=-seq WHERE seq IN (3, 5); UPDATE event SET seq=CASE seq WHEN -3 THEN 5 ELSE 3 END WHERE seq<0;";
    let cases = [
        ("DELETE FROM event WHERE seq=1", 1, "missing"),
        ("DELETE FROM event WHERE seq=5", 5, "missing"),
        ("DELETE FROM event WHERE seq=12", 12, "not there"),
        ("DELETE FROM event WHERE seq>=11", 12, "not there"),
        ("DELETE FROM event WHERE seq=12; DELETE FROM head WHERE seq=12", 11, "not signed"),
        (swap, 3, "follow"),
        ("UPDATE event SET seq=13 WHERE seq=12", 12, "missing"),
        (
            "INSERT INTO event(seq, incarnation, previous, hash, payload) SELECT 13, incarnation, previous, hash, payload FROM event WHERE seq=12",
            13,
            "follow",
        ),
        ("DELETE FROM head WHERE seq=12", 12, "not signed"),
        ("DELETE FROM head WHERE seq=6", 6, "not signed"),
        ("UPDATE head SET seq=5 WHERE seq=6", 5, "signature"),
        ("INSERT INTO head SELECT 99, signature FROM head WHERE seq=12", 99, "not there"),
    ];
    for (sql, seq, why) in cases {
        assert_bad(after_sql(sql), seq, why, sql);
    }
}

#[test]
fn changed_incarnations_are_found() {
    let second = "(SELECT max(number) FROM incarnation)";
    let cases = [
        ("UPDATE event SET incarnation=1 WHERE seq=9".to_owned(), 9, "incarnation"),
        (format!("UPDATE incarnation SET after_hash=zeroblob(32) WHERE number={second}"), 7, "another event"),
        (format!("UPDATE incarnation SET after_seq=5 WHERE number={second}"), 5, "not signed"),
        (format!("UPDATE incarnation SET after_seq=4 WHERE number={second}"), 5, "another event"),
        (format!("UPDATE incarnation SET after_seq=20 WHERE number={second}"), 7, "incarnation"),
        (format!("UPDATE incarnation SET number=number+1 WHERE number={second}"), 7, "incarnation"),
        (format!("DELETE FROM incarnation WHERE number<{second}"), 1, "incarnation"),
    ];
    for (sql, seq, why) in cases {
        assert_bad(after_sql(&sql), seq, why, &sql);
    }
}

#[test]
fn a_journal_written_anew_by_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    // All incarnations in the name of another key: opening already sees it, and so does a check after only the old one.
    let database = sqlite::open(dir.path().join("journal.db")).unwrap();
    let other = signer(2).device;
    database.execute(format!("UPDATE incarnation SET device='{other}' WHERE number=(SELECT min(number) FROM incarnation)")).unwrap();
    let bad = open(dir.path()).verify().unwrap().bad;
    assert_bad(bad, 1, "another device", "first incarnation");
    database.execute(format!("UPDATE incarnation SET device='{other}'")).unwrap();
    assert!(store::Store::open(dir.path(), signer(1)).unwrap_err().what.contains("another device"));
}

#[test]
fn blobs_that_events_name_are_looked_at_and_erased_ones_are_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let kept: Vec<Hash> =
        ["whole", "altered", "missing", "erased", "theirs"].iter().map(|text| store.blobs().put(text.as_bytes()).unwrap()).collect();
    let naming = |order: u64, text: &Hash| event(Body::MessageSent { run: run_id(1), order, text: text.clone() });
    let mut events: Vec<Event> = (1..).zip(&kept).map(|(order, text)| naming(order, text)).collect();
    // What another device told of lies there.
    events[4].told = Some(Told { device: signer(2).device, seq: 7, heard_at: Timestamp(1) });
    store.append_blocking(events).unwrap();
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.blobs, 5);

    let file = |hash: &Hash| store.blobs().dir().join(&hash.as_str()[..2]).join(hash.as_str());
    fs::write(file(&kept[1]), "ALTERED").unwrap();
    fs::remove_file(file(&kept[2])).unwrap();
    store.blobs().erase(&kept[3]).unwrap();
    fs::remove_file(file(&kept[4])).unwrap();
    let report = store.verify().unwrap();
    assert!(!report.is_sound() && report.bad.is_none(), "{report:?}");
    assert_eq!((report.blobs, report.more_bad_blobs), (1, 0));
    let bad: Vec<_> = report.bad_blobs.iter().map(|bad| (bad.seq, &bad.hash)).collect();
    assert_eq!(bad, [(Seq(2), &kept[1]), (Seq(3), &kept[2])]);
    assert!(report.bad_blobs[0].why.contains("does not fit") && report.bad_blobs[1].why.contains("missing"), "{report:?}");
}
