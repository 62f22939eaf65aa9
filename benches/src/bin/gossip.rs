//! Gossip: how soon a changed announcement is known to `DEVICES` devices (100 where nothing is said), and how soon one of 20 that
//! stops is suspected by the others. All devices are in this process, on loopback, so that their processors are shared.
//!
//! `cargo run -p benches --bin gossip`. Its peer is Serf (Debian's `serf`, or `$SERF`) with as many agents, each a process: how soon an
//! event is known to all, told by a handler that makes a file, with the profile `local`. Without it that is said. The last line is JSON.
//! The goals: known to 100 devices within 2 s; suspected within 1 s; nobody suspected who is there.

use anyhow::{Context, Result, ensure};
use benches::percentile;
use domain::{
    Did, Timestamp,
    announcement::{Announcement, PAYLOAD_TYPE, VERSION},
};
use identity::Key;
use mesh::{Gossip, GossipConfig, Heard};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How many times something is announced.
const ROUNDS: usize = 10;
/// With how many devices suspicion is looked at.
const SUSPECTING: usize = 20;
/// How long all are left alone, to see what that costs and whether any is suspected.
const ALONE: Duration = Duration::from_secs(10);
/// Beside how many processes that only burn time, and for how long, nobody is to be suspected.
const HOGS: usize = 6;
const BESIDE_HOGS: Duration = Duration::from_secs(30);
/// How long finding each other, or one round, may take.
const LONG: Duration = Duration::from_secs(60);
/// What we want.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
const SUSPECTED_WITHIN: Duration = Duration::from_secs(1);

type Picture = watch::Receiver<Arc<BTreeMap<Did, Heard>>>;

struct Device {
    key: Arc<Key>,
    gossip: Gossip,
}

/// What a group of devices did while it was left alone.
struct Quiet {
    /// Of one core, for each device, in percent.
    cpu_percent: f64,
    /// How many times a device was suspected by another, though it was there.
    alarms: usize,
}

/// Processes that only burn time, until this is dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start(count: usize) -> Result<Self> {
        let mut hogs = Self(Vec::with_capacity(count));
        for _ in 0..count {
            hogs.0.push(Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn()?);
        }
        Ok(hogs)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let count = std::env::var("DEVICES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_usize);
    ensure!((2..=250).contains(&count), "DEVICES is from 2 to 250");

    let group = start(count).await?;
    let found = found(&group).await?;
    let (known, rounds) = spread(&group).await?;
    let quiet = alone(&group, ALONE).await?;
    end(group).await;
    println!("{:44} {:>10} {:>10}", "", "p50 ms", "max ms");
    row(&format!("announced until known, {count} devices"), &known);
    row(&format!("announced until known to all of {count}"), &rounds);

    let few = start(SUSPECTING).await?;
    self::found(&few).await?;
    let quiet_few = alone(&few, ALONE).await?;
    let hogs = Hogs::start(HOGS)?;
    let beside_hogs = alone(&few, BESIDE_HOGS).await?.alarms;
    drop(hogs);
    let suspected = suspicion(few).await?;
    row(&format!("stopped until suspected, {SUSPECTING} devices"), &suspected);

    let serf = serf(count)?;
    match &serf {
        Some(rounds) => row(&format!("Serf: event until known to all of {count}"), rounds),
        None => println!("Serf is not installed (Debian: serf): it is not beside these figures"),
    }
    println!("all {count} found each other in {:.1} s", found.as_secs_f64());
    for (of, quiet) in [(count, &quiet), (SUSPECTING, &quiet_few)] {
        println!("{of} devices left alone: {:.2} % of a core each, {} false alarms in {ALONE:?}", quiet.cpu_percent, quiet.alarms);
    }
    println!("{SUSPECTING} devices beside {HOGS} hogs: {beside_hogs} false alarms in {BESIDE_HOGS:?}");
    let line = json!({
        "bench": "gossip", "devices": count, "rounds": ROUNDS, "found_ms": ms(found),
        "known_p50_ms": ms(percentile(&known, 0.5)), "all_p50_ms": ms(percentile(&rounds, 0.5)), "all_max_ms": ms(percentile(&rounds, 1.0)),
        "suspecting": SUSPECTING, "suspected_p50_ms": ms(percentile(&suspected, 0.5)), "suspected_max_ms": ms(percentile(&suspected, 1.0)),
        "cpu_percent": quiet.cpu_percent, "alarms": quiet.alarms, "cpu_percent_few": quiet_few.cpu_percent, "alarms_few": quiet_few.alarms, "alarms_hogs": beside_hogs,
        "serf_all_p50_ms": serf.as_ref().map(|rounds| ms(percentile(rounds, 0.5))),
        "serf_all_max_ms": serf.as_ref().map(|rounds| ms(percentile(rounds, 1.0))),
        "known_met": percentile(&rounds, 1.0) <= KNOWN_WITHIN,
        "suspected_met": percentile(&suspected, 1.0) <= SUSPECTED_WITHIN && quiet_few.alarms + beside_hogs == 0,
    });
    println!("{line}");
    Ok(())
}

