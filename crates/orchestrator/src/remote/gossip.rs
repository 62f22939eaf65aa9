//! Gossip with the other devices of the org: what this one announces of itself, and when; what is heard of them lies in
//! [`super::Remote`], and is put to use by `devices`.

use super::{devices, port};
use crate::{
    clock, fault,
    lending::{self, guests},
    limits,
    org::Org,
    tailnet::in_tailnet,
};
use domain::{
    Did, Problem, Timestamp,
    announcement::{self, Announcement, WaitingRun},
    capacity::{Capacity, Resources, Taken},
    event::Body,
    lend::Condition,
    limits::ANNOUNCED_WAITING_MAX,
    manifest::Class,
};
use identity::{certificate::Sign, envelope};
use mesh::{Doubles, Dropped, Gossip, GossipConfig, Heard, Mover, Place, RoundTrips, tailnet::policy};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Instant,
};
use store::Recorded;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

/// What is heard of the others, by device.
pub(super) type AllHeard = watch::Receiver<Arc<BTreeMap<Did, Heard>>>;

/// The gossip of an org on this device, once it is open.
pub(super) struct Open {
    pub(super) mover: Mover,
    /// Where it was at the start.
    home: Place,
    pub(super) heard: AllHeard,
    pub(super) round_trips: RoundTrips,
    dropped: Box<dyn Fn() -> Dropped + Send + Sync>,
    doubles: Doubles,
    started: Timestamp,
}

/// What of the others' gossip was dropped since the start, by reason; nothing before gossip is open.
pub fn dropped(org: &Org) -> Vec<(&'static str, u64)> {
    org.remote.gossip.get().map(|open| (open.dropped)().by_reason().to_vec()).unwrap_or_default()
}

/// The devices whose key two processes use now, this one too, each with when that was noticed last; nothing before gossip is open.
pub(crate) fn doubles(org: &Org) -> BTreeMap<Did, Timestamp> {
    org.remote.gossip.get().map(|open| open.doubles.at(clock::now())).unwrap_or_default()
}

/// Begins to hear the gossip of the org's devices.
///
/// # Errors
/// When the address cannot be used.
pub(crate) async fn listen(org: &Arc<Org>) -> Result<Gossip, Problem> {
    let (dir, listens) = (org.dir.clone(), org.options.listens);
    let chosen = crate::org::blocking(move || port::choose_gossip(&dir, listens)).await?;
    let (listen, advertised) = reached_at(org, chosen);
    let signing = org.forge.clone();
    let sign: Sign = Arc::new(move |message: &[u8]| Ok(signing.sign_as_device(message)));
    let known = org.remote.known.clone();
    let member: Arc<dyn Fn(&Did) -> bool + Send + Sync> =
        Arc::new(move |did: &Did| known.read().unwrap_or_else(PoisonError::into_inner).contains(did));
    let at = clock::now();
    let started = Gossip::start(GossipConfig {
        org: org.name.clone(),
        device: org.device.clone(),
        sign,
        member,
        devices: org.remote.org().devices.len(),
        listen,
        advertised,
        // Of two starts the later one counts.
        generation: u64::try_from(at.0).unwrap_or_default(),
        now: Arc::new(clock::now),
    });
    let next = "Give another address of this machine with --gossip-listen (port 0 takes a free one).";
    let gossip = started.await.map_err(|problem| problem.next(next))?;
    let (mover, home) = (gossip.mover(), gossip.mover().place());
    let (heard, round_trips, dropped) = (gossip.heard(), gossip.round_trips(), gossip.drops());
    let doubles = gossip.doubles();
    let _ = org.remote.gossip.set(Open { mover, home, heard, round_trips, dropped, doubles, started: at });
    Ok(gossip)
}

/// Where it listens, and where others reach it, if that is elsewhere. Who listens on all addresses is reached where this device's file
/// says, or beside its mesh port; where the file says nothing, on this machine alone.
fn reached_at(org: &Org, chosen: SocketAddr) -> (SocketAddr, Option<SocketAddr>) {
    if !chosen.ip().is_unspecified() {
        return (chosen, None);
    }
    let state = org.remote.org();
    // An earlier start on loopback may have left an address that nobody else reaches.
    let of = |list: &[String]| list.iter().filter_map(|text| text.parse::<SocketAddr>().ok()).find(|at| !at.ip().is_loopback());
    let own = state.device_of(&org.device);
    let told = own.and_then(|own| of(&own.gossip).or_else(|| Some(SocketAddr::new(of(&own.addresses)?.ip(), chosen.port()))));
    if told.is_none() {
        let next = "meshwork org device <name> --gossip HOST:PORT says it";
        tracing::warn!(next, "nobody knows where this device's gossip is reached: it is heard on this machine alone");
    }
    told.map_or_else(|| (SocketAddr::from((Ipv4Addr::LOCALHOST, chosen.port())), None), |told| (chosen, Some(told)))
}

