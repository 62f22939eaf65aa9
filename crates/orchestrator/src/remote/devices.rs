//! The org's devices as placement knows them: this one as it is now, the others as they announced themselves, each with what the org
//! promises about it. What a device says itself of what only the org can promise is left out.

use super::lock;
use crate::{
    admission::{self, DeviceLimits},
    clock,
    lending::{self, guests::Owner},
    org::Org,
    queue,
};
use domain::{
    Did, Problem, Rid, Timestamp,
    announcement::{GivesWay, Queued},
    capacity::{Capacity, Taken},
    lend::{Condition, PROMISED_TAGS, Reclaim},
    limits::{ANNOUNCED_REPOSITORIES_MAX, WORKED_AT_RUNS_MAX},
    manifest::Class,
    org::Device,
    project::Project,
    run::Run,
};
use forge::OrgState;
use mesh::Heard;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A device of the org, and what is known of its room.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) device: Device,
    pub(crate) here: bool,
    /// None: nothing was heard of it yet.
    pub(crate) told: Option<Told>,
}

/// What a device has, as it said last.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) capacity: Capacity,
    pub(crate) condition: Condition,
    pub(crate) reclaimed: Option<Reclaim>,
    pub(crate) repositories: Vec<Rid>,
    /// How many of these, from the first on, it worked at lately.
    pub(crate) worked_at: u32,
    pub(crate) engines: Vec<String>,
    /// Who waits for its room, the first first.
    pub(crate) queue: Vec<Queued>,
    /// What runs on it and could be sent away for more important work.
    pub(crate) gives_way: GivesWay,
    /// When it said so, by its own clock.
    pub(crate) at: Timestamp,
    /// The number of its announcement; none of this device itself.
    pub(crate) number: Option<u64>,
    /// Whether nothing is heard of it any more.
    pub(crate) suspected: bool,
    /// How long it takes to it and back, in milliseconds; 0: it is this one; none: not known.
    pub(crate) round_trip_ms: Option<u32>,
}

/// All devices of the org, this one first. `class` is what is to be run: checks have slots of their own on this device.
///
/// # Errors
/// When the journal or the storage cannot be read.
pub(crate) fn all(org: &Org, state: &OrgState, class: Class) -> Result<Vec<Known>, Problem> {
    let heard = org.remote.gossip.get().map(|open| open.heard.borrow().clone()).unwrap_or_default();
    let mut found = Vec::with_capacity(state.devices.len());
    for device in state.devices.values() {
        let is_here = device.did == org.device;
        let told = match heard.get(&device.did) {
            _ if is_here => Some(here(org, class)?),
            Some(heard) => {
                let said = (*heard.announcement).clone();
                Some(Told {
                    capacity: said.capacity,
                    condition: said.condition,
                    reclaimed: said.reclaimed,
                    repositories: said.repositories,
                    worked_at: said.worked_at,
                    engines: said.engines,
                    queue: said.queue,
                    gives_way: said.gives_way,
                    at: said.at,
                    number: Some(said.number),
                    suspected: !heard.live,
                    round_trip_ms: org.remote.round_trip_ms(&device.did).filter(|_| heard.live),
                })
            }
            None => None,
        };
        let told = told.map(|mut told| {
            told.capacity.tags = tags(device, told.capacity.tags);
            told
        });
        found.push(Known { device: device.clone(), here: is_here, told });
    }
    found.sort_by(|a, b| (!a.here, &a.device.name).cmp(&(!b.here, &b.device.name)));
    Ok(found)
}

/// When a device was there last, as far as is known here: heard by gossip, reached, or by its journal, through whoever's hands that came. This
/// one is there now. None: nothing of it was ever heard.
pub(crate) fn seen(org: &Org, device: &Did) -> Option<Timestamp> {
    if *device == org.device {
        return Some(clock::now());
    }
    let by_gossip = org.remote.gossip.get().and_then(|open| open.heard.borrow().get(device).map(|heard| heard_last(heard, clock::now())));
    let reached = lock(&org.remote.reach).get(device).and_then(|reach| reach.heard_at);
    let by_journal = org.journals.get(device).and_then(|copy| copy.whose().as_of);
    by_gossip.max(reached).max(by_journal)
}

/// When a device was there last, by gossip. What is new here of one that is silent may have been on its way for long, through others' hands:
/// of that only the device itself says when it said it.
fn heard_last(heard: &Heard, now: Timestamp) -> Timestamp {
    if heard.live { now } else { heard.changed_at.min(heard.announcement.at) }
}

/// This device, as it is now; without what the org promises about it.
///
/// # Errors
/// When the journal or the storage cannot be read.
pub(crate) fn here(org: &Org, class: Class) -> Result<Told, Problem> {
    let active = org.active_runs()?;
    let state = org.remote.org();
    let line = queue::line(org, &active, None)?;
    let queue = queue::told(&org.queue, &|key| queue::name(&state, key), &line, clock::now());
    let runs = admission::on(active, &org.device);
    // What other orgs take matters when something is admitted; where they have not told yet, it is that which refuses.
    let others = org.room.others().unwrap_or_default();
    let lending = lending::now(org);
    let mut capacity = DeviceLimits::of(org).capacity(Taken::by(&runs), others, class);
    // What it lends to others; whoever owns it needs no leave.
    capacity.classes = lending.policy.classes;
    let (repositories, worked_at) = repositories(org)?;
    let engines = engine::profile::all().iter().filter(|profile| engine::installed(&profile.name, &org.engines).is_some());
    Ok(Told {
        capacity,
        condition: lending.condition,
        reclaimed: lending.reclaimed,
        repositories,
        worked_at,
        engines: engines.map(|profile| profile.name.clone()).collect(),
        queue,
        gives_way: queue::room::gives_way(&Owner::of(org, &state), &runs),
        at: clock::now(),
        number: None,
        suspected: false,
        round_trip_ms: Some(0),
    })
}