fn row(name: &str, sorted: &[Duration]) {
    println!("{name:44} {:>10.0} {:>10.0}", ms(percentile(sorted, 0.5)), ms(percentile(sorted, 1.0)));
}

fn ms(of: Duration) -> f64 {
    (of.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Devices of one org, each knowing where the first one is.
async fn start(count: usize) -> Result<Vec<Device>> {
    let keys = (0..count).map(|n| Ok(Arc::new(Key::from_seed(&[u8::try_from(n)?; 32])))).collect::<Result<Vec<_>>>()?;
    let members: Arc<BTreeSet<Did>> = Arc::new(keys.iter().map(|key| key.did()).collect());
    let mut group: Vec<Device> = Vec::with_capacity(count);
    for key in keys {
        let (members, signing) = (members.clone(), key.clone());
        let config = GossipConfig {
            org: "bench".parse()?,
            device: key.did(),
            sign: Arc::new(move |bytes: &[u8]| Ok(signing.sign(bytes))),
            member: Arc::new(move |did: &Did| members.contains(did)),
            devices: count,
            listen: ([127, 0, 0, 1], 0).into(),
            advertised: None,
            generation: 1,
            now: Arc::new(now),
        };
        let gossip = Gossip::start(config).await?;
        if let Some(first) = group.first() {
            gossip.set_seeds(vec![first.gossip.address().to_string()]);
        }
        gossip.announce(sealed(&key, 1)?);
        group.push(Device { key, gossip });
    }
    Ok(group)
}

async fn end(group: Vec<Device>) {
    for device in group {
        device.gossip.stop().await;
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// An announcement of about the size that a real one has.
fn sealed(key: &Key, number: u64) -> Result<String> {
    let some = json!({"cpu_milli": 16_000, "memory_bytes": 64_000_000_000_u64, "disk_bytes": 500_000_000_000_u64, "gpus": 0});
    let repositories: Vec<String> = (1..9).map(|n| format!("rad:z3gqcJUoA1n9HaHKufZs5FCSGaz{n}")).collect();
    let announcement: Announcement = serde_json::from_value(json!({
        "version": VERSION, "org": "bench", "device": key.did(), "number": number, "at": now(), "started": 1, "repositories": repositories,
        "engines": ["codex", "opencode", "claude"],
        "capacity": {
            "total": some, "free": some, "tags": {"gpu": "false", "site": "home"}, "runtimes": ["local"], "classes": ["agent", "ci"],
            "slots": 4, "slots_free": 3,
        },
    }))?;
    let envelope = identity::envelope::seal(&announcement, PAYLOAD_TYPE, &key.did(), |bytes| Ok(key.sign(bytes)))?;
    Ok(String::from_utf8(envelope.to_json()?)?)
}

/// How long it takes until each hears all others.
async fn found(group: &[Device]) -> Result<Duration> {
    let begun = Instant::now();
    let mut waiting = JoinSet::new();
    for device in group {
        let others = group.len() - 1;
        waiting.spawn(until(device.gossip.heard(), begun, move |all| all.values().filter(|heard| heard.live).count() == others));
    }
    Ok(all(waiting).await?.last().copied().unwrap_or_default())
}

/// The time when what is heard is so.
async fn until(mut heard: Picture, begun: Instant, is_so: impl Fn(&BTreeMap<Did, Heard>) -> bool) -> Result<Duration> {
    timeout(LONG, heard.wait_for(|all| is_so(all))).await.context("it took too long")??;
    Ok(begun.elapsed())
}

async fn all(mut waiting: JoinSet<Result<Duration>>) -> Result<Vec<Duration>> {
    let mut took = vec![];
    while let Some(one) = waiting.join_next().await {
        took.push(one??);
    }
    took.sort_unstable();
    Ok(took)
}

/// Times until a device knew what another announced, and until all did; each sorted.
async fn spread(group: &[Device]) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut known, mut rounds) = (Vec::<Duration>::new(), Vec::<Duration>::new());
    for round in 0..ROUNDS {
        let at = round * 7 % group.len();
        let (device, number) = (&group[at], round as u64 + 2);
        let envelope = sealed(&device.key, number)?;
        let (mut waiting, begun) = (JoinSet::new(), Instant::now());
        for other in group.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, other)| other) {
            let did = device.key.did();
            let knows = move |all: &BTreeMap<Did, Heard>| all.get(&did).is_some_and(|heard| heard.announcement.number == number);
            waiting.spawn(until(other.gossip.heard(), begun, knows));
        }
        device.gossip.announce(envelope);
        let took = all(waiting).await?;
        rounds.extend(took.last());
        known.extend(took);
    }
    known.sort_unstable();
    rounds.sort_unstable();
    Ok((known, rounds))
}

