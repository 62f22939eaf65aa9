//! How long a placement decision takes at 5,000 devices: `domain::placement::plan`, beside `explain`, which says the same of every
//! device with its reasons; and beside kube-scheduler.
//!
//! `placement [devices] [decisions]`. Devices and requests are random, from a fixed seed, of many shapes. Before it measures, it checks
//! that both agree. Prints a table and, as its last line, one JSON object. Exit code 1 when the wanted figure is missed.
//!
//! kube-scheduler places 500 pods, pending all at once, on 1,000 nodes without a kubelet; beside it are our decisions for as many
//! devices. Its processor time is that of its process while they are bound, so it includes what it tells the API server; what its
//! algorithm alone takes is in its own metrics. Where `MESHWORK_SERVERS` has no such programs that is said.

use anyhow::{Result, bail, ensure};
use benches::{cpu, kube};
use domain::{
    Did, Rid, Timestamp,
    capacity::{Capacity, Lane, Resources, Runtime},
    lend::Reclaim,
    limits::ASK_MAX,
    manifest::{self, Class, Manifest, Network, TimeLimits, Work},
    placement::{Avoid, Candidate, Request, Snapshot, explain, plan},
    usage::Budget,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

/// What is wanted at the 99th percentile, in nanoseconds.
const WANTED_P99_NS: u64 = 50_000;
const DEVICES_DEFAULT: usize = 5_000;
const DECISIONS_DEFAULT: usize = 10_000;
/// Beside kube-scheduler.
const NODES: usize = 1_000;
const PODS: usize = 500;
/// How many times less processor time than kube-scheduler's we want.
const WANTED_RATIO: f64 = 10.0;
/// Of how many decisions it is checked that the slow way says the same.
const CHECKED: usize = 200;
/// How many different requests there are; they come in turn.
const REQUESTS: usize = 1_000;
const REPOSITORIES: u64 = 200;
const MEMBERS: u64 = 60;
const NOW: Timestamp = Timestamp(1_000);
const ENGINES: [&str; 5] = ["codex", "claude", "opencode", "gemini", "copilot"];
const REGIONS: [&str; 4] = ["eu-central-1", "us-east-1", "ap-southeast-2", "home"];

fn main() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let devices: usize = args.next().map_or(Ok(DEVICES_DEFAULT), |n| n.parse())?;
    let decisions: usize = args.next().map_or(Ok(DECISIONS_DEFAULT), |n| n.parse())?;
    if decisions < 1_000 {
        bail!("at least 1000 decisions are wanted for a 99th percentile");
    }
    let world = World::of(devices)?;
    let nowhere = world.agree()?;
    let fast = world.plans(decisions)?;
    let slow =
        time(world.askings.iter().take(CHECKED), |asking| drop(black_box(explain(&asking.request(&world.readers), &world.snapshot))))?;
    // More of them, since processor time is told in ticks of 10 ms.
    let few = World::of(NODES)?.plans(decisions * 10)?;
    let peer = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(kube::schedule(NODES, PODS));

    println!("{:<34}{:>10}{:>10}{:>10}{:>10}", "a decision, in us", "p50", "p99", "max", "cpu");
    for (name, times) in [("plan: whom to ask", &fast), ("explain: every device's verdict", &slow)] {
        println!("{name:<34}{:>10.1}{:>10.1}{:>10.1}{:>10.1}", times.us(50), times.us(99), times.us(100), times.cpu_us());
    }
    println!(
        "{devices} devices, {decisions} decisions; {nowhere} of {CHECKED} requests fit nowhere; to put a device takes {:.1} us",
        world.put_us
    );
    let ratio = peer.as_ref().ok().map(|peer| peer.cpu_us / few.cpu_us().max(0.001));
    match &peer {
        Ok(peer) => println!(
            "{NODES} devices: {:.1} CPU-us a decision; kube-scheduler with {NODES} nodes: {:.0} CPU-us a pod, its algorithm {:.0} us ({PODS} pods, bound in {:.1} s)",
            few.cpu_us(),
            peer.cpu_us,
            peer.algorithm_us.unwrap_or(f64::NAN),
            peer.took.as_secs_f64()
        ),
        Err(why) => println!("kube-scheduler is not beside these figures: {why:#}"),
    }
    let met = fast.at_ns(99) <= WANTED_P99_NS;
    let figure = serde_json::json!({
        "figure": "placement", "devices": devices, "decisions": decisions,
        "p50_us": fast.us(50), "p99_us": fast.us(99), "max_us": fast.us(100), "cpu_us_per_decision": fast.cpu_us(),
        "explain_p50_us": slow.us(50), "explain_p99_us": slow.us(99), "put_us": world.put_us,
        "nodes": NODES, "nodes_cpu_us_per_decision": few.cpu_us(), "kube_cpu_us_per_pod": peer.as_ref().ok().map(|peer| peer.cpu_us),
        "kube_algorithm_us": peer.as_ref().ok().and_then(|peer| peer.algorithm_us), "kube_ratio": ratio, "wanted_ratio": WANTED_RATIO,
        "kube_met": ratio.map(|ratio| ratio >= WANTED_RATIO),
        "wanted_p99_us": WANTED_P99_NS as f64 / 1000.0, "met": met,
    });
    println!("{figure}");
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Devices, and what is asked of them.
struct World {
    snapshot: Snapshot,
    readers: Vec<BTreeSet<Did>>,
    askings: Vec<Asking>,
    /// What it took to put a device in, in microseconds.
    put_us: f64,
}

impl World {
    fn of(devices: usize) -> Result<Self> {
        let (mut random, mut snapshot) = (Random(42), Snapshot::new());
        let begun = Instant::now();
        for _ in 0..devices {
            snapshot.put(candidate(&mut random)?);
        }
        let put_us = begun.elapsed().as_secs_f64() * 1e6 / devices.max(1) as f64;
        let names: Vec<Did> = snapshot.iter().map(|candidate| candidate.device.clone()).collect();
        let readers = [20, 200, devices / 2, devices].map(|n| random.some(&names, n)).into();
        let askings = (0..REQUESTS).map(|_| Asking::new(&mut random, &names)).collect::<Result<Vec<_>>>()?;
        Ok(Self { snapshot, readers, askings, put_us })
    }

    /// Makes sure that the plan is the first of what is explained; says for how many requests no device is found.
    fn agree(&self) -> Result<usize> {
        let mut nowhere = 0;
        for asking in self.askings.iter().take(CHECKED) {
            let request = asking.request(&self.readers);
            let (fast, slow) = (plan(&request, &self.snapshot), explain(&request, &self.snapshot).order);
            ensure!(fast[..] == slow[..slow.len().min(ASK_MAX)], "the plan and its explanation do not agree");
            nowhere += usize::from(fast.is_empty());
        }
        ensure!(nowhere * 2 < CHECKED, "of {CHECKED} requests {nowhere} fit nowhere: this measures nothing");
        Ok(nowhere)
    }

    fn plans(&self, decisions: usize) -> Result<Times> {
        let decide = |asking: &Asking| drop(black_box(plan(&asking.request(&self.readers), &self.snapshot)));
        time(self.askings.iter(), decide)?;
        time(self.askings.iter().cycle().take(decisions), decide)
    }
}

/// Times of one way, in nanoseconds, sorted; and the processor time of all together.
struct Times {
    sorted_ns: Vec<u64>,
    cpu: Duration,
}

impl Times {
    fn at_ns(&self, percent: usize) -> u64 {
        let last = self.sorted_ns.len().saturating_sub(1);
        self.sorted_ns.get((self.sorted_ns.len() * percent / 100).min(last)).copied().unwrap_or(0)
    }

    fn us(&self, percent: usize) -> f64 {
        self.at_ns(percent) as f64 / 1000.0
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.sorted_ns.len().max(1) as f64
    }
}

fn time<'a>(askings: impl Iterator<Item = &'a Asking>, decide: impl Fn(&Asking)) -> Result<Times> {
    let (before, mut sorted_ns) = (cpu("self")?, vec![]);
    for asking in askings {
        let begun = Instant::now();
        decide(asking);
        sorted_ns.push(u64::try_from(begun.elapsed().as_nanos())?);
    }
    let cpu = cpu("self")?.saturating_sub(before);
    sorted_ns.sort_unstable();
    Ok(Times { sorted_ns, cpu })
}

