//! Durable admissions: how many runs a device leases in a second, to `REQUESTERS` that ask at the same time, each lease on disk before
//! its answer.
//!
//! `admissions [admissions [DIR]]`. What is measured is admission in a real org, with its org repository, policy and journal: who asks for
//! whom, what the policy says, stop orders, the machine's room, and the lease in one transaction. Once for runs of this device, which are
//! signed and queued before, and once for runs of others, where the manifest's signature and form are checked, and it is kept with the lease
//! (`orchestrator::admission::{admit, admit_of_another}`). Without: TLS and gRPC, the delegation, the start of the run, and making files of
//! the manifests that were kept. What was admitted is ended between two bursts, which is not measured. Beside it each part alone: what
//! reads and decides on one thread, and the journal with the very same events and no question asked. The goal: 10,000 a second. The last
//! line is JSON.

use anyhow::{Context, Result, anyhow, ensure};
use benches::{cpu, percentile};
use domain::{
    RunId,
    capacity::Resources,
    event::Body,
    lease::Admission,
    manifest::{Class, Manifest, PAYLOAD_TYPE, VERSION},
    run::{Placed, Reason, Run, RunState},
};
use identity::{Envelope, envelope};
use orchestrator::{
    admission::{self, Asked},
    clock,
    data_dir::DataDir,
    machine::{Listens, Machine, Options},
    org::Org,
};
use policy::Resource;
use serde_json::json;
use std::{
    cell::Cell,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How many wait for their own answer at the same time.
const REQUESTERS: usize = 64;
/// How many are admitted one after the other, before they are ended.
const BURST: usize = 1_024;
/// Of how many runs at once it is journaled that they are queued, or have ended: some events each, of which so many fit.
const JOURNALED: usize = 512;
/// How often each part is done alone.
const PARTS: usize = 2_000;
/// What we want, in admissions a second.
const WANTED: f64 = 10_000.0;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().map_or(Ok(10 * BURST), |text| text.parse()).context("the first argument is a number of admissions")?;
    // Beside this program, since /tmp is often memory, where a sync costs nothing.
    let beside = std::env::current_exe()?.parent().map(Path::to_owned).context("a program lies in a folder")?;
    let dir = tempfile::tempdir_in(args.next().map_or(beside, Into::into))?;
    let machine = machine(dir.path())?;
    machine.create(&"bench".parse()?, "ada", None, None).await?;
    let org = machine.org()?;
    let some = |whose: Whose| (0..count.max(BURST)).map(|_| Signed::new(&org, whose)).collect::<Result<Vec<_>>>().map(Arc::new);

    let parts = parts(&org)?;
    let own = admitted(&org, &some(Whose::Own)?).await?;
    let of_others = admitted(&org, &some(Whose::Another)?).await?;
    let journal = journaled(&org, count).await?;
    machine.close().await;

    println!("{:44} {:>10} {:>10} {:>10} {:>10}", "", "a second", "p50 us", "p99 us", "cpu us");
    for (name, measured) in
        [("of own runs, each on disk", &own), ("of others' runs, each on disk", &of_others), ("the same events alone", &journal)]
    {
        let wait = |share| percentile(&measured.waits, share).as_micros();
        println!("{name:44} {:>10.0} {:>10} {:>10} {:>10.1}", measured.per_s(), wait(0.5), wait(0.99), measured.cpu_us());
    }
    println!("on one thread, in us each: {}", parts.iter().map(|(name, us)| format!("{name} {us:.1}")).collect::<Vec<_>>().join("; "));
    println!("{REQUESTERS} requesters, bursts of {BURST}, in {}", dir.path().display());
    let parts: serde_json::Map<String, serde_json::Value> = parts.iter().map(|(name, us)| ((*name).to_owned(), json!(us))).collect();
    let figures = |of: &Measured| {
        json!({
            "admissions": of.waits.len(), "per_s": of.per_s().round(), "p50_us": percentile(&of.waits, 0.5).as_micros(),
            "p99_us": percentile(&of.waits, 0.99).as_micros(), "cpu_us": of.cpu_us(), "met": of.per_s() >= WANTED,
        })
    };
    let line = json!({
        "bench": "admissions", "requesters": REQUESTERS, "own": figures(&own), "of_others": figures(&of_others),
        "journal_alone_per_s": journal.per_s().round(), "journal_alone_cpu_us": journal.cpu_us(), "parts_us": parts, "wanted_per_s": WANTED,
    });
    println!("{line}");
    Ok(())
}

/// Whose runs are admitted.
#[derive(Clone, Copy)]
enum Whose {
    /// Of this device: they are queued here before.
    Own,
    /// As if another device asked: they are not known here.
    Another,
}

