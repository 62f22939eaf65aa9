//! Durable appends to the journal: 64 writers, each event on disk before its answer, beside plain SQLite on the same disk.
//!
//! `cargo run -p benches --bin journal_append [-- SECONDS [DIR]]`. Rows of the same size go into plain SQLite (WAL,
//! `synchronous=FULL`), one commit each and 64 to a commit; then come the journal's own figures, which include canonical
//! JSON, the hash chain, signed heads, and, in the second one, a projection that each event changes. The last line is JSON.

use anyhow::{Context, Result, ensure};
use benches::cpu;
use domain::{
    Did, RunId, Timestamp,
    event::{self, Body, Event, kind},
    run::Run,
    usage::{ModelCall, Usage},
};
use identity::Key;
use serde_json::json;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Seq, Signer, Store};

/// How many wait for their own answer at the same time.
const WRITERS: u64 = 64;
/// What we want, in events a second.
const WANTED: f64 = 50_000.0;

/// What one part measured.
struct Measured {
    name: &'static str,
    events: usize,
    took: Duration,
    /// Processor time of this whole process meanwhile.
    cpu: Duration,
    /// From asking to the answer, sorted; in microseconds.
    waits_us: Vec<u32>,
}

impl Measured {
    fn new(name: &'static str, clock: &Clock, mut waits_us: Vec<u32>, events: usize) -> Result<Self> {
        let (took, cpu) = (clock.begun.elapsed(), cpu("self")?.saturating_sub(clock.cpu));
        waits_us.sort_unstable();
        Ok(Self { name, events, took, cpu, waits_us })
    }

    /// Processor time an event took, in microseconds: what stays the same when others use the machine too.
    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.events.max(1) as f64
    }

    fn per_s(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }

    fn wait_us(&self, quantile: f64) -> u32 {
        let at = (self.waits_us.len() as f64 * quantile) as usize;
        self.waits_us.get(at.min(self.waits_us.len().saturating_sub(1))).copied().unwrap_or(0)
    }

    fn json(&self) -> serde_json::Value {
        let cpu_us = (self.cpu_us() * 10.0).round() / 10.0;
        json!({"events_per_s": self.per_s().round(), "p50_us": self.wait_us(0.5), "p99_us": self.wait_us(0.99), "cpu_us_per_event": cpu_us})
    }
}

/// When a part began.
struct Clock {
    begun: Instant,
    cpu: Duration,
}

impl Clock {
    fn start() -> Result<Self> {
        Ok(Self { begun: Instant::now(), cpu: cpu("self")? })
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(Ok(5.0), |text| text.parse()).context("the first argument is a number of seconds")?;
    // Beside this program, since /tmp is often memory, where a sync costs nothing.
    let beside = std::env::current_exe()?.parent().map(Path::to_owned).context("a program lies in a folder")?;
    let base = args.next().map_or(beside, Into::into);
    let dir = tempfile::tempdir_in(base)?;
    let span = Duration::from_secs_f64(seconds);

    let payload = identity::canonical(&fact(&device(), 0))?.len();
    let one = plain_sqlite("plain SQLite, a commit an event", &dir.path().join("one.db"), payload, 1, span)?;
    let group = plain_sqlite("plain SQLite, 64 events a commit", &dir.path().join("group.db"), payload, WRITERS as usize, span)?;
    let facts = journal("journal, 64 writers", &dir.path().join("facts"), span, fact)?;
    let changes = journal("journal, 64 writers, each changes a run", &dir.path().join("changes"), span, change)?;

    println!("{:42} {:>10} {:>10} {:>10} {:>10}", "", "events/s", "p50 us", "p99 us", "cpu us");
    for part in [&one, &group, &facts, &changes] {
        println!("{:42} {:>10.0} {:>10} {:>10} {:>10.1}", part.name, part.per_s(), part.wait_us(0.5), part.wait_us(0.99), part.cpu_us());
    }
    println!("events of {payload} bytes, {} writers, {seconds} s each, in {}", WRITERS, dir.path().display());
    println!("{:.1} times plain commits, {:.2} of plain groups", facts.per_s() / one.per_s(), facts.per_s() / group.per_s());
    let line = json!({
        "bench": "journal_append", "writers": WRITERS, "seconds": seconds, "payload_bytes": payload, "wanted_per_s": WANTED,
        "journal": facts.json(), "journal_with_projection": changes.json(), "sqlite_commits": one.json(), "sqlite_groups_of_64": group.json(),
        "ratio_to_commits": facts.per_s() / one.per_s(), "ratio_to_groups": facts.per_s() / group.per_s(), "met": facts.per_s() >= WANTED,
    });
    println!("{line}");
    Ok(())
}

/// Rows of the journal's form into plain SQLite; the wait is that of a whole commit.
fn plain_sqlite(name: &'static str, path: &Path, payload: usize, group: usize, span: Duration) -> Result<Measured> {
    let database = sqlite::open(path)?;
    database.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
         CREATE TABLE event(seq INTEGER PRIMARY KEY, incarnation INTEGER, previous BLOB, hash BLOB, payload TEXT) STRICT;",
    )?;
    let mut insert = database.prepare("INSERT INTO event(incarnation, previous, hash, payload) VALUES(?, ?, ?, ?)")?;
    let (hash, text) = ([7u8; 32], "x".repeat(payload));
    let (mut waits_us, mut events, clock) = (vec![], 0, Clock::start()?);
    while clock.begun.elapsed() < span {
        let asked = Instant::now();
        database.execute("BEGIN IMMEDIATE")?;
        for _ in 0..group {
            insert.reset()?;
            insert.bind((1, 1))?;
            insert.bind((2, &hash[..]))?;
            insert.bind((3, &hash[..]))?;
            insert.bind((4, text.as_str()))?;
            insert.next()?;
        }
        database.execute("COMMIT")?;
        waits_us.push(micros(asked));
        events += group;
    }
    Measured::new(name, &clock, waits_us, events)
}