/// Numbers that look random and are the same each time (SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn some(&mut self, names: &[Did], count: usize) -> BTreeSet<Did> {
        if count >= names.len() {
            return names.iter().cloned().collect();
        }
        (0..count).map(|_| names[self.below(names.len() as u64) as usize].clone()).collect()
    }

    fn did(&mut self) -> Result<Did> {
        const LETTERS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        let key: String = (0..44).map(|_| char::from(LETTERS[self.below(LETTERS.len() as u64) as usize])).collect();
        Ok(format!("did:key:z6Mk{key}").parse()?)
    }
}

fn repository(n: u64) -> Result<Rid> {
    Ok(format!("rad:z{n:028}").parse()?)
}

fn member(random: &mut Random) -> String {
    format!("member-{}", random.below(MEMBERS))
}

/// A machine as people have it: from a small laptop to a large server, half used, some with GPUs, some not to be had now.
fn candidate(random: &mut Random) -> Result<Candidate> {
    let cores = 2u64 << random.below(6);
    let (slots, gpus) = (u32::try_from(cores / 2)?, if random.percent(10) { 1 + u32::try_from(random.below(4))? } else { 0 });
    let total = Resources { cpu_milli: cores * 1000, memory_bytes: cores << (31 + random.below(2)), disk_bytes: cores << 35, gpus };
    let used = random.below(101);
    let part = |all: u64| all - all * used / 100;
    let free = Resources {
        cpu_milli: part(total.cpu_milli),
        memory_bytes: part(total.memory_bytes),
        disk_bytes: part(total.disk_bytes),
        gpus: u32::try_from(part(gpus.into()))?,
    };
    let mut tags = BTreeMap::from([("region".to_owned(), random.of(&REGIONS).to_owned())]);
    if gpus > 0 {
        tags.insert("gpu".into(), "true".into());
    }
    let runtimes = if random.percent(20) { vec![Runtime::Local, Runtime::Kubernetes] } else { vec![Runtime::Local] };
    let classes = if random.percent(80) { vec![Class::Agent, Class::Ci] } else { vec![Class::Ci] };
    let slots_free = u32::try_from(part(slots.into()))?;
    let mut repositories = vec![];
    for _ in 0..random.below(20) {
        repositories.push(repository(random.below(REPOSITORIES))?);
    }
    Ok(Candidate {
        device: random.did()?,
        owner: member(random),
        capacity: Capacity { total, free, tags, gpus: vec![], runtimes, classes, slots, slots_free, others: Lane::default() },
        reclaimed: random.percent(15).then_some(Reclaim::Present),
        repositories,
        worked_at: u32::MAX,
        engines: ENGINES.iter().filter(|_| random.percent(70)).map(|engine| (*engine).to_owned()).collect(),
        suspected: random.percent(3),
        round_trip_ms: random.percent(90).then(|| random.below(200) as u32),
    })
}