/// The tags of a device: what it says of itself, and above that what the org promises about it.
pub(crate) fn tags(device: &Device, mut claimed: BTreeMap<String, String>) -> BTreeMap<String, String> {
    claimed.retain(|tag, _| !PROMISED_TAGS.contains(&tag.as_str()));
    claimed.extend(device.tags.clone());
    claimed
}

/// The org's projects that lie in this device's storage, as many as are told, and how many of them were worked at here lately.
fn repositories(org: &Org) -> Result<(Vec<Rid>, u32), Problem> {
    let here: HashSet<Rid> = org.forge.repositories()?.into_iter().collect();
    let state = org.remote.org();
    let there = state.projects.values().filter(|project| here.contains(&project.rid)).collect();
    Ok(used_first(there, &org.runs(WORKED_AT_RUNS_MAX)?, &org.device))
}

/// Those that a device worked at last come first; how many these are is told too. `runs` are the newest first.
fn used_first(mut projects: Vec<&Project>, runs: &[Run], device: &Did) -> (Vec<Rid>, u32) {
    let used = |project: &Project| runs.iter().position(|run| run.project == project.name && run.device.as_ref() == Some(device));
    projects.sort_by_cached_key(|project| used(project).unwrap_or(usize::MAX));
    projects.truncate(ANNOUNCED_REPOSITORIES_MAX);
    let worked_at = projects.iter().filter(|project| used(project).is_some()).count();
    (projects.into_iter().map(|project| project.rid.clone()).collect(), u32::try_from(worked_at).unwrap_or(u32::MAX))
}

/// Of these devices those that may read a repository: with their own key, or that of a member on them, as a person's profile does.
/// None: everybody may.
///
/// # Errors
/// When the repository cannot be read.
pub(crate) fn readers(org: &Org, state: &OrgState, rid: &Rid) -> Result<Option<BTreeSet<Did>>, Problem> {
    let Some(keys) = org.forge.readers(rid, &state.readers())? else { return Ok(None) };
    let of_members = state.members.values().flat_map(|m| &m.keys).filter(|key| keys.contains(&key.did)).map(|key| &key.device);
    let of_devices = state.devices.values().map(|device| &device.did).filter(|did| keys.contains(did));
    Ok(Some(of_devices.chain(of_members).chain([&org.device]).cloned().collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, fixtures::did};
    use domain::announcement::Announcement;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn projects_that_a_device_worked_at_come_first_and_others_work_does_not_count() {
        let project = |name: &str, n: u8| Project {
            name: name.parse().unwrap(),
            rid: format!("rad:z3gqcJUoA1n9HaHKufZs5FCSGazv{n}").parse().unwrap(),
            branch: "main".into(),
            mirror: None,
            gates: vec![],
        };
        let run = |name: &str, device| {
            let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
            Run { device, ..new_run(id, Class::Agent, name.parse().unwrap(), did('a'), did('a'), Timestamp(0)) }
        };
        let (alpha, beta, gamma) = (project("alpha", 1), project("beta", 2), project("gamma", 3));
        let all = || vec![&alpha, &beta, &gamma];
        let rids = |of: [&Project; 3]| of.map(|project| project.rid.clone()).to_vec();
        let runs = [run("alpha", Some(did('b'))), run("alpha", None), run("gamma", Some(did('a'))), run("gamma", Some(did('a')))];
        assert_eq!(used_first(all(), &runs, &did('a')), (rids([&gamma, &alpha, &beta]), 1));
        assert_eq!(used_first(all(), &runs, &did('b')), (rids([&alpha, &beta, &gamma]), 1));
        assert_eq!(used_first(all(), &runs, &did('c')), (rids([&alpha, &beta, &gamma]), 0));
    }

    #[test]
    fn of_a_device_that_was_never_live_here_it_is_known_when_it_spoke_and_not_when_that_came() {
        let none = json!({"cpu_milli": 0, "memory_bytes": 0, "disk_bytes": 0, "gpus": 0});
        let capacity = json!({"total": none, "free": none, "tags": {}, "runtimes": [], "classes": [], "slots": 1, "slots_free": 1});
        let device = identity::Key::from_seed(&[1; 32]).did();
        let said = json!({"version": 1, "org": "crew", "device": device, "number": 7, "at": 10, "started": 1, "capacity": capacity});
        let announcement: Arc<Announcement> = Arc::new(serde_json::from_value(said).unwrap());
        let heard = |live, at| Heard { announcement: Arc::clone(&announcement), envelope_json: "".into(), live, changed_at: Timestamp(at) };
        assert_eq!(heard_last(&heard(false, 900), Timestamp(1_000)), Timestamp(10), "it came from others just now");
        assert_eq!(heard_last(&heard(false, 5), Timestamp(1_000)), Timestamp(5), "its clock is ahead of this one");
        assert_eq!(heard_last(&heard(true, 900), Timestamp(1_000)), Timestamp(1_000));
    }

    #[test]
    fn what_only_the_org_can_promise_is_not_taken_from_the_device() {
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let did = identity::Key::from_seed(&[1; 32]).did();
        let device = Device { tags: [tag("compliance", "restricted"), tag("gpu", "false")].into(), ..Device::new("box", did, "bob") };
        let claimed = [tag("region", "moon"), tag("compliance", "none"), tag("gpu", "true"), tag("disk", "fast")];
        let known = tags(&device, claimed.into());
        assert_eq!(known, [tag("compliance", "restricted"), tag("disk", "fast"), tag("gpu", "false")].into());
    }
}