/// Many writers, each appending one event after the other; then everything is checked.
fn journal(name: &'static str, dir: &Path, span: Duration, make: fn(&Did, u64) -> Event) -> Result<Measured> {
    let key = Key::from_seed(&[1; 32]);
    let signer = Signer { device: key.did(), sign: Arc::new(move |bytes| Ok(key.sign(bytes))) };
    let store = Store::open(dir, signer)?;
    store.append_blocking((0..WRITERS).map(|n| queued(&device(), n)).collect::<Result<_>>()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let clock = Clock::start()?;
    let until = clock.begun + span;
    let waits_us = runtime.block_on(async {
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer, until, make))).collect();
        let mut waits_us = vec![];
        for writer in writers {
            waits_us.extend(writer.await??);
        }
        Ok::<_, anyhow::Error>(waits_us)
    })?;
    let events = waits_us.len();
    let measured = Measured::new(name, &clock, waits_us, events)?;
    let report = store.verify()?;
    ensure!(report.is_sound() && report.events == measured.events as u64 + WRITERS, "the journal is not sound: {report:?}");
    let used: u64 = store.list::<Run>(kind::RUN, store::Order::Oldest, 1_000)?.iter().map(|run| run.usage.calls).sum();
    ensure!(used == 0 || used == measured.events as u64, "projections do not fit the events");
    Ok(measured)
}

async fn write(store: Store, writer: u64, until: Instant, make: fn(&Did, u64) -> Event) -> Result<Vec<u32>> {
    let device = device();
    let (mut waits_us, mut last) = (vec![], Seq(0));
    while Instant::now() < until {
        let asked = Instant::now();
        let seq = store.append(vec![make(&device, writer)]).await?;
        waits_us.push(micros(asked));
        ensure!(seq > last, "numbers grow");
        last = seq;
    }
    Ok(waits_us)
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn device() -> Did {
    Key::from_seed(&[1; 32]).did()
}

fn event(device: &Did, body: Body) -> Event {
    Event { version: event::VERSION, at: Timestamp(1_700_000_000_000), actor: device.clone(), via: None, told: None, body }
}

/// Something to note that changes nothing.
fn fact(device: &Did, writer: u64) -> Event {
    event(device, called(1_000_000 + writer))
}

/// The same about a run that is there: what it used changes.
fn change(device: &Did, writer: u64) -> Event {
    event(device, called(writer))
}

fn called(number: u64) -> Body {
    let admitted = Timestamp(1_700_000_000_000);
    let call = ModelCall { model: "example-large".into(), status: 200, usage: usage(), duration_ms: 1200, admitted };
    Body::ModelCalled { run: run(number), call, content: vec![], standby: None }
}

fn usage() -> Usage {
    Usage { calls: 1, input_tokens: 12_000, cached_tokens: 8_000, output_tokens: 900, ..Usage::default() }
}

fn run(n: u64) -> RunId {
    format!("{n:026}").parse().unwrap_or_else(|problem| unreachable!("{problem}"))
}

fn queued(device: &Did, n: u64) -> Result<Event> {
    let run: Run = serde_json::from_value(json!({
        "id": run(n), "class": "agent", "project": "demo", "agent": "coder", "member": device, "requester": device,
        "state": "working", "queued_at": 1_700_000_000_000u64,
        "task": {"project": "demo", "feature": "001-hello", "task": format!("T{n:03}")},
    }))?;
    Ok(event(device, Body::RunQueued { run: Box::new(run) }))
}
