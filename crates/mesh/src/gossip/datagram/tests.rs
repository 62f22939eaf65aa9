#![allow(clippy::unwrap_used)]
use super::*;
use domain::Timestamp;
use identity::{Agreement, Key};

const NOW_MS: i64 = 1_800_000_000_000;

fn clock(ms: i64) -> Clock {
    Arc::new(move || Timestamp(ms))
}

/// Of a device that sends nothing here.
fn sessions() -> Sessions {
    sessions_of(9)
}

fn sessions_of(seed: u8) -> Sessions {
    Sessions::new(Agreement::generate(Key::from_seed(&[seed; 32]).public()).unwrap())
}

fn sealer(seed: u8, org: &str, ms: i64) -> Sealer {
    sealer_with(seed, org, sessions(), clock(ms))
}

fn sealer_with(seed: u8, org: &str, sessions: Sessions, clock: Clock) -> Sealer {
    let key = Key::from_seed(&[seed; 32]);
    let did = key.did();
    Sealer::new(org.parse().unwrap(), &did, Arc::new(move |bytes: &[u8]| Ok(key.sign(bytes))), sessions, clock).unwrap()
}

/// Where the device of a seed is.
fn at(seed: u8) -> SocketAddr {
    ([127, 0, 0, seed], 1).into()
}

/// Opens what the devices of seeds 1 and 2 sealed for the org `crew`.
fn opener() -> Opener {
    opener_with(sessions(), RoundTrips::default(), NOW_MS)
}

fn opener_with(sessions: Sessions, trips: RoundTrips, ms: i64) -> Opener {
    let members = [1, 2].map(|seed| Key::from_seed(&[seed; 32]).did());
    Opener::new("crew".parse().unwrap(), Arc::new(move |did: &Did| members.contains(did)), sessions, trips, clock(ms))
}

/// The message of a datagram that the device of seed 1 sent.
fn open(opener: &mut Opener, datagram: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
    opener.open(at(1), datagram).map(|came| came.map(|came| came.message))
}

fn one(sealer: &Sealer, message: &[u8]) -> Vec<u8> {
    let mut datagrams = sealer.seal(at(9), 0, message).unwrap();
    assert_eq!(datagrams.len(), 1);
    datagrams.remove(0)
}

#[test]
fn what_a_member_sent_is_opened_once() {
    let (sealer, mut opener) = (sealer(1, "crew", NOW_MS), opener());
    for message in [&b"one"[..], b"two", b""] {
        let datagram = one(&sealer, message);
        assert_eq!(open(&mut opener, &datagram), Ok(Some(message.to_vec())));
        assert_eq!(open(&mut opener, &datagram), Err(Reason::Replayed));
    }
}

#[test]
fn a_changed_byte_anywhere_is_seen() {
    let datagram = one(&sealer(1, "crew", NOW_MS), b"a message");
    for at in 0..datagram.len() {
        let mut changed = datagram.clone();
        changed[at] ^= 1;
        assert!(open(&mut opener(), &changed).is_err(), "byte {at}");
    }
    for length in 0..datagram.len() {
        assert!(open(&mut opener(), &datagram[..length]).is_err(), "length {length}");
    }
    assert!(open(&mut opener(), &[&datagram[..], b"x"].concat()).is_err());
}

#[test]
fn strangers_other_orgs_other_times_and_other_versions_are_told_apart() {
    let mut opener = opener();
    let mut told = |datagram: &[u8]| open(&mut opener, datagram).unwrap_err();
    assert_eq!(told(&one(&sealer(3, "crew", NOW_MS), b"x")), Reason::Stranger);
    assert_eq!(told(&one(&sealer(1, "other", NOW_MS), b"x")), Reason::Org);
    assert_eq!(told(&one(&sealer(1, "crew", NOW_MS - 121_000), b"x")), Reason::Stale);
    assert_eq!(told(&one(&sealer(1, "crew", NOW_MS + 121_000), b"x")), Reason::Stale);
    assert_eq!(told(&vec![0; BYTES_MAX + 1]), Reason::Oversized);
    assert_eq!(told(b"hello"), Reason::Malformed);
    let mut older = one(&sealer(1, "crew", NOW_MS), b"x");
    older[MAGIC.len()] = 0;
    assert_eq!(told(&older), Reason::Version);
    let mut forged = one(&sealer(1, "crew", NOW_MS), b"x");
    let key = identity::public_key(&Key::from_seed(&[2; 32]).did()).unwrap();
    forged[MAGIC.len() + 20..][..32].copy_from_slice(&key);
    assert_eq!(told(&forged), Reason::Signature);
}