/// Has the gossip be reached at the tailnet address, and says where that is. No door passes UDP on: what listens on this machine alone
/// moves to that address. None: a person chose an address of their own, or none can be bound there now.
pub(crate) async fn enter_tailnet(org: &Org, ip: IpAddr) -> Option<SocketAddr> {
    let open = org.remote.gossip.get()?;
    let (now, home) = (open.mover.place(), open.home.address);
    if now.address.ip() == ip {
        return Some(now.advertised);
    }
    if home.ip().is_unspecified() && home.is_ipv4() == ip.is_ipv4() {
        // It listens there too.
        if told_by_hand(org) {
            return None;
        }
        let moved = open.mover.move_to(home, Some(SocketAddr::new(ip, home.port()))).await;
        return moved.map(|place| place.advertised).inspect_err(|problem| tracing::debug!(%problem, "gossip stays")).ok();
    }
    if !home.ip().is_loopback() {
        return None;
    }
    for port in [policy::GOSSIP, home.port(), 0] {
        match open.mover.move_to(SocketAddr::new(ip, port), None).await {
            Ok(place) => {
                tracing::info!(at = %place.address, "gossip is heard in the tailnet");
                return Some(place.address);
            }
            Err(problem) => tracing::debug!(%problem, "gossip cannot listen there"),
        }
    }
    None
}

/// Whether somebody wrote into this device's file another address than one of the tailnet, or of the machine alone.
fn told_by_hand(org: &Org) -> bool {
    let by_hand = |at: &String| in_tailnet(at).is_none() && !at.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback());
    org.remote.org().device_of(&org.device).is_some_and(|own| own.gossip.iter().any(by_hand))
}

/// Has the gossip be where it was at the start.
pub(crate) async fn leave_tailnet(org: &Org) {
    let Some(open) = org.remote.gossip.get() else { return };
    if let Err(problem) = open.mover.move_to(open.home.address, Some(open.home.advertised)).await {
        tracing::warn!(%problem, "gossip stays at the address of the tailnet that the org had");
    }
}

/// Announces this device until the org closes: when something happens that may change what it has to say, and now and then, which is also
/// when it is looked what lies on its disk.
pub(crate) async fn announce(org: Arc<Org>, gossip: Gossip) {
    let (mut closing, mut events, mut lending) = (org.closing.subscribe(), org.store.subscribe(), org.lending.changes());
    org.tasks.spawn(wake_on_news(org.clone(), gossip.heard()));
    let (mut said, mut seeds, mut others_took) = (None, vec![], None);
    loop {
        let known = others(&org);
        if known != seeds {
            gossip.set_seeds(known.clone());
            seeds = known;
        }
        let mut next = limits::ANNOUNCE_EVERY;
        let begun = Instant::now();
        match say(&org, &gossip, said.as_ref()).await {
            Ok(None) => {}
            Ok(new) => said = new,
            Err(problem) => {
                tracing::warn!(%problem, "this device could not announce itself; it is tried again");
                next = limits::ANNOUNCE_AGAIN;
            }
        }
        // Where it takes long to say, with many runs here, it is said less often.
        let rest = limits::ANNOUNCE_COALESCE.max(begun.elapsed() * limits::ANNOUNCE_REST).min(limits::ANNOUNCE_AGAIN);
        let more_follows = tokio::select! {
            () = moved(&mut events) => true,
            () = others_moved(&org, &mut others_took) => false,
            () = org.remote.learned.notified() => false,
            () = org.queue.changed.notified() => false,
            _ = lending.changed() => false,
            () = tokio::time::sleep(next) => false,
            _ = closing.wait_for(|c| *c) => break,
        };
        if more_follows {
            tokio::time::sleep(rest).await;
        }
    }
    gossip.stop().await;
}

/// The runs of other devices that wait for room of this one, as those that are heard now announce it.
pub(crate) fn waiting_here(org: &Org) -> Vec<(Did, WaitingRun)> {
    let Some(open) = org.remote.gossip.get() else { return vec![] };
    let heard = open.heard.borrow();
    let live = heard.iter().filter(|(device, heard)| heard.live && **device != org.device);
    let of = |(device, heard): (&Did, &Heard)| {
        let here = heard.announcement.waiting.iter().take(ANNOUNCED_WAITING_MAX).filter(|waiting| waiting.at.contains(&org.device));
        here.map(|waiting| (device.clone(), waiting.clone())).collect::<Vec<_>>()
    };
    live.flat_map(of).collect()
}

/// Where the gossip of the org's other devices is reached.
fn others(org: &Org) -> Vec<String> {
    let state = org.remote.org();
    state.devices.values().filter(|device| device.did != org.device).flat_map(|device| device.gossip.clone()).collect()
}