/// What is asked, as it comes to admission.
enum Signed {
    Own(Asked),
    Another(Envelope),
}

impl Signed {
    /// A new run's manifest of checks, signed by this device.
    fn new(org: &Org, whose: Whose) -> Result<(RunId, Self)> {
        let manifest = manifest(org)?;
        let run = manifest.run.clone();
        let signed = match whose {
            Whose::Own => Self::Own(Asked::sign(org, manifest)?),
            Whose::Another => Self::Another(sealed(org, &manifest)?),
        };
        Ok((run, signed))
    }
}

fn sealed(org: &Org, manifest: &Manifest) -> Result<Envelope> {
    Ok(envelope::seal(manifest, PAYLOAD_TYPE, &org.device, |message| Ok(org.forge.sign_as_device(message)))?)
}

/// What one way took.
struct Measured {
    took: Duration,
    cpu: Duration,
    /// From asking to the answer, sorted.
    waits: Vec<Duration>,
}

impl Measured {
    fn per_s(&self) -> f64 {
        self.waits.len() as f64 / self.took.as_secs_f64()
    }

    fn cpu_us(&self) -> f64 {
        (self.cpu.as_secs_f64() * 1e7 / self.waits.len().max(1) as f64).round() / 10.0
    }
}

/// A machine with room for all of them.
fn machine(dir: &Path) -> Result<Arc<Machine>> {
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let listens = Listens { radicle: any, join: any, mesh: any, gossip: any };
    let options = Options { executable: benches::meshwork()?, listens, demo: false, slots: Some(u32::MAX / 2), only: None };
    Ok(Machine::new(DataDir::open(&dir.join("data"))?, options))
}

/// A new run's manifest of checks.
fn manifest(org: &Org) -> Result<Manifest> {
    let (run, at, commit) = (clock::run_id(), clock::now(), "a".repeat(40));
    let work = json!({"kind": "checks", "repository": org.rid, "project": "bench", "commit": commit, "definitions": commit});
    Ok(serde_json::from_value(json!({
        "version": VERSION, "org": org.name, "run": run, "requester": org.device, "member": org.member, "at": at,
        "expires": at.plus_ms(600_000), "class": "ci", "work": work, "resources": {"cpu_milli": 0}, "limits": {},
    }))?)
}

/// What each question takes, on this thread, in microseconds.
fn parts(org: &Org) -> Result<Vec<(&'static str, f64)>> {
    let rights = org.rights()?;
    let asked = (0..PARTS).map(|_| sealed(org, &manifest(org)?)).collect::<Result<Vec<_>>>()?;
    let member = rights.state.members.values().next().context("the org has no member")?.clone();
    let device = rights.state.device_of(&org.device).context("the org does not list this device")?;
    let (here, project) = (Resource::Device(device.name.clone(), device.owner.clone()), Resource::Project("bench".into()));
    let each = |what: &dyn Fn(&Envelope) -> Result<bool>| -> Result<f64> {
        let begun = Instant::now();
        for sealed in &asked {
            ensure!(what(sealed)?, "a part of admission said no");
        }
        Ok((begun.elapsed().as_secs_f64() * 1e7 / PARTS as f64).round() / 10.0)
    };
    let anew = Cell::new(0_u32);
    Ok(vec![
        ("signature and form", each(&|sealed| Ok(identity::manifest::open(sealed, |_| true).is_ok()))?),
        ("the org repository", each(&|_| Ok(org.rights()?.state.org.name == org.name))?),
        (
            "policy",
            each(&|_| Ok(rights.member_may(&member, "device.schedule", &here) && rights.member_may(&member, "task.run", &project)))?,
        ),
        (
            "policy, asked for the first time",
            each(&|_| {
                let task = format!("T{}", anew.replace(anew.get() + 1));
                Ok(rights.member_may(&member, "task.run", &Resource::Task(task, "bench".into())))
            })?,
        ),
        ("its hash", each(&|sealed| Ok(!envelope::hash(sealed).as_str().is_empty()))?),
    ])
}

