//! Devices gossip over real UDP on loopback.
#![allow(clippy::unwrap_used)]

use super::*;
use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion, spawn_chitchat};
use domain::{
    announcement::{PAYLOAD_TYPE, VERSION},
    capacity::{Capacity, Lane, Resources},
    lend::Condition,
};
use identity::Key;
use std::{
    collections::BTreeSet,
    sync::RwLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{net::UdpSocket, time::timeout};

/// How long a condition may take where no time is promised.
const LONG: Duration = Duration::from_secs(20);
/// Within which a device that stopped is suspected, on a machine that does other things too.
const SUSPECTED: Duration = Duration::from_secs(2);

pub(super) fn key(seed: u8) -> Key {
    Key::from_seed(&[seed; 32])
}

pub(super) fn announcement(device: &Key, number: u64) -> Announcement {
    let resources = Resources { cpu_milli: 4_000, ..Resources::default() };
    let capacity = Capacity {
        total: resources,
        free: resources,
        tags: BTreeMap::new(),
        gpus: vec![],
        runtimes: vec![],
        classes: vec![],
        slots: 4,
        slots_free: 4,
        others: Lane::default(),
    };
    Announcement {
        version: VERSION,
        org: "crew".parse().unwrap(),
        device: device.did(),
        number,
        at: Timestamp(1_800_000_000_000),
        started: Timestamp(1_800_000_000_000),
        capacity,
        condition: Condition::default(),
        reclaimed: None,
        repositories: vec![],
        worked_at: 0,
        engines: vec![],
        waiting: vec![],
        queue: vec![],
        gives_way: Default::default(),
    }
}

pub(super) fn sealed(by: &Key, announcement: &Announcement) -> String {
    let envelope = identity::envelope::seal(announcement, PAYLOAD_TYPE, &by.did(), |bytes| Ok(by.sign(bytes))).unwrap();
    String::from_utf8(envelope.to_json().unwrap()).unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn clock() -> Clock {
    Arc::new(|| Timestamp(now_ms()))
}

fn sign(key: Key) -> Sign {
    Arc::new(move |bytes: &[u8]| Ok(key.sign(bytes)))
}

/// The devices that the org lists; changes at any time.
#[derive(Clone, Default)]
struct Members(Arc<RwLock<BTreeSet<Did>>>);

impl Members {
    fn of(seeds: impl IntoIterator<Item = u8>) -> Self {
        let members = Self::default();
        members.0.write().unwrap().extend(seeds.into_iter().map(|seed| key(seed).did()));
        members
    }

    fn remove(&self, seed: u8) {
        self.0.write().unwrap().remove(&key(seed).did());
    }

    fn ask(&self) -> Arc<dyn Fn(&Did) -> bool + Send + Sync> {
        let members = self.clone();
        Arc::new(move |did: &Did| members.0.read().unwrap().contains(did))
    }

    fn config(&self, seed: u8, generation: u64) -> GossipConfig {
        GossipConfig {
            org: "crew".parse().unwrap(),
            device: key(seed).did(),
            sign: sign(key(seed)),
            member: self.ask(),
            devices: 3,
            listen: ([127, 0, 0, 1], 0).into(),
            advertised: None,
            generation,
            now: clock(),
        }
    }

    /// Starts a device that announces `number` as its own number.
    async fn start(&self, seed: u8, generation: u64, number: u64) -> Gossip {
        let gossip = Gossip::start(self.config(seed, generation)).await.unwrap();
        say(&gossip, seed, number);
        gossip
    }

    /// Starts chitchat, signed for by a member, as whomever it says that it is.
    async fn rogue(&self, member: u8, claims: ChitchatId, values: Vec<(String, String)>) -> ChitchatHandle {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sessions = Sessions::new(Agreement::generate(key(member).public()).unwrap());
        let sealer = Sealer::new("crew".parse().unwrap(), &key(member).did(), sign(key(member)), sessions.clone(), clock()).unwrap();
        let opener = Opener::new("crew".parse().unwrap(), self.ask(), sessions, RoundTrips::default(), clock());
        let config = ChitchatConfig {
            chitchat_id: claims,
            cluster_id: "crew".to_owned(),
            gossip_interval: limits::GOSSIP_INTERVAL,
            listen_addr: socket.local_addr().unwrap(),
            seed_nodes: vec![],
            failure_detector_config: FailureDetectorConfig::default(),
            marked_for_deletion_grace_period: limits::GOSSIP_FORGETS,
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: ProtocolVersion::V1,
        };
        spawn_chitchat(config, values, &Authenticated::new(socket, sealer, opener, Arc::default())).await.unwrap()
    }
}

fn sealer(seed: u8, org: &str, late_ms: i64) -> Sealer {
    let now: Clock = Arc::new(move || Timestamp(now_ms() - late_ms));
    let sessions = Sessions::new(Agreement::generate(key(seed).public()).unwrap());
    Sealer::new(org.parse().unwrap(), &key(seed).did(), sign(key(seed)), sessions, now).unwrap()
}

fn say(gossip: &Gossip, seed: u8, number: u64) {
    gossip.announce(sealed(&key(seed), &announcement(&key(seed), number)));
}

fn know(gossip: &Gossip, others: &[&Gossip]) {
    gossip.set_seeds(others.iter().map(|other| other.address().to_string()).collect());
}

/// Waits until a device hears these numbers of these live devices.
async fn hears(gossip: &Gossip, wanted: &[(u8, u64)]) {
    let wanted: BTreeMap<Did, u64> = wanted.iter().map(|(seed, number)| (key(*seed).did(), *number)).collect();
    let mut heard = gossip.heard();
    let all = |all: &Arc<BTreeMap<Did, Heard>>| {
        let live = all.iter().filter(|(_, heard)| heard.live);
        live.map(|(did, heard)| (did.clone(), heard.announcement.number)).collect::<BTreeMap<_, _>>() == wanted
    };
    let came = timeout(LONG, heard.wait_for(all)).await.map(|_| ());
    assert!(came.is_ok(), "wanted {wanted:?}, heard {:?}", gossip.heard().borrow());
}

async fn counted(gossip: &Gossip, of: impl Fn(Dropped) -> u64, wanted: u64) {
    let counted = timeout(LONG, async {
        while of(gossip.drops()()) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(counted.await.is_ok(), "{:?}", gossip.drops()());
}

#[tokio::test]
async fn three_devices_find_each_other_through_one_and_hear_what_changes() {
    let members = Members::of([1, 2, 3]);
    let (one, two, three) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await, members.start(3, 1, 1).await);
    know(&two, &[&one]);
    know(&three, &[&one]);
    hears(&one, &[(2, 1), (3, 1)]).await;
    hears(&two, &[(1, 1), (3, 1)]).await;
    hears(&three, &[(1, 1), (2, 1)]).await;
    say(&two, 2, 2);
    hears(&one, &[(2, 2), (3, 1)]).await;
    hears(&three, &[(1, 1), (2, 2)]).await;
    let dropped = one.drops()();
    assert_eq!(dropped, Dropped::default());
}

#[tokio::test]
async fn devices_that_gossip_agree_on_keys_and_learn_how_far_it_is_to_each_other() {
    let members = Members::of([1, 2]);
    let (one, two) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await);
    know(&two, &[&one]);
    for (gossip, other) in [(&one, 2), (&two, 1)] {
        let (trips, other) = (gossip.round_trips(), key(other).did());
        let measured = timeout(LONG, async {
            while trips.ms(&other).is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(measured.await.is_ok());
        assert_eq!(trips.ms(&key(9).did()), None);
    }
    // A device that was started again has other keys, and is understood all the same.
    let address = two.address();
    two.stop().await;
    let again = Gossip::start(GossipConfig { listen: address, ..members.config(2, 2) }).await.unwrap();
    say(&again, 2, 2);
    hears(&one, &[(2, 2)]).await;
    hears(&again, &[(1, 1)]).await;
}

#[tokio::test]
async fn who_stops_is_suspected_and_comes_back_with_its_next_start() {
    let members = Members::of([1, 2, 3]);
    let (one, two, three) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await, members.start(3, 1, 1).await);
    know(&two, &[&one]);
    know(&three, &[&one]);
    hears(&one, &[(2, 1), (3, 1)]).await;
    hears(&two, &[(1, 1), (3, 1)]).await;
    let address = three.address();
    three.stop().await;
    for other in [&one, &two] {
        let mut heard = other.heard();
        let gone = heard.wait_for(|all| all.get(&key(3).did()).is_some_and(|heard| !heard.live && heard.announcement.number == 1));
        assert!(timeout(SUSPECTED, gone).await.is_ok());
    }
    // The port is free, and the device is the same one.
    let again = Gossip::start(GossipConfig { listen: address, ..members.config(3, 2) }).await.unwrap();
    say(&again, 3, 2);
    know(&again, &[&one]);
    hears(&one, &[(2, 1), (3, 2)]).await;
    hears(&two, &[(1, 1), (3, 2)]).await;
    hears(&again, &[(1, 1), (2, 1)]).await;
}

#[tokio::test]
async fn who_moves_to_another_address_is_heard_there_and_hears_the_others() {
    let members = Members::of([1, 2, 3]);
    let (one, two, three) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await, members.start(3, 1, 1).await);
    know(&two, &[&one]);
    know(&three, &[&one]);
    hears(&two, &[(1, 1), (3, 1)]).await;
    let (before, mover) = (two.address(), two.mover());
    let there = mover.move_to(([127, 0, 0, 2], 0).into(), None).await.unwrap();
    assert_eq!((there.address, there.advertised), (two.address(), two.address()));
    assert!(there.address.ip() != before.ip() && there.address.port() != 0);
    say(&two, 2, 2);
    hears(&one, &[(2, 2), (3, 1)]).await;
    hears(&three, &[(1, 1), (2, 2)]).await;
    hears(&two, &[(1, 1), (3, 1)]).await;
    let freed = timeout(LONG, async {
        while UdpSocket::bind(before).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(freed.await.is_ok(), "the port of before is free");
    // What cannot be bound, or reached, leaves it where it is.
    assert_eq!(mover.move_to(one.address(), None).await.unwrap_err().kind, domain::Kind::Unavailable);
    assert_eq!(mover.move_to(there.address, Some(([0, 0, 0, 0], 9).into())).await.unwrap_err().kind, domain::Kind::Invalid);
    assert_eq!(mover.place(), there);
    say(&two, 2, 3);
    hears(&one, &[(2, 3), (3, 1)]).await;
    two.stop().await;
    UdpSocket::bind(there.address).await.unwrap();
    assert_eq!(mover.move_to(before, None).await.unwrap_err().kind, domain::Kind::Unavailable, "it has ended");
}

#[tokio::test]
async fn a_port_in_use_is_told() {
    let members = Members::of([1, 2]);
    let one = members.start(1, 1, 1).await;
    let taken = Gossip::start(GossipConfig { listen: one.address(), ..members.config(2, 1) }).await.unwrap_err();
    assert_eq!(taken.kind, domain::Kind::Unavailable);
    assert!(taken.what.contains(&one.address().to_string()) && taken.next.is_some());
    let anywhere = Gossip::start(GossipConfig { listen: ([0, 0, 0, 0], 0).into(), ..members.config(2, 1) }).await.unwrap_err();
    assert_eq!(anywhere.kind, domain::Kind::Invalid);
}

#[tokio::test]
async fn what_is_not_from_a_member_now_or_of_too_old_a_version_is_dropped_and_counted() {
    let members = Members::of([1, 2]);
    let gossip = members.start(1, 1, 1).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let one = |sealer: &Sealer| sealer.seal(gossip.address(), 0, b"nothing that chitchat can read").unwrap().remove(0);
    // All by one: two that share a key could give two datagrams the same stamp.
    let member = sealer(2, "crew", 0);
    let (good, mut changed) = (one(&member), one(&member));
    changed[120] ^= 1;
    let of_version = |version: u32| {
        let mut datagram = one(&member);
        datagram[8] = u8::try_from(version).unwrap();
        let (signed, signature) = datagram.split_last_chunk_mut::<64>().unwrap();
        *signature = key(2).sign(signed);
        datagram
    };
    let (older, newer) = (of_version(crate::OLDEST - 1), of_version(crate::VERSION + 1));
    let too_large = vec![7; datagram::BYTES_MAX + 10];
    let stranger = one(&sealer(3, "crew", 0));
    let (other_org, late) = (one(&sealer(2, "other", 0)), one(&sealer(2, "crew", 130_000)));
    for datagram in [&good, &good, &changed, &older, &older, &newer, &newer, &too_large, &stranger, &other_org, &late] {
        socket.send_to(datagram, gossip.address()).await.unwrap();
    }
    counted(&gossip, |dropped| dropped.by_reason().iter().map(|(_, count)| count).sum(), 11).await;
    // What is opened goes to chitchat, which cannot read it, and came before when it comes again: the newer one too, the older one not.
    let wanted =
        Dropped { malformed: 2, replayed: 2, signature: 1, version: 2, oversized: 1, stranger: 1, org: 1, stale: 1, ..Dropped::default() };
    assert_eq!(gossip.drops()(), wanted);
}

#[tokio::test]
async fn a_stranger_is_heard_by_nobody_until_the_org_lists_it() {
    let (members, all) = (Members::of([1, 2]), Members::of([1, 2, 3]));
    let (one, two, stranger) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await, all.start(3, 1, 1).await);
    know(&two, &[&one]);
    know(&stranger, &[&one, &two]);
    counted(&one, |dropped| dropped.stranger, 3).await;
    hears(&two, &[(1, 1)]).await;
    assert_eq!(stranger.heard().borrow().len(), 0);
    members.0.write().unwrap().insert(key(3).did());
    hears(&one, &[(2, 1), (3, 1)]).await;
    hears(&stranger, &[(1, 1), (2, 1)]).await;
}

#[tokio::test]
async fn a_member_that_is_removed_vanishes() {
    let members = Members::of([1, 2, 3]);
    let (one, two, three) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await, members.start(3, 1, 1).await);
    know(&two, &[&one]);
    know(&three, &[&one]);
    hears(&one, &[(2, 1), (3, 1)]).await;
    hears(&two, &[(1, 1), (3, 1)]).await;
    members.remove(3);
    for (other, left) in [(&one, 2), (&two, 1)] {
        let (left, mut heard) = (key(left).did(), other.heard());
        let gone = heard.wait_for(|all| all.keys().eq([&left]));
        assert!(timeout(LONG, gone).await.is_ok());
    }
    counted(&one, |dropped| dropped.stranger, 1).await;
}

#[tokio::test]
async fn a_lower_number_is_not_believed() {
    let members = Members::of([1, 2]);
    let (one, two) = (members.start(1, 1, 5).await, members.start(2, 1, 1).await);
    know(&two, &[&one]);
    hears(&two, &[(1, 5)]).await;
    say(&one, 1, 4);
    counted(&two, |dropped| dropped.outdated, 1).await;
    hears(&two, &[(1, 5)]).await;
    say(&one, 1, 6);
    hears(&two, &[(1, 6)]).await;
}

#[tokio::test]
async fn what_a_member_forges_about_another_is_not_believed() {
    let members = Members::of([1, 2, 3]);
    let (one, two) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await);
    know(&two, &[&one]);
    hears(&one, &[(2, 1)]).await;
    // As if device 2 had started anew, with what device 3 signed.
    let claims = ChitchatId::new(key(2).did().as_str(), 7, ([127, 0, 0, 1], 9).into());
    let forged = sealed(&key(3), &announcement(&key(2), 99));
    let rogue = members.rogue(3, claims, vec![(ledger::KEY.to_owned(), forged)]).await;
    rogue.gossip(one.address()).unwrap();
    counted(&one, |dropped| dropped.forged, 1).await;
    hears(&one, &[(2, 1)]).await;
    say(&two, 2, 2);
    hears(&one, &[(2, 2)]).await;
}

#[tokio::test]
async fn what_another_wrote_over_is_announced_again() {
    let members = Members::of([1, 2, 3]);
    let (one, two) = (members.start(1, 1, 1).await, members.start(2, 1, 1).await);
    know(&two, &[&one]);
    hears(&one, &[(2, 1)]).await;
    // The very state of device 2, with more changes than it made itself.
    let claims = ChitchatId::new(key(2).did().as_str(), 1, two.address());
    let forged = sealed(&key(3), &announcement(&key(2), 99));
    let changes = (0..50).map(|n| (format!("change {n}"), String::new()));
    let values = changes.chain([(ledger::KEY.to_owned(), forged)]).collect();
    let rogue = members.rogue(3, claims, values).await;
    rogue.gossip(one.address()).unwrap();
    counted(&one, |dropped| dropped.forged, 1).await;
    say(&two, 2, 2);
    hears(&one, &[(2, 2)]).await;
}