/// A request, with what it borrows.
struct Asking {
    manifest: Manifest,
    member: String,
    engine: Option<&'static str>,
    /// Which of the sets of readers, if any.
    readers: Option<usize>,
    avoid: BTreeMap<Did, Avoid>,
}

impl Asking {
    fn new(random: &mut Random, names: &[Did]) -> Result<Self> {
        let cores = 1 + random.below(4);
        let resources = Resources {
            cpu_milli: cores * 1000,
            memory_bytes: (1 + random.below(4)) << 30,
            disk_bytes: 4 << 30,
            gpus: u32::from(random.percent(5)),
        };
        let mut tags = BTreeMap::new();
        if random.percent(20) {
            tags.insert("region".to_owned(), random.of(&REGIONS).to_owned());
        }
        if resources.gpus > 0 {
            tags.insert("gpu".into(), "true".into());
        }
        let class = if random.percent(60) { Class::Agent } else { Class::Ci };
        let refused = |device| (device, Avoid::RefusedBefore { message: "All its slots are taken.".into() });
        let avoided = random.below(9) as usize;
        Ok(Self {
            manifest: manifest(random, class, resources, tags)?,
            member: member(random),
            engine: (class == Class::Agent).then(|| random.of(&ENGINES)),
            readers: random.percent(30).then(|| random.below(4) as usize),
            avoid: random.some(names, avoided).into_iter().map(refused).collect(),
        })
    }

    fn request<'a>(&'a self, readers: &'a [BTreeSet<Did>]) -> Request<'a> {
        let readers = self.readers.and_then(|n| readers.get(n));
        Request { manifest: &self.manifest, member: &self.member, engine: self.engine, readers, avoid: &self.avoid, at: NOW }
    }
}

fn manifest(random: &mut Random, class: Class, resources: Resources, tags: BTreeMap<String, String>) -> Result<Manifest> {
    let device = random.did()?;
    Ok(Manifest {
        version: manifest::VERSION,
        org: "bench".parse()?,
        run: format!("{:026}", random.below(1_000_000)).parse()?,
        requester: device.clone(),
        member: device,
        at: NOW,
        expires: NOW.plus_ms(60_000),
        class,
        work: Work::Checks {
            repository: repository(random.below(REPOSITORIES))?,
            project: "demo".parse()?,
            commit: "a".repeat(40).parse()?,
            definitions: "a".repeat(40).parse()?,
            subject: None,
        },
        resources,
        tags,
        runtime: random.percent(20).then_some(Runtime::Local),
        network: Network::default(),
        limits: TimeLimits::default(),
        budget: Budget::default(),
        priority: manifest::Priority::Normal,
        gave_way: 0,
        apart: None,
    })
}