#[test]
fn what_a_device_of_a_newer_version_sent_is_opened() {
    let mut newer = one(&sealer(1, "crew", NOW_MS), b"from tomorrow");
    newer[MAGIC.len()] = u8::try_from(crate::VERSION + 1).unwrap();
    assert_eq!(open(&mut opener(), &newer), Err(Reason::Signature), "the version is signed too");
    let signed = newer.len() - SIGNATURE_BYTES;
    let signature = Key::from_seed(&[1; 32]).sign(&newer[..signed]);
    newer[signed..].copy_from_slice(&signature);
    assert_eq!(open(&mut opener(), &newer), Ok(Some(b"from tomorrow".to_vec())));
}

#[test]
fn clocks_may_differ_by_less_than_two_minutes() {
    for ms in [NOW_MS - 119_000, NOW_MS + 119_000] {
        assert!(open(&mut opener(), &one(&sealer(1, "crew", ms), b"x")).is_ok());
    }
}

#[test]
fn datagrams_may_overtake_each_other_but_none_older_than_all_that_are_remembered_counts() {
    let (sealer, mut opener) = (sealer(1, "crew", NOW_MS), opener());
    let (early, late) = (one(&sealer, b"early"), one(&sealer, b"late"));
    assert!(open(&mut opener, &late).is_ok() && open(&mut opener, &early).is_ok());
    let forgotten = one(&sealer, b"forgotten");
    for _ in 0..limits::DATAGRAMS_REMEMBERED + 1 {
        open(&mut opener, &one(&sealer, b"x")).unwrap();
    }
    assert_eq!(open(&mut opener, &forgotten), Err(Reason::Replayed));
    assert_eq!(open(&mut opener, &late), Err(Reason::Replayed));
}

#[test]
fn a_large_message_comes_in_two_in_either_order() {
    let (sealer, mut opener) = (sealer(1, "crew", NOW_MS), opener());
    let message: Vec<u8> = (0..limits::MESSAGE_BYTES_MAX).map(|at| (at % 251) as u8).collect();
    for turned in [false, true] {
        let mut datagrams = sealer.seal(at(9), 0, &message).unwrap();
        assert_eq!(datagrams.len(), 2);
        assert!(datagrams.iter().all(|datagram| datagram.len() <= BYTES_MAX));
        if turned {
            datagrams.reverse();
        }
        assert_eq!(open(&mut opener, &datagrams[0]), Ok(None));
        assert_eq!(open(&mut opener, &datagrams[1]), Ok(Some(message.clone())));
    }
    // Halves of two messages are not put together.
    let (first, second) = (sealer.seal(at(9), 0, &message).unwrap(), sealer.seal(at(9), 0, &message).unwrap());
    assert_eq!(open(&mut opener, &first[0]), Ok(None));
    assert_eq!(open(&mut opener, &second[1]), Ok(None));
    assert_eq!(open(&mut opener, &second[0]), Ok(Some(message)));
}

#[test]
fn stamps_grow_while_the_clock_stands_still_and_begin_anew_where_it_was_far_ahead() {
    let time = Arc::new(AtomicU64::new(NOW_MS.unsigned_abs()));
    let told = time.clone();
    let clock: Clock = Arc::new(move || Timestamp(i64::try_from(told.load(Ordering::SeqCst)).unwrap()));
    let sealer = sealer_with(1, "crew", sessions(), clock);
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
    let asks: Member = Arc::new(move |_: &Did| asked.load(Ordering::SeqCst));
    let mut opener = Opener::new("crew".parse().unwrap(), asks, sessions(), RoundTrips::default(), clock(NOW_MS));
    let sealer = sealer(1, "crew", NOW_MS);
    assert!(open(&mut opener, &one(&sealer, b"x")).is_ok());
    assert!(opener.sessions.key(&sealer.public).is_some());
    member.store(false, Ordering::SeqCst);
    assert_eq!(open(&mut opener, &one(&sealer, b"x")), Err(Reason::Stranger));
    assert!(opener.senders.is_empty() && opener.sessions.key(&sealer.public).is_none());
}

/// What two devices do with each other's datagrams.
struct Two {
    one: (Sealer, Opener),
    two: (Sealer, Opener),
}

