#![allow(clippy::unwrap_used)]
use super::*;
use crate::gossip::tests::{announcement, key, sealed};

const AT: Timestamp = Timestamp(1_800_000_000_000);

/// Of the device of seed 9, in an org that also has those of seeds 1 and 2.
fn ledger() -> Ledger {
    let members = [1, 2, 9].map(|seed| key(seed).did());
    let member = Arc::new(move |did: &Did| members.contains(did));
    Ledger::new("crew".parse().unwrap(), key(9).did(), member, Arc::default())
}

fn value(about: u8, generation: u64, version: Version, text: String) -> Value {
    Value { id: ChitchatId::new(key(about).did().as_str(), generation, ([127, 0, 0, 1], 1).into()), version, text }
}

fn number(ledger: &Ledger, of: u8) -> Option<u64> {
    ledger.heard.get(&key(of).did()).map(|heard| heard.announcement.number)
}

#[test]
fn only_what_a_device_signed_of_itself_for_this_org_is_believed() {
    let mut ledger = ledger();
    let mut other_org = announcement(&key(1), 1);
    other_org.org = "other".parse().unwrap();
    let forged = [
        String::new(),
        "{}".to_owned(),
        sealed(&key(2), &announcement(&key(1), 1)),
        sealed(&key(2), &announcement(&key(2), 1)),
        sealed(&key(1), &announcement(&key(2), 1)),
        sealed(&key(1), &other_org),
        "x".repeat(limits::ANNOUNCEMENT_JSON_BYTES_MAX + 1),
    ];
    for (version, text) in (1..).zip(forged) {
        ledger.judge(value(1, 1, version, text), AT);
        assert_eq!(ledger.counters.dropped().forged, version);
    }
    assert_eq!(ledger.picture(), None);
    ledger.judge(value(1, 1, 99, sealed(&key(1), &announcement(&key(1), 1))), AT);
    assert_eq!(ledger.picture().unwrap().len(), 1);
    assert_eq!(ledger.picture(), None);
    // A stranger's is not counted: it was a member until a moment ago, or will be.
    ledger.judge(value(3, 1, 1, sealed(&key(3), &announcement(&key(3), 1))), AT);
    assert_eq!((ledger.picture(), ledger.counters.dropped().forged), (None, 7));
}

#[test]
fn whose_key_two_processes_use_is_known_also_of_this_device_itself() {
    let mut ledger = ledger();
    for about in [1, 9] {
        // Each was made long after both had begun.
        let said = |started, number| Announcement { started: Timestamp(started), ..announcement(&key(about), number) };
        for version in 1..=6 {
            ledger.judge(value(about, 1, version, sealed(&key(about), &said(1, 2 * version))), AT);
            ledger.judge(value(about, 2, version, sealed(&key(about), &said(2, 2 * version + 1))), AT);
            // What is signed by another one says nothing.
            ledger.judge(value(2, version, 1, sealed(&key(1), &said(version.cast_signed(), version))), AT);
        }
    }
    let doubles: Vec<Did> = ledger.doubles().at(AT).into_keys().collect();
    assert!(doubles.len() == 2 && [1, 9].iter().all(|about| doubles.contains(&key(*about).did())), "{doubles:?}");
    assert_eq!(number(&ledger, 9), None, "it is not one of the others");
    ledger.member = Arc::new(|_: &Did| false);
    ledger.settle(&BTreeSet::new(), AT, Judges::All);
    assert!(ledger.doubles().at(AT).is_empty());
}

#[test]
fn a_lower_number_is_ignored_in_whatever_generation_it_comes() {
    let mut ledger = ledger();
    let text = |number| sealed(&key(1), &announcement(&key(1), number));
    ledger.judge(value(1, 1, 1, text(5)), AT);
    ledger.judge(value(1, 2, 1, text(4)), AT);
    assert_eq!((number(&ledger, 1), ledger.counters.dropped().outdated), (Some(5), 1));
    ledger.judge(value(1, 1, 2, text(6)), AT);
    assert_eq!((number(&ledger, 1), ledger.counters.dropped().outdated), (Some(6), 1));
}

#[test]
fn who_falls_silent_stays_suspected_for_a_day_and_who_is_a_member_no_more_goes_at_once() {
    let mut ledger = ledger();
    let live = BTreeSet::from([Arc::from(key(1).did().as_str())]);
    ledger.judge(value(1, 1, 1, sealed(&key(1), &announcement(&key(1), 1))), AT);
    ledger.settle(&live, AT, Judges::All);
    let heard = |ledger: &mut Ledger| ledger.picture().map(|all| all.values().next().map(|heard| (heard.live, heard.changed_at)));
    assert_eq!(heard(&mut ledger), Some(Some((true, AT))));
    // One that was held up itself sees silence everywhere.
    ledger.settle(&BTreeSet::new(), AT, Judges::Live);
    assert_eq!(heard(&mut ledger), None);
    let later = AT.plus_ms(5);
    ledger.settle(&BTreeSet::new(), later, Judges::All);
    assert_eq!(heard(&mut ledger), Some(Some((false, later))));
    let day_ms = limits::SILENT_MAX_MS.unsigned_abs();
    ledger.settle(&BTreeSet::new(), later.plus_ms(day_ms), Judges::All);
    assert_eq!(heard(&mut ledger), None);
    ledger.settle(&BTreeSet::new(), later.plus_ms(day_ms + 1), Judges::All);
    assert_eq!(heard(&mut ledger), Some(None));

    ledger.judge(value(1, 2, 1, sealed(&key(1), &announcement(&key(1), 2))), AT);
    ledger.member = Arc::new(|_: &Did| false);
    ledger.settle(&live, AT, Judges::All);
    assert_eq!(heard(&mut ledger), Some(None));
}