/// Has the dispatcher look again at runs that wait for room, when something new is heard of other devices, and the queue be told anew, when
/// others' runs wait for this device.
async fn wake_on_news(org: Arc<Org>, mut heard: AllHeard) {
    let (mut closing, mut known, mut line) = (org.closing.subscribe(), BTreeMap::new(), vec![]);
    loop {
        tokio::select! {
            news = heard.changed() => if news.is_err() {
                return;
            },
            _ = closing.wait_for(|c| *c) => return,
        }
        let waiting = waiting_here(&org);
        if waiting != line {
            org.queue.changed.notify_one();
            line = waiting;
        }
        // Where no run waits for room, nobody compares: the first news after one does wakes in any case.
        if org.remote.hungry.load(Ordering::Relaxed) {
            let now: BTreeMap<Did, (bool, Announcement)> =
                heard.borrow_and_update().iter().map(|(did, heard)| (did.clone(), (heard.live, news(&heard.announcement)))).collect();
            if now != known {
                org.wake.notify_one();
            }
            known = now;
        }
        tokio::time::sleep(limits::ANNOUNCE_COALESCE).await;
    }
}

/// Returns when a run took of this device's room, or may have given some back.
async fn moved(events: &mut broadcast::Receiver<Recorded>) {
    loop {
        match events.recv().await {
            Ok(recorded) if matches!(&recorded.event.body, Body::RunLeased { .. } | Body::RunMoved { .. }) => return,
            Ok(_) => {}
            // What was missed may be that.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}

/// Returns when other orgs of this machine took room, or gave some back, since `known`: their processes tell in files.
async fn others_moved(org: &Arc<Org>, known: &mut Option<Taken>) {
    loop {
        // Where one has not told yet, it counts as nothing, as in what is announced.
        let now = org.blocking(|org| Ok(org.room.others().unwrap_or_default())).await.ok();
        let before = std::mem::replace(known, now);
        if before.is_some() && before != now {
            return;
        }
        tokio::time::sleep(limits::ANNOUNCE_OTHERS_LOOK_EVERY).await;
    }
}

/// What was announced last, and when.
struct Said {
    announcement: Announcement,
    at: Instant,
}

/// This device as others are to see it: of its slots those that guests may have.
fn to_others(org: &Org) -> Result<devices::Told, Problem> {
    let mut told = devices::here(org, Class::Agent)?;
    if let Some(slots) = lending::now(org).policy.slots {
        let guests = guests::running(org)?.iter().filter(|run| run.class != Class::Ci).count();
        let free = slots.saturating_sub(u32::try_from(guests).unwrap_or(u32::MAX));
        told.capacity.slots_free = told.capacity.slots_free.min(free);
    }
    Ok(told)
}

/// Announces this device, if that is due. Gives what was said.
async fn say(org: &Arc<Org>, gossip: &Gossip, before: Option<&Said>) -> Result<Option<Said>, Problem> {
    let told = org.blocking(|org| to_others(org)).await?;
    let at = clock::now();
    let number = u64::try_from(at.0).unwrap_or_default().max(before.map_or(0, |said| said.announcement.number + 1));
    let announcement = Announcement {
        version: announcement::VERSION,
        org: org.name.clone(),
        device: org.device.clone(),
        number,
        at,
        started: org.remote.gossip.get().map_or(at, |open| open.started),
        capacity: told.capacity,
        condition: told.condition,
        reclaimed: told.reclaimed,
        repositories: told.repositories,
        worked_at: told.worked_at,
        engines: told.engines,
        waiting: org.queue.announced(&org.device),
        queue: told.queue,
        gives_way: told.gives_way,
    };
    let still = |said: &Said| said.at.elapsed() < limits::ANNOUNCE_EVERY && news(&said.announcement) == news(&announcement);
    if before.is_some_and(still) {
        return Ok(None);
    }
    let signing = org.forge.clone();
    let said = fault::stated(&announcement)?;
    let sealed = envelope::seal(&said, announcement::PAYLOAD_TYPE, &org.device, move |m| Ok(signing.sign_as_device(m)))?;
    let text = String::from_utf8(sealed.to_json()?).map_err(Problem::internal)?;
    gossip.announce(text);
    Ok(Some(Said { announcement, at: Instant::now() }))
}

/// What of an announcement is worth telling at once. What changes all the time (free disk, a little memory, how long nobody typed) is told
/// now and then.
fn news(said: &Announcement) -> Announcement {
    let memory_bytes = said.capacity.free.memory_bytes / limits::ANNOUNCE_MEMORY_STEP_BYTES;
    let free = Resources { disk_bytes: 0, memory_bytes, ..said.capacity.free };
    let capacity = Capacity { free, ..said.capacity.clone() };
    let condition = Condition { idle_s: None, battery_percent: None, ..said.condition };
    Announcement { number: 0, at: Timestamp(0), capacity, condition, ..said.clone() }
}