impl Two {
    /// Both have heard each other, and know it.
    fn in_touch(trips: RoundTrips, two_ms: i64) -> Self {
        let side = |seed, trips, ms| {
            let sessions = sessions_of(seed);
            (sealer_with(seed, "crew", sessions.clone(), clock(ms)), opener_with(sessions, trips, ms))
        };
        let mut two = Self { one: side(1, trips, NOW_MS), two: side(2, RoundTrips::default(), two_ms) };
        assert_eq!(two.there(0, b"hello").1, SIGNED);
        assert_eq!(two.back(0, b"hello").1, SIGNED);
        assert_eq!(two.there(0, b"hello").1, KEYED);
        two
    }

    /// From the first to the second; gives what came, and of which kind it was.
    fn there(&mut self, answers: u64, message: &[u8]) -> (Came, u8) {
        let datagram = self.one.0.seal(at(2), answers, message).unwrap().remove(0);
        (self.two.1.open(at(1), &datagram).unwrap().unwrap(), datagram[MAGIC.len() + 1])
    }

    fn back(&mut self, answers: u64, message: &[u8]) -> (Came, u8) {
        let datagram = self.two.0.seal(at(1), answers, message).unwrap().remove(0);
        (self.one.1.open(at(2), &datagram).unwrap().unwrap(), datagram[MAGIC.len() + 1])
    }
}

#[test]
fn a_changed_byte_is_seen_also_where_two_have_agreed_on_a_key() {
    let mut two = Two::in_touch(RoundTrips::default(), NOW_MS);
    let datagram = two.two.0.seal(at(1), 0, b"a message").unwrap().remove(0);
    assert_eq!(datagram[MAGIC.len() + 1], KEYED);
    for at_byte in 0..datagram.len() {
        let mut changed = datagram.clone();
        changed[at_byte] ^= 1;
        assert!(two.one.1.open(at(2), &changed).is_err(), "byte {at_byte}");
    }
    // The key is of these two: nobody else can check by it, or is meant.
    assert_eq!(opener().open(at(2), &datagram), Err(Reason::Session));
    assert_eq!(two.two.1.open(at(2), &datagram), Err(Reason::Replayed), "it sent that itself");
    assert_eq!(two.one.1.open(at(2), &datagram).unwrap().unwrap().message, b"a message");
    assert_eq!(two.one.1.open(at(2), &datagram), Err(Reason::Replayed));
}

#[test]
fn what_comes_back_to_its_sender_is_dropped_and_teaches_it_nothing() {
    let sessions = sessions_of(1);
    let (sealer, mut opener) =
        (sealer_with(1, "crew", sessions.clone(), clock(NOW_MS)), opener_with(sessions, RoundTrips::default(), NOW_MS));
    let datagram = one(&sealer, b"x");
    assert_eq!(datagram[MAGIC.len() + 1], SIGNED);
    assert_eq!(opener.open(at(1), &datagram), Err(Reason::Replayed));
    assert!(opener.senders.is_empty() && opener.sessions.key(&sealer.public).is_none());
}

#[test]
fn who_signs_the_half_of_another_as_its_own_has_nothing_passed_on_to_that_one() {
    let mut two = Two::in_touch(RoundTrips::default(), NOW_MS);
    // The third device says to the first that it has the secret of the second.
    let Seal::Signed { own, .. } = two.two.0.sessions.seal(at(8)) else { unreachable!("nobody was heard from there") };
    let Seal::Signed { own: heard, .. } = two.one.0.sessions.seal(at(8)) else { unreachable!("nobody was heard from there") };
    let third = Key::from_seed(&[3; 32]).public();
    two.one.0.sessions.signed(third, at(3), own, heard, stamp_of(NOW_MS));
    // So the first sends it what it cannot read, nor the second.
    let datagram = two.one.0.seal(at(3), 0, b"x").unwrap().remove(0);
    assert_eq!(datagram[MAGIC.len() + 1], KEYED);
    assert_eq!(two.two.1.open(at(1), &datagram), Err(Reason::Signature));
}

#[test]
fn an_answer_tells_how_long_it_took_whatever_the_other_clock_says() {
    let trips = RoundTrips::default();
    let mut two = Two::in_touch(trips.clone(), NOW_MS + 60_000);
    let did = Key::from_seed(&[2; 32]).did();
    assert_eq!(trips.ms(&did), None);
    let (came, _) = two.there(0, b"a question");
    two.one.1.now = clock(NOW_MS + 30);
    two.back(came.stamp, b"an answer");
    assert!((29..=30).contains(&trips.ms(&did).unwrap()), "{:?}", trips.ms(&did));
}