/// Leaves all alone for a while.
async fn alone(group: &[Device], time: Duration) -> Result<Quiet> {
    let mut watching = JoinSet::new();
    for device in group {
        watching.spawn(alarms(device.gossip.heard(), time));
    }
    let before = cpu()?;
    let mut alarms = 0;
    while let Some(seen) = watching.join_next().await {
        alarms += seen?;
    }
    let spent = cpu()?.saturating_sub(before).as_secs_f64();
    Ok(Quiet { cpu_percent: (spent / time.as_secs_f64() / group.len() as f64 * 10_000.0).round() / 100.0, alarms })
}

/// How many times one of the others is suspected meanwhile.
async fn alarms(mut heard: Picture, time: Duration) -> usize {
    let (mut alarms, mut live) = (0, BTreeSet::<Did>::new());
    let end = sleep(time);
    tokio::pin!(end);
    loop {
        let now: BTreeSet<Did> = heard.borrow_and_update().iter().filter(|(_, heard)| heard.live).map(|(did, _)| did.clone()).collect();
        alarms += live.difference(&now).count();
        live = now;
        tokio::select! {
            () = &mut end => return alarms,
            changed = heard.changed() => if changed.is_err() { return alarms },
        }
    }
}

/// Times from a device's stop until each other suspects it, sorted.
async fn suspicion(mut group: Vec<Device>) -> Result<Vec<Duration>> {
    let gone = group.pop().context("no device")?;
    let (mut waiting, begun) = (JoinSet::new(), Instant::now());
    for other in &group {
        let did = gone.key.did();
        waiting.spawn(until(other.gossip.heard(), begun, move |all| all.get(&did).is_some_and(|heard| !heard.live)));
    }
    gone.gossip.stop().await;
    let took = all(waiting).await?;
    end(group).await;
    Ok(took)
}

/// Processor time of this process until now: user and system time of `/proc/self/stat`, in ticks of 10 ms.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("no name in /proc/self/stat")?.1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap_or(0)).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Agents of Serf; ended when dropped.
struct Agents(Vec<Child>);

impl Drop for Agents {
    fn drop(&mut self) {
        for agent in &mut self.0 {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

/// Times until an event was known to all agents, sorted; none where Serf is not there.
fn serf(count: usize) -> Result<Option<Vec<Duration>>> {
    let program = std::env::var("SERF").unwrap_or_else(|_| "serf".to_owned());
    let there = Command::new(&program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let dir = tempfile::tempdir()?;
    let held = (0..count * 2).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<Vec<_>>>()?;
    let ports = held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<Vec<u16>>>()?;
    drop(held);
    let (binds, rpcs) = ports.split_at(count);
    let mut agents = Agents(vec![]);
    for (n, (bind, rpc)) in binds.iter().zip(rpcs).enumerate() {
        let mut agent = Command::new(&program);
        agent.args(["agent", "-profile=local", "-log-level=err", &format!("-node=n{n}"), &format!("-bind=127.0.0.1:{bind}")]);
        agent.args([format!("-rpc-addr=127.0.0.1:{rpc}"), format!("-event-handler=user:free=touch {}/{n}", dir.path().display())]);
        if n > 0 {
            agent.args(["-retry-interval=1s", &format!("-retry-join=127.0.0.1:{}", binds[0])]);
        }
        agents.0.push(agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    }
    let seed = format!("-rpc-addr=127.0.0.1:{}", rpcs[0]);
    let members = || -> Result<bool> {
        let output = Command::new(&program).args(["members", "-status=alive", &seed]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().count() == count)
    };
    wait(Duration::from_millis(500), members).context("Serf's agents did not find each other")?;
    let mut rounds = vec![];
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let rpc = format!("-rpc-addr=127.0.0.1:{}", rpcs[round * 7 % count]);
        let asked = Command::new(&program).args(["event", "-coalesce=false", &rpc, "free", "3"]).stdout(Stdio::null()).status()?;
        ensure!(asked.success(), "serf event failed");
        wait(Duration::from_millis(2), || Ok(files(dir.path())? == count)).context("an event of Serf did not reach all agents")?;
        rounds.push(begun.elapsed());
        for n in 0..count {
            std::fs::remove_file(dir.path().join(n.to_string()))?;
        }
    }
    rounds.sort_unstable();
    Ok(Some(rounds))
}

fn files(dir: &Path) -> Result<usize> {
    Ok(std::fs::read_dir(dir)?.count())
}

/// Looks again and again until it is so.
fn wait(pause: Duration, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < LONG, "it took too long");
        std::thread::sleep(pause);
    }
    Ok(())
}