/// Has all of them admitted, in bursts.
async fn admitted(org: &Arc<Org>, asked: &Arc<Vec<(RunId, Signed)>>) -> Result<Measured> {
    let mut all = Measured { took: Duration::ZERO, cpu: Duration::ZERO, waits: vec![] };
    let mut from = 0;
    while from < asked.len() {
        let to = (from + BURST).min(asked.len());
        for some in asked[from..to].chunks(JOURNALED) {
            let mut before = vec![];
            for (run, signed) in some {
                if let Signed::Own(asked) = signed {
                    before.extend(queued(org, run, asked)?);
                }
            }
            org.record(&org.device, before).await?;
        }
        let (next, begun, before) = (Arc::new(AtomicUsize::new(from)), Instant::now(), cpu("self")?);
        let requester = || tokio::spawn(admit(org.clone(), asked.clone(), next.clone(), to));
        let requesters: Vec<_> = (0..REQUESTERS).map(|_| requester()).collect();
        let mut waits = vec![];
        for requester in requesters {
            waits.extend(requester.await??);
        }
        all.took += begun.elapsed();
        all.cpu += cpu("self")?.saturating_sub(before);
        all.waits.extend(waits);
        for some in asked[from..to].chunks(JOURNALED) {
            end(org, some.iter().map(|(run, _)| run)).await?;
        }
        from = to;
    }
    all.waits.sort_unstable();
    Ok(all)
}

/// One requester: the next one that nobody has asked for yet, until there is none.
async fn admit(org: Arc<Org>, asked: Arc<Vec<(RunId, Signed)>>, next: Arc<AtomicUsize>, to: usize) -> Result<Vec<Duration>> {
    let mut waits = vec![];
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= to {
            return Ok(waits);
        }
        let (run, signed) = &asked[at];
        let begun = Instant::now();
        let admission = match signed {
            Signed::Own(asked) => admission::admit(&org, asked).await?,
            Signed::Another(sealed) => {
                let opened = Asked::open(sealed.clone()).map_err(|refusal| anyhow!("it is not in order: {refusal:?}"))?;
                admission::admit_of_another(&org, &opened).await?
            }
        };
        waits.push(begun.elapsed());
        ensure!(matches!(&admission, Admission::Leased { lease } if lease.run == *run), "it was not leased: {admission:?}");
    }
}

/// Writes the same events into the journal, each for itself, and asks nothing.
async fn journaled(org: &Arc<Org>, count: usize) -> Result<Measured> {
    let (next, begun, before) = (Arc::new(AtomicUsize::new(0)), Instant::now(), cpu("self")?);
    let writers: Vec<_> = (0..REQUESTERS).map(|_| tokio::spawn(write(org.clone(), next.clone(), count))).collect();
    let (mut waits, mut runs) = (vec![], vec![]);
    for writer in writers {
        let (waited, written) = writer.await??;
        waits.extend(waited);
        runs.extend(written);
    }
    let measured = Measured { took: begun.elapsed(), cpu: cpu("self")?.saturating_sub(before), waits };
    for some in runs.chunks(JOURNALED) {
        end(org, some.iter()).await?;
    }
    Ok(Measured { waits: sorted(measured.waits), ..measured })
}

fn sorted(mut waits: Vec<Duration>) -> Vec<Duration> {
    waits.sort_unstable();
    waits
}

async fn write(org: Arc<Org>, next: Arc<AtomicUsize>, to: usize) -> Result<(Vec<Duration>, Vec<RunId>)> {
    let (mut waits, mut runs) = (vec![], vec![]);
    while next.fetch_add(1, Ordering::Relaxed) < to {
        let run = clock::run_id();
        let begun = Instant::now();
        org.record(&org.device, events(&org, &run)?).await?;
        waits.push(begun.elapsed());
        runs.push(run);
    }
    Ok((waits, runs))
}

/// A run of this device.
fn new(org: &Org, run: &RunId) -> Result<Run> {
    Ok(admission::new_run(run.clone(), Class::Ci, "bench".parse()?, org.member.clone(), org.device.clone(), clock::now()))
}

/// That it is queued, and placed with this manifest.
fn queued(org: &Org, run: &RunId, asked: &Asked) -> Result<[Body; 2]> {
    let placed = Placed::of(&asked.manifest.work, asked.hash.clone(), asked.hash.clone(), org.device.clone());
    Ok([Body::RunQueued { run: Box::new(new(org, run)?) }, Body::RunPlaced { run: run.clone(), placed }])
}

/// What admission writes of a run that another device asked for.
fn events(org: &Org, run: &RunId) -> Result<Vec<Body>> {
    let (now, new) = (clock::now(), new(org, run)?);
    let (lease, until, reserved) = (clock::lease_id(), now.plus_ms(60_000), Resources::default());
    let asked = Some(Box::new(new));
    Ok(vec![Body::RunLeased { run: run.clone(), lease, device: org.device.clone(), until, reserved, asked }])
}

/// Ends runs that nobody will start.
async fn end<'a>(org: &Arc<Org>, runs: impl Iterator<Item = &'a RunId>) -> Result<()> {
    let reason = || Some(Reason::Stopped { by: org.member.clone() });
    let ends = runs.map(|run| Body::RunMoved { run: run.clone(), to: RunState::Cancelled, reason: reason() }).collect();
    Ok(org.record(&org.device, ends).await?)
}
