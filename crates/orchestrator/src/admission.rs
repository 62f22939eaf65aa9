//! Admission: a device decides what runs on it. The one way in, for its own requests and for those of others.

mod begin;
mod elsewhere;
mod request;

pub(crate) use begin::foreign;
pub use begin::new_run;
pub use elsewhere::admit_of_another;

use crate::{
    clock,
    lending::{self, guests::Owner},
    limits,
    org::Org,
    rights::{self, Rights},
    sensors::Memory,
};
use domain::{
    Did, Hash, Problem,
    capacity::{Capacity, Gpu, Resources, Runtime, Taken},
    event::kind,
    lease::Admission,
    manifest::{Class, Manifest, PAYLOAD_TYPE, Priority, Work},
    org::Member,
    placement::Refusal,
    run::Run,
};
use forge::OrgState;
use identity::envelope::{self, Envelope};
use policy::{Principal, Resource};
use request::reserve;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// A manifest in its envelope, which the device that asks has signed: that was verified, or it was this one, just now.
#[derive(Debug)]
pub struct Asked {
    pub(crate) envelope: Envelope,
    /// What is asked for.
    pub manifest: Arc<Manifest>,
    /// The hash of what was signed, by which it is named.
    pub hash: Hash,
}

impl Asked {
    /// Checks the signature and the form. Whether the org lists that device is not asked here.
    ///
    /// # Errors
    /// When it is not in order: why.
    pub fn open(envelope: Envelope) -> Result<Self, Refusal> {
        let (manifest, _) = identity::manifest::open(&envelope, |_| true).map_err(unreadable)?;
        Ok(Self::of(envelope, manifest))
    }

    /// Signs a manifest by which this device asks.
    ///
    /// # Errors
    /// When it is too large to be signed.
    pub fn sign(org: &Org, manifest: Manifest) -> Result<Self, Problem> {
        let envelope = envelope::seal(&manifest, PAYLOAD_TYPE, &org.device, |message| Ok(org.forge.sign_as_device(message)))?;
        Ok(Self::of(envelope, manifest))
    }

    fn of(envelope: Envelope, manifest: Manifest) -> Self {
        Self { hash: envelope::hash(&envelope), envelope, manifest: Arc::new(manifest) }
    }
}

/// Checks who asks and the room, and reserves in one transaction.
///
/// # Errors
/// When the journal cannot be written. A refusal is not an error.
pub async fn admit(org: &Arc<Org>, asked: &Asked) -> Result<Admission, Problem> {
    match verify(org, &asked.manifest).await {
        Ok(wanted) => reserve(org, asked, wanted, None).await,
        Err(refusal) => Ok(Admission::Refused { reasons: vec![refusal] }),
    }
}

/// What the org says of this device.
struct Wanted {
    /// Whose runs are no guests here.
    owner: Owner,
    /// What the org promises about this device.
    promised: BTreeMap<String, String>,
}

/// Whether a manifest is in order by the org as it is known; what is not by that, is looked at by the org repository as it is now. So
/// news that allow something count at once, and such that forbid it as soon as calls are refused by them.
async fn verify(org: &Arc<Org>, manifest: &Manifest) -> Result<Wanted, Refusal> {
    if let Some(Ok(wanted)) = org.rights_known().map(|rights| judge(org, &rights, manifest)) {
        return Ok(wanted);
    }
    let rights = org.blocking(|org| org.rights()).await.map_err(unreadable)?;
    judge(org, &rights, manifest)
}

fn unreadable(problem: Problem) -> Refusal {
    Refusal::Manifest { message: problem.to_string() }
}

/// Whether a device that the org lists asks, for a member whose role allows it.
fn judge(org: &Org, rights: &Rights, manifest: &Manifest) -> Result<Wanted, Refusal> {
    let state = &rights.state;
    if state.device_of(&manifest.requester).is_none() {
        return Err(Refusal::Manifest { message: format!("The org does not list {}, which signed it.", manifest.requester) });
    }
    if manifest.org != org.name {
        return Err(Refusal::NotAllowed { message: format!("It is for the org {}, this device belongs to {}.", manifest.org, org.name) });
    }
    if let Some(why) = manifest.odd(&org.device) {
        return Err(Refusal::NotAllowed { message: why.into() });
    }
    let Some(member) = asking(state, manifest) else {
        return Err(Refusal::NotAllowed { message: "The org lists no such member with a key on that device.".into() });
    };
    let owner = Owner::of(org, state);
    allowed(org, rights, member, manifest, &owner).map_err(|why| Refusal::NotAllowed { message: why })?;
    if clock::now() > manifest.expires {
        return Err(Refusal::Expired);
    }
    let promised = state.device_of(&org.device).map(|device| device.tags.clone()).unwrap_or_default();
    Ok(Wanted { owner, promised })
}

