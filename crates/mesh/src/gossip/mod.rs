//! Which devices of an org are there, and what each announces of itself: gossip over UDP, by chitchat.
//!
//! Three things are ours. Datagrams are signed, or proved by a key that two devices agreed on, and only devices that the org lists are heard
//! ([`datagram`], [`sessions`]). An announcement counts only
//! where the device that it is about signed it ([`ledger`]). And whoever is not heard is gossiped to by its known address
//! ([`keeper`]), since chitchat's own seeds are fixed at its start. Nothing that is heard here is more than a hint: a device that is not
//! live is *suspected*, gets no new work, and is lost only by other proof.
//!
//! A member can do harm here that a stranger cannot: it can say that another device is alive that is not, and hand on made-up states
//! and names, which cost memory and room in datagrams until the org removes it. It cannot make others believe an announcement, nor keep
//! one from them for long: its device puts it above whatever was forged.

mod codec;
mod datagram;
mod doubles;
mod dropped;
mod keeper;
mod ledger;
mod place;
mod seeds;
mod sessions;
mod transport;
mod trips;

pub use doubles::Doubles;
pub use dropped::Dropped;
pub use place::{Mover, Place};
pub use trips::RoundTrips;

use crate::limits;
use datagram::{Opener, Sealer};
use domain::{Did, OrgName, Problem, Timestamp, announcement::Announcement};
use dropped::Counters;
use identity::{
    Agreement,
    certificate::{Clock, Sign},
};
use keeper::{Keeper, Part};
use ledger::Ledger;
use sessions::Sessions;
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    net::SocketAddr,
    sync::Arc,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use transport::Authenticated;

/// As whom, with whom and where a device gossips.
pub struct GossipConfig {
    /// The org. Datagrams of others are dropped.
    pub org: OrgName,
    /// This device.
    pub device: Did,
    /// Signs with its key.
    pub sign: Sign,
    /// Whether the org lists a device now. Asked for each datagram, so it should be quick.
    pub member: Arc<dyn Fn(&Did) -> bool + Send + Sync>,
    /// How many devices the org has about, this one too: in a large one each gossips less often. A larger number counts from the next
    /// start on.
    pub devices: usize,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where others reach it; none: the address that was bound.
    pub advertised: Option<SocketAddr>,
    /// Higher at each start of the device: the time of the start, in milliseconds.
    pub generation: u64,
    /// What time it is.
    pub now: Clock,
}

/// What was heard of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What it announced last.
    pub announcement: Arc<Announcement>,
    /// The same as it was signed.
    pub envelope_json: Arc<str>,
    /// Whether it is heard now; false: it is suspected.
    pub live: bool,
    /// When any of this changed last, by the clock of this device.
    pub changed_at: Timestamp,
}

/// A device's part in the gossip of its org. Ends when dropped; [`Gossip::stop`] also waits until the port is free.
pub struct Gossip {
    mover: Mover,
    seeds: watch::Sender<Vec<String>>,
    announced: watch::Sender<Option<Arc<str>>>,
    heard: watch::Receiver<Arc<BTreeMap<Did, Heard>>>,
    counters: Arc<Counters>,
    trips: RoundTrips,
    doubles: Doubles,
    keeper: JoinHandle<()>,
    stop: DropGuard,
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gossip({}, {} heard)", self.address(), self.heard.borrow().len())
    }
}

impl Gossip {
    /// Takes part from now on, at an address that this machine may get only later. Nobody is known yet: see [`Gossip::set_seeds`].
    ///
    /// # Errors
    /// When the port cannot be bound, the key does not sign, or the system gives no randomness.
    pub async fn start(config: GossipConfig) -> Result<Self, Problem> {
        let GossipConfig { org, device, sign, member, devices, listen, advertised, generation, now } = config;
        let (sessions, trips) = (Sessions::new(Agreement::generate(identity::public_key(&device)?)?), RoundTrips::default());
        let sealer = Sealer::new(org.clone(), &device, sign, sessions.clone(), now.clone())?;
        let (socket, address) = place::bind_early(listen).await?;
        let place = place::reached(address, advertised)?;
        let counters = Arc::new(Counters::default());
        let opener = Opener::new(org.clone(), member.clone(), sessions, trips.clone(), now.clone());
        let transport = Authenticated::new(socket, sealer, opener, counters.clone());
        let ledger = Ledger::new(org.clone(), device.clone(), member, counters.clone());
        let doubles = ledger.doubles();
        let part = Part { org, devices, device, generation, place, transport };
        let chitchat = part.spawn().await.map_err(Problem::internal)?;

        let (seeds, named) = watch::channel(vec![]);
        let (found, resolved) = watch::channel(vec![]);
        tokio::spawn(seeds::resolve(named, found));
        let (announced, to_announce) = watch::channel(None);
        let (heard, picture) = watch::channel(Arc::default());
        let (mover, moves) = Mover::new(place);
        let stop = CancellationToken::new();
        let keeper = Keeper {
            part,
            moves,
            now,
            announced: to_announce,
            seeds: resolved,
            ledger,
            heard,
            stop: stop.clone(),
            met: HashSet::new(),
            turn: 0,
            looked: Instant::now(),
            held_up: None,
        };
        let keeper = tokio::spawn(keeper.run(chitchat));
        Ok(Self { mover, seeds, announced, heard: picture, counters, trips, doubles, keeper, stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.mover.place().address
    }

    /// What moves it to another address.
    pub fn mover(&self) -> Mover {
        self.mover.clone()
    }

    /// Where other devices may be, as `host:port`. Those that are not heard are gossiped to from time to time. May change at any time.
    pub fn set_seeds(&self, seeds: Vec<String>) {
        self.seeds.send_if_modified(|now| {
            let changed = *now != seeds;
            *now = seeds;
            changed
        });
    }

    /// What this device announces from now on: an envelope of [`Announcement`], signed by it. The latest wins.
    pub fn announce(&self, envelope_json: String) {
        let bytes = envelope_json.len();
        if bytes > limits::ANNOUNCEMENT_JSON_BYTES_MAX {
            tracing::error!(bytes, limit = limits::ANNOUNCEMENT_JSON_BYTES_MAX, "an announcement is too large, and is not made");
            return;
        }
        self.announced.send_replace(Some(envelope_json.into()));
    }

    /// What was heard of the other devices, this one left out. A device stays until the org does not list it any more, or it was
    /// silent for a day.
    pub fn heard(&self) -> watch::Receiver<Arc<BTreeMap<Did, Heard>>> {
        self.heard.clone()
    }

    /// How long it takes to the other devices and back, as it is known now.
    pub fn round_trips(&self) -> RoundTrips {
        self.trips.clone()
    }

    /// Whose keys are used by two processes at once, this device's own among them.
    pub fn doubles(&self) -> Doubles {
        self.doubles.clone()
    }

    /// Says at any later moment what was dropped since the start, also to who does not hold this.
    pub fn drops(&self) -> Box<dyn Fn() -> Dropped + Send + Sync> {
        let counters = self.counters.clone();
        Box::new(move || counters.dropped())
    }

    /// Takes part no more. Others will suspect this device. The port is free afterwards.
    pub async fn stop(self) {
        let Self { keeper, stop, .. } = self;
        drop(stop);
        let _ = keeper.await;
    }
}

#[cfg(test)]
mod tests;
