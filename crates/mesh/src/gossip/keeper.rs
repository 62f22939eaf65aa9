//! Keeps the gossip going: says what this device announces, looks at what came of others, introduces itself to those that are
//! not heard, and starts chitchat again where it broke.

use super::{
    Heard,
    ledger::{Judges, KEY, Ledger},
    place::{Move, Place},
    transport::Authenticated,
};
use crate::limits;
use chitchat::{Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion, spawn_chitchat};
use domain::{Did, OrgName};
use identity::certificate::Clock;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// As whom chitchat takes part.
pub(super) struct Part {
    pub(super) org: OrgName,
    /// How many devices there are about, this one too.
    pub(super) devices: usize,
    pub(super) device: Did,
    pub(super) generation: u64,
    pub(super) place: Place,
    pub(super) transport: Authenticated,
}

impl Part {
    /// Starts chitchat.
    pub(super) async fn spawn(&self) -> anyhow::Result<ChitchatHandle> {
        let pause = self.pause();
        let config = ChitchatConfig {
            chitchat_id: ChitchatId::new(self.device.as_str(), self.generation, self.place.advertised),
            cluster_id: self.org.to_string(),
            gossip_interval: pause,
            listen_addr: self.place.address,
            // Its own seeds are fixed at the start; ours are introduced.
            seed_nodes: vec![],
            failure_detector_config: FailureDetectorConfig::new(
                limits::SUSPICION_PAUSES,
                limits::PAUSES_REMEMBERED,
                limits::PAUSE_MAX,
                // A sign of life comes about that often.
                pause,
                limits::GOSSIP_FORGETS,
            ),
            marked_for_deletion_grace_period: limits::GOSSIP_FORGETS,
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: if self.devices > limits::GOSSIP_PLAIN_DEVICES { ProtocolVersion::V1 } else { ProtocolVersion::V0 },
        };
        spawn_chitchat(config, vec![], &self.transport).await
    }

    /// How often it gossips.
    fn pause(&self) -> Duration {
        let groups = (self.devices / limits::GOSSIP_PACE_DEVICES).clamp(1, limits::GOSSIP_PACE_MAX);
        limits::GOSSIP_INTERVAL * u32::try_from(groups).unwrap_or(1)
    }
}

/// Everything that goes on while a device gossips.
pub(super) struct Keeper {
    pub(super) part: Part,
    pub(super) moves: mpsc::Receiver<Move>,
    pub(super) now: Clock,
    pub(super) announced: watch::Receiver<Option<Arc<str>>>,
    pub(super) seeds: watch::Receiver<Vec<SocketAddr>>,
    pub(super) ledger: Ledger,
    pub(super) heard: watch::Sender<Arc<BTreeMap<Did, Heard>>>,
    pub(super) stop: CancellationToken,
    /// Whom nobody needs to be introduced to.
    pub(super) met: HashSet<SocketAddr>,
    /// How many introductions there were.
    pub(super) turn: usize,
    pub(super) looked: Instant,
    /// Until when this device does not judge others, having been held up itself, or having moved.
    pub(super) held_up: Option<Instant>,
}

/// Why a session ended.
enum End {
    Stopped,
    Broken,
    Moved(Move),
}

/// What of chitchat's state a look takes away.
struct View {
    live: BTreeSet<Arc<str>>,
    met: HashSet<SocketAddr>,
    /// Whether the state of this device can be gone on with.
    sound: bool,
}

impl Keeper {
    /// Until it is stopped; the port is free then, as far as it depends on this.
    pub(super) async fn run(mut self, first: ChitchatHandle) {
        let mut handle = first;
        loop {
            let end = self.session(&handle).await;
            let ended = handle.termination_watcher();
            if handle.initiate_shutdown().is_ok() {
                let _ = ended.await;
            }
            drop(handle);
            let pause = match end {
                End::Stopped => return,
                End::Broken => {
                    tracing::error!("gossip broke, and is started again");
                    limits::GOSSIP_RESTART
                }
                End::Moved(there) => {
                    self.moved(there);
                    Duration::ZERO
                }
            };
            let Some(again) = self.again(pause).await else { return };
            handle = again;
        }
    }

    /// Is somewhere else from now on, and has to meet the others anew: until then their silence says nothing.
    fn moved(&mut self, there: Move) {
        if let Some(socket) = there.socket {
            self.part.transport.bind(socket);
        }
        self.part.place = there.place;
        self.held_up = Some(Instant::now() + limits::MOVED_TRUST);
    }