/// The member for whom a manifest asks: with a key on the device that signed it.
pub(crate) fn asking<'a>(state: &'a OrgState, manifest: &Manifest) -> Option<&'a Member> {
    state.members.values().find(|m| m.keys.iter().any(|k| k.did == manifest.member && k.device == manifest.requester))
}

/// What the org's policy says to this work: whether its member may have it done, and on this device, and its agent may do it.
fn allowed(org: &Org, rights: &Rights, member: &Member, manifest: &Manifest, owner: &Owner) -> Result<(), String> {
    may(rights, "The member", &rights::person(member), "device.schedule", &rights::here(org, &rights.state))?;
    work_allowed(rights, member, manifest)?;
    if manifest.priority == Priority::High && !owner.owns(&manifest.member) { may_displace(rights, member, manifest) } else { Ok(()) }
}

/// Whether a member's work may have others' sent away: who may take their tasks over may. Owners displace on their devices as they like.
fn may_displace(rights: &Rights, member: &Member, manifest: &Manifest) -> Result<(), String> {
    let Work::Task { task, .. } = &manifest.work else { return Ok(()) };
    let resource = Resource::Task(task.task.to_string(), task.project.to_string());
    may(rights, "The member", &rights::person(member), "task.takeover", &resource).map_err(|why| {
        format!("High priority displaces others' work, which is for who may take tasks over. {why} Run it with normal priority.")
    })
}

/// The same, wherever it is done.
pub(crate) fn work_allowed(rights: &Rights, member: &Member, manifest: &Manifest) -> Result<(), String> {
    let (project, person) = (manifest.work.project().to_string(), rights::person(member));
    let Work::Task { task, agent, .. } = &manifest.work else {
        return may(rights, "The member", &person, "task.run", &Resource::Project(project));
    };
    let listed = rights.state.agents.values().find(|known| known.name == *agent);
    let answers = listed.and_then(|known| rights.state.member_of(&known.answers)).map_or_else(String::new, |m| m.name.clone());
    let resource = Resource::Task(task.task.to_string(), project);
    may(rights, "The member", &person, "task.run", &resource)?;
    may(rights, "The agent", &Principal::Agent { name: agent.to_string(), answers }, "task.show", &resource)
}

fn may(rights: &Rights, who: &str, principal: &Principal, action: &str, resource: &Resource) -> Result<(), String> {
    let decided = rights.decide(principal, action, resource).map_err(|problem| problem.to_string())?;
    if decided.allowed {
        return Ok(());
    }
    Err(format!("{who} may not by the org's policy ({action}): {}", decided.why))
}

/// What this device lends, before what is taken.
#[derive(Clone, Debug)]
pub struct DeviceLimits {
    total: Resources,
    /// Disk that nothing uses now.
    disk_left_bytes: u64,
    memory: Memory,
    slots: u32,
    works: bool,
    /// What it says of itself.
    tags: BTreeMap<String, String>,
    gpus: Vec<Gpu>,
}

impl DeviceLimits {
    /// Of this machine.
    pub fn of(org: &Org) -> Self {
        let cores = cores();
        let slots = org.options.slots.unwrap_or_else(|| u32::try_from(cores / limits::CORES_PER_SLOT).unwrap_or(1).max(1));
        let (disk_bytes, disk_left_bytes) = disk_bytes(org);
        let lending = lending::now(org);
        let gpus = u32::try_from(lending.gpus.len()).unwrap_or(u32::MAX);
        let memory = org.lending.memory();
        let total = Resources { cpu_milli: cores * 1000, memory_bytes: memory.total_bytes, disk_bytes, gpus };
        Self { total, disk_left_bytes, memory, slots, works: org.sandbox_works, tags: lending.tags(), gpus: lending.gpus }
    }

    /// All of it.
    pub(crate) fn total(&self) -> Resources {
        self.total
    }

    /// What is asked for where nothing is said: at most so much that all slots, and checks beside them, fit on the machine.
    pub fn at_most(&self, usual: Resources) -> Resources {
        let share = |all: u64| all / (u64::from(self.slots) + 1);
        Resources {
            cpu_milli: usual.cpu_milli.min(self.total.cpu_milli),
            memory_bytes: usual.memory_bytes.min(share(self.total.memory_bytes)),
            disk_bytes: usual.disk_bytes.min(share(self.disk_left_bytes).max(limits::RUN_DISK_BYTES_MIN)),
            gpus: usual.gpus,
        }
    }

    /// What is free for a run of this class, beside what this org takes and what other orgs of the machine do.
    pub fn capacity(&self, own: Taken, others: Taken, class: Class) -> Capacity {
        let (all, others) = (own.plus(others).beside(class), others.beside(class));
        let free = Resources { disk_bytes: self.disk_left_bytes, ..self.total }.minus(all.reserved);
        Capacity {
            total: self.total,
            free: Resources { memory_bytes: self.memory.free_bytes(all.reserved.memory_bytes), ..free },
            tags: self.tags.clone(),
            gpus: self.gpus.clone(),
            runtimes: if self.works { vec![Runtime::Local] } else { vec![] },
            classes: vec![Class::Agent, Class::Ci],
            slots: self.slots,
            // Where nothing can run, no slot is free for anything.
            slots_free: if self.works { self.slots.saturating_sub(all.slots) } else { 0 },
            others,
        }
    }
}

