#![allow(clippy::unwrap_used)]
use super::*;
use domain::Timestamp;
use identity::Key;

const NOW_MS: i64 = 1_800_000_000_000;

fn clock(ms: i64) -> Clock {
    Arc::new(move || Timestamp(ms))
}

fn sealer(seed: u8, org: &str, ms: i64) -> Sealer {
    let key = Key::from_seed(&[seed; 32]);
    let did = key.did();
    Sealer::new(org.parse().unwrap(), &did, Arc::new(move |bytes: &[u8]| Ok(key.sign(bytes))), clock(ms)).unwrap()
}

/// Opens what the devices of seeds 1 and 2 sealed for the org `crew`.
fn opener() -> Opener {
    let members = [1, 2].map(|seed| Key::from_seed(&[seed; 32]).did());
    Opener::new("crew".parse().unwrap(), Arc::new(move |did: &Did| members.contains(did)), clock(NOW_MS))
}

fn one(sealer: &Sealer, message: &[u8]) -> Vec<u8> {
    let mut datagrams = sealer.seal(message).unwrap();
    assert_eq!(datagrams.len(), 1);
    datagrams.remove(0)
}

#[test]
fn what_a_member_sent_is_opened_once() {
    let (sealer, mut opener) = (sealer(1, "crew", NOW_MS), opener());
    for message in [&b"one"[..], b"two", b""] {
        let datagram = one(&sealer, message);
        assert_eq!(opener.open(&datagram), Ok(Some(message.to_vec())));
        assert_eq!(opener.open(&datagram), Err(Reason::Replayed));
    }
}

#[test]
fn a_changed_byte_anywhere_is_seen() {
    let datagram = one(&sealer(1, "crew", NOW_MS), b"a message");
    for at in 0..datagram.len() {
        let mut changed = datagram.clone();
        changed[at] ^= 1;
        assert!(opener().open(&changed).is_err(), "byte {at}");
    }
    for length in 0..datagram.len() {
        assert!(opener().open(&datagram[..length]).is_err(), "length {length}");
    }
    assert!(opener().open(&[&datagram[..], b"x"].concat()).is_err());
}

#[test]
fn strangers_other_orgs_other_times_and_other_versions_are_told_apart() {
    let mut opener = opener();
    let mut told = |datagram: &[u8]| opener.open(datagram).unwrap_err();
    assert_eq!(told(&one(&sealer(3, "crew", NOW_MS), b"x")), Reason::Stranger);
    assert_eq!(told(&one(&sealer(1, "other", NOW_MS), b"x")), Reason::Org);
    assert_eq!(told(&one(&sealer(1, "crew", NOW_MS - 121_000), b"x")), Reason::Stale);
    assert_eq!(told(&one(&sealer(1, "crew", NOW_MS + 121_000), b"x")), Reason::Stale);
    assert_eq!(told(&vec![0; BYTES_MAX + 1]), Reason::Oversized);
    assert_eq!(told(b"hello"), Reason::Malformed);
    let mut newer = one(&sealer(1, "crew", NOW_MS), b"x");
    newer[MAGIC.len()] = 2;
    assert_eq!(told(&newer), Reason::Version);
    let mut forged = one(&sealer(1, "crew", NOW_MS), b"x");
    let key = identity::public_key(&Key::from_seed(&[2; 32]).did()).unwrap();
    forged[MAGIC.len() + 11..][..32].copy_from_slice(&key);
    assert_eq!(told(&forged), Reason::Signature);
}

#[test]
fn clocks_may_differ_by_less_than_two_minutes() {
    for ms in [NOW_MS - 119_000, NOW_MS + 119_000] {
        assert!(opener().open(&one(&sealer(1, "crew", ms), b"x")).is_ok());
    }
}

#[test]
fn datagrams_may_overtake_each_other_but_none_older_than_all_that_are_remembered_counts() {
    let (sealer, mut opener) = (sealer(1, "crew", NOW_MS), opener());
    let (early, late) = (one(&sealer, b"early"), one(&sealer, b"late"));
    assert!(opener.open(&late).is_ok() && opener.open(&early).is_ok());
    let forgotten = one(&sealer, b"forgotten");
    for _ in 0..limits::DATAGRAMS_REMEMBERED + 1 {
        opener.open(&one(&sealer, b"x")).unwrap();
    }
    assert_eq!(opener.open(&forgotten), Err(Reason::Replayed));
    assert_eq!(opener.open(&late), Err(Reason::Replayed));
}

#[test]
fn a_large_message_comes_in_two_in_either_order() {
    let (sealer, mut opener) = (sealer(1, "crew", NOW_MS), opener());
    let message: Vec<u8> = (0..limits::MESSAGE_BYTES_MAX).map(|at| (at % 251) as u8).collect();
    for turned in [false, true] {
        let mut datagrams = sealer.seal(&message).unwrap();
        assert_eq!(datagrams.len(), 2);
        assert!(datagrams.iter().all(|datagram| datagram.len() <= BYTES_MAX));
        if turned {
            datagrams.reverse();
        }
        assert_eq!(opener.open(&datagrams[0]), Ok(None));
        assert_eq!(opener.open(&datagrams[1]), Ok(Some(message.clone())));
    }
    // Halves of two messages are not put together.
    let (first, second) = (sealer.seal(&message).unwrap(), sealer.seal(&message).unwrap());
    assert_eq!(opener.open(&first[0]), Ok(None));
    assert_eq!(opener.open(&second[1]), Ok(None));
    assert_eq!(opener.open(&second[0]), Ok(Some(message)));
}

#[test]
fn stamps_grow_while_the_clock_stands_still_and_begin_anew_where_it_was_far_ahead() {
    let time = Arc::new(AtomicU64::new(NOW_MS.unsigned_abs()));
    let told = time.clone();
    let key = Key::from_seed(&[1; 32]);
    let did = key.did();
    let clock: Clock = Arc::new(move || Timestamp(i64::try_from(told.load(Ordering::SeqCst)).unwrap()));
    let sealer = Sealer::new("crew".parse().unwrap(), &did, Arc::new(move |bytes: &[u8]| Ok(key.sign(bytes))), clock).unwrap();
    let first = sealer.stamps(1);
    assert!((1..2_000).all(|n| sealer.stamps(1) == first + n));
    time.fetch_sub(60_000, Ordering::SeqCst);
    assert!(sealer.stamps(2) > first);
    time.fetch_sub(3_600_000, Ordering::SeqCst);
    assert_eq!(sealer.stamps(1), stamp_of(NOW_MS - 3_660_000));
}

#[test]
fn who_does_not_belong_any_more_is_not_heard_any_more() {
    let member = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = member.clone();
    let mut opener = Opener::new("crew".parse().unwrap(), Arc::new(move |_: &Did| asked.load(Ordering::SeqCst)), clock(NOW_MS));
    let sealer = sealer(1, "crew", NOW_MS);
    assert!(opener.open(&one(&sealer, b"x")).is_ok());
    member.store(false, Ordering::SeqCst);
    assert_eq!(opener.open(&one(&sealer, b"x")), Err(Reason::Stranger));
    assert!(opener.senders.is_empty());
}