    /// A new state of this device, newer than all before.
    async fn again(&mut self, mut pause: Duration) -> Option<ChitchatHandle> {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = sleep(pause) => {}
            }
            pause = limits::GOSSIP_RESTART;
            let clock = u64::try_from((self.now)().0).unwrap_or(0);
            self.part.generation = self.part.generation.saturating_add(1).max(clock);
            self.part.devices = self.part.devices.max(self.seeds.borrow().len() + 1);
            match self.part.spawn().await {
                Ok(handle) => return Some(handle),
                Err(error) => tracing::error!(%error, "gossip cannot be started"),
            }
        }
    }

    async fn session(&mut self, handle: &ChitchatHandle) -> End {
        let came = Arc::new(Notify::new());
        let told = came.clone();
        let (mut live, _listening) = handle
            .with_chitchat(|chitchat| {
                let told = told.clone();
                (chitchat.live_nodes_watcher(), chitchat.subscribe_event(KEY, move |_| told.notify_one()))
            })
            .await;
        let mut ended = Box::pin(handle.termination_watcher());
        let mut look = interval(limits::LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut introduce = interval(limits::INTRODUCE);
        introduce.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.looked = Instant::now();
        loop {
            let alive = tokio::select! {
                () = self.stop.cancelled() => return End::Stopped,
                _ = &mut ended => return End::Broken,
                Some(there) = self.moves.recv() => return End::Moved(there),
                changed = self.announced.changed() => changed.is_ok(),
                changed = self.seeds.changed() => {
                    self.introduce(handle);
                    changed.is_ok()
                }
                changed = live.changed() => changed.is_ok(),
                () = came.notified() => true,
                _ = look.tick() => true,
                _ = introduce.tick() => {
                    self.introduce(handle);
                    true
                }
            };
            if !alive {
                return End::Stopped;
            }
            if !self.look(handle).await {
                return End::Broken;
            }
        }
    }

    /// Says again what is announced, and takes in what came. False where this device's own state cannot be gone on with.
    async fn look(&mut self, handle: &ChitchatHandle) -> bool {
        let judges = self.judges();
        let announced = self.announced.borrow_and_update().clone();
        let ledger = &mut self.ledger;
        let (view, news) = handle
            .with_chitchat(|chitchat| {
                let view = View { sound: put(chitchat, announced.as_deref()), ..View::of(chitchat) };
                (view, ledger.news(chitchat))
            })
            .await;
        let at = (self.now)();
        for value in news {
            self.ledger.judge(value, at);
        }
        self.ledger.settle(&view.live, at, judges);
        if let Some(picture) = self.ledger.picture() {
            self.heard.send_replace(picture);
        }
        self.met = view.met;
        view.sound
    }

    /// Where this device was held up, others seem to have been silent.
    fn judges(&mut self) -> Judges {
        let now = Instant::now();
        if now.duration_since(self.looked) > limits::HELD_UP {
            self.held_up = self.held_up.max(Some(now + limits::HELD_UP_TRUST));
        }
        self.looked = now;
        if self.held_up.is_some_and(|until| now < until) { Judges::Live } else { Judges::All }
    }

    /// Gossips to some of the addresses that are not heard; to others the next time.
    fn introduce(&mut self, handle: &ChitchatHandle) {
        let own = [self.part.place.address, self.part.place.advertised];
        let seeds = self.seeds.borrow_and_update().clone();
        let unmet: Vec<SocketAddr> = seeds.into_iter().filter(|seed| !own.contains(seed) && !self.met.contains(seed)).collect();
        for to in unmet.iter().cycle().skip(self.turn % unmet.len().max(1)).take(limits::INTRODUCED_AT_ONCE.min(unmet.len())) {
            let _ = handle.gossip(*to);
        }
        self.turn = self.turn.wrapping_add(limits::INTRODUCED_AT_ONCE);
    }
}

impl View {
    fn of(chitchat: &Chitchat) -> Self {
        let (mut live, mut met) = (BTreeSet::new(), HashSet::new());
        for id in chitchat.live_nodes() {
            live.insert(id.node_id.clone());
            met.insert(id.gossip_advertise_addr);
        }
        Self { live, met, sound: true }
    }
}

/// Puts this device's value where it is not there: it is new, or another member handed a forged one on, which came back here.
/// chitchat then counts on from the forged one's version, so that this one reaches everybody.
fn put(chitchat: &mut Chitchat, announced: Option<&str>) -> bool {
    let own = chitchat.self_node_state();
    if own.max_version() > limits::STATE_VERSION_MAX {
        return false;
    }
    if let Some(value) = announced.filter(|value| own.get(KEY) != Some(*value)) {
        own.set(KEY, value);
    }
    true
}