/// Of these runs those that are, or may be, on this device; others, and what another device tells of, take nothing of it.
pub(crate) fn on(runs: Vec<Run>, device: &Did) -> Vec<Run> {
    let here = |r: &Run| r.device.as_ref().map_or(r.told.is_none(), |there| there == device);
    runs.into_iter().filter(here).collect()
}

/// Says to the other orgs of the machine what this one takes now.
///
/// # Errors
/// When the journal cannot be read, or the room's file not be written.
pub async fn tell_room(org: &Org) -> Result<(), Problem> {
    let (room, device) = (org.room.clone(), org.device.clone());
    let told = org.store.append_if(move |view| {
        let taken: Taken = view.get(kind::TAKEN, device.as_str())?.unwrap_or_default();
        room.tell(taken).map(|()| vec![])
    });
    told.await.map(drop)
}

/// Cores of the machine that this process may use. Looked at once: control groups are read for it.
fn cores() -> u64 {
    static CORES: OnceLock<u64> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, |n| n.get() as u64))
}

/// The disk below the org's folder: all of it, and what of it nothing uses, in bytes.
fn disk_bytes(org: &Org) -> (u64, u64) {
    let found = rustix::fs::statvfs(&org.dir.root);
    found.map_or((0, 0), |s| (s.f_blocks.saturating_mul(s.f_frsize), s.f_bavail.saturating_mul(s.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, run::RunState};

    fn run(class: Class, state: RunState, memory_bytes: u64) -> Run {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let reserved = Some(Resources { cpu_milli: 1_000, memory_bytes, disk_bytes: 10, gpus: 0 });
        Run { state, reserved, ..new_run(id, class, project, did.clone(), did, Timestamp(0)) }
    }

    #[test]
    fn what_computes_is_reserved_and_what_waits_for_its_checks_is_not() {
        let total = Resources { cpu_milli: 4_000, memory_bytes: 100, disk_bytes: 1_000, gpus: 0 };
        let tags = BTreeMap::from([("gpu".to_owned(), "true".to_owned())]);
        let memory = Memory { total_bytes: 100, available_bytes: None, held_bytes: None };
        let lends = DeviceLimits { total, disk_left_bytes: 500, memory, slots: 2, works: true, tags: tags.clone(), gpus: vec![] };
        let runs = [
            run(Class::Agent, RunState::Working, 30),
            run(Class::Agent, RunState::Verifying, 30),
            run(Class::Ci, RunState::Preparing, 20),
            run(Class::Agent, RunState::Queued, 30),
        ];
        let own = Taken::by(&runs);
        let agents = lends.capacity(own, Taken::default(), Class::Agent);
        assert_eq!((agents.total, agents.slots_free, agents.tags), (total, 0, tags));
        assert_eq!(agents.free, Resources { cpu_milli: 3_000, memory_bytes: 50, disk_bytes: 480, gpus: 0 });
        let checks = lends.capacity(own, Taken::default(), Class::Ci);
        assert_eq!((checks.free.cpu_milli, checks.free.memory_bytes, checks.slots_free), (3_000, 50, 1));
        let shared = lends.capacity(Taken::by(&runs[..1]), Taken::by(&runs[..1]), Class::Agent);
        assert_eq!((shared.free.memory_bytes, shared.slots_free, shared.others.reserved.memory_bytes), (40, 0, 30));
        // Others of the machine use 60 of its memory, and its runs hold 10 of what is reserved for them.
        let memory = Memory { available_bytes: Some(30), held_bytes: Some(10), ..memory };
        let beside = DeviceLimits { memory, ..lends.clone() }.capacity(Taken::by(&runs[..1]), Taken::default(), Class::Agent);
        assert_eq!((beside.total.memory_bytes, beside.free.memory_bytes, beside.free.cpu_milli), (100, 10, 3_000));
        let broken = DeviceLimits { works: false, ..lends.clone() }.capacity(Taken::default(), Taken::default(), Class::Agent);
        assert_eq!((broken.runtimes, broken.slots, broken.slots_free), (vec![], 2, 0), "where no sandbox works");
        let usual = Resources { cpu_milli: 9_000, memory_bytes: 90, disk_bytes: 1 << 40, gpus: 0 };
        let asked = lends.at_most(usual);
        assert_eq!((asked.cpu_milli, asked.memory_bytes, asked.disk_bytes), (4_000, 33, limits::RUN_DISK_BYTES_MIN));
    }
}
