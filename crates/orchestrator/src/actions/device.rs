//! The org's devices and what they have; this machine: what runs on it, what it admits, and ending what runs there.

use super::{Done, Nothing};
use crate::{
    clock,
    lifecycle::{self, Evicting},
    limits, names,
    org::Org,
    picture,
    remote::{self, Reach, devices},
    stops,
    table::{Action, Context, Effect, action},
};
use domain::{
    AgentName, Did, Problem, ProjectName, RunId, TaskRef, Timestamp,
    capacity::Capacity,
    event::kind,
    lease::Admission,
    lend::{Condition, Reclaim},
    limits::{GRACE_MS, LEND_GRACE_MAX_S},
    manifest::Class,
    role::Permission,
    run::{Reason, Run, RunState, Stands},
};
use identity::Envelope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("device.list", Reads, Permission::View, "List the org's devices, and whether each can be reached now.", list),
        action("device.capacity", Reads, Permission::View, "What each device of the org lends, and what of it is free.", capacity),
        action("device.pods", Reads, Permission::View, "What runs on this machine now.", pods),
        action("device.schedule", Changes, Permission::RunTasks, "Ask this machine to run a signed manifest.", schedule),
        action("device.evict", Changes, Permission::ManageDevice, "End what runs here: it is frozen and saved, and goes on later.", evict),
        action("device.doctor", Reads, Permission::View, "What is missing on this machine, and how to mend it.", doctor),
    ]
}

/// A device of the org, as this one sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeviceView {
    /// What people call it.
    pub name: String,
    /// Its key.
    pub did: Did,
    /// The member who owns it.
    pub owner: String,
    /// Whether it is this device.
    pub here: bool,
    /// Where other devices reach it.
    pub addresses: Vec<String>,
    /// How it was reached just now.
    #[serde(flatten)]
    pub reach: Reach,
    /// What a stop order halts that cuts it off from this device, in words; none: no order does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// Whether this device's Radicle node is connected to its own: then what either publishes is soon seen by the other. Of this device:
    /// whether its node runs.
    pub radicle_connected: bool,
    /// When it was there last, as far as is known here, whoever told of it; none: nothing of it was ever heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// How many runs it executes, for whoever they are, as far as its journal has come here.
    pub runs: usize,
}

async fn list(context: Context, _: Nothing) -> Result<Vec<DeviceView>, Problem> {
    let org = context.org()?;
    let (all, runs, radicle) = org.blocking(|org| Ok((org.state()?.devices, executed(org)?, by_radicle(org)))).await?;
    let cut_off = stops::halted_device(&org, &org.device).is_some();
    let view = |device: domain::org::Device| {
        let (org, runs, radicle) = (&org, &runs, &radicle);
        async move {
            let here = device.did == org.device;
            let reach = if here { Reach { reachable: true, ..Reach::default() } } else { remote::probe(org, &device.did).await };
            // As every other list has it: a device that is halted itself is told nothing but that others are there.
            let reach = Reach { reachable: reach.reachable && (here || !cut_off), ..reach };
            let halted = stops::cut_off(org, &device.did);
            let runs = runs.get(&device.did).copied().unwrap_or_default();
            let seen_at = devices::seen(org, &device.did);
            let radicle_connected = radicle.contains(&device.did);
            let domain::org::Device { name, did, owner, addresses, .. } = device;
            DeviceView { name, did, owner, here, addresses, reach, halted, radicle_connected, seen_at, runs }
        }
    };
    Ok(futures::future::join_all(all.into_values().map(view)).await)
}

/// How many runs each device executes now, by this device's journal and the copies of the others'.
fn executed(org: &Org) -> Result<BTreeMap<Did, usize>, Problem> {
    // The newest of all, and of older ones those that are executed.
    let (own, seen) = (org.active_runs()?, picture::runs(org, limits::LIST_DEFAULT)?);
    let known: BTreeSet<&RunId> = own.iter().chain(seen.iter().map(|seen| &seen.run)).map(|run| &run.id).collect();
    let older = picture::executed_elsewhere(&org.journals.all(), &known);
    let older = older.iter().filter_map(|id| picture::run(org, id).transpose()).collect::<Result<Vec<_>, Problem>>()?;
    Ok(by_device(own.into_iter().chain(seen.into_iter().chain(older).map(|seen| seen.run))))
}

/// The same of runs of which one may be there twice: then the last counts.
fn by_device(runs: impl Iterator<Item = Run>) -> BTreeMap<Did, usize> {
    let runs: BTreeMap<RunId, Run> = runs.map(|run| (run.id.clone(), run)).collect();
    let mut count = BTreeMap::new();
    for device in runs.into_values().filter(|run| run.state.holds_slot()).filter_map(|run| run.device) {
        *count.entry(device).or_default() += 1;
    }
    count
}

/// The devices whose Radicle nodes this one's is connected to, and this one where its own runs.
fn by_radicle(org: &Org) -> BTreeSet<Did> {
    let Ok(node) = org.node() else { return BTreeSet::new() };
    node.connected().into_keys().chain([org.device.clone()]).collect()
}

/// A device and its capacity.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    /// The device.
    pub device: Did,
    /// What people call it.
    pub name: String,
    /// The member who owns it.
    pub owner: String,
    /// How it is known.
    pub state: Standing,
    /// What a stop order halts that cuts it off from this device, in words; none: no order does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// When it was there last, as far as is known here, whoever told of it; none: nothing of it was ever heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// As of when it said what follows, by its own clock; none: it was not heard since this process began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How long it takes to it and back lately, in milliseconds; 0 for this device, none where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<u32>,
    /// What it lends to runs of agents, and what is free of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What its sensors saw.
    pub condition: Condition,
    /// Why it takes no guests now; none: it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaimed: Option<Reclaim>,
    /// Engines that are installed there.
    pub engines: Vec<String>,
    /// How limits are enforced, in words; of another device nothing is known of that.
    pub limits: String,
}

/// How a device is known to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is this one.
    Here,
    /// It is heard, and this is what it announced.
    Live,
    /// It is not heard any more: this is what it announced last, and it gets nothing new.
    Suspected,
    /// It was not heard since this process began: what it has is not known, and it gets nothing.
    Unheard,
}

/// Every device of the org, this one first.
async fn capacity(context: Context, _: Nothing) -> Result<Vec<Device>, Problem> {
    let view = |org: &Org, known: devices::Known| {
        let (state, limits) = match (known.here, known.told.as_ref().map(|told| told.suspected)) {
            (true, _) => (Standing::Here, sandbox::limits_in_force()),
            (false, Some(false)) => (Standing::Live, String::new()),
            (false, Some(true)) => (Standing::Suspected, String::new()),
            (false, None) => (Standing::Unheard, String::new()),
        };
        let (seen_at, at) = (devices::seen(org, &known.device.did), known.told.as_ref().map(|told| told.at));
        let halted = stops::cut_off(org, &known.device.did);
        let round_trip_ms = known.told.as_ref().and_then(|told| told.round_trip_ms);
        let (capacity, condition, reclaimed, engines) = match known.told {
            Some(told) => (Some(told.capacity), told.condition, told.reclaimed, told.engines),
            None => (None, Condition::default(), None, vec![]),
        };
        let domain::org::Device { did: device, name, owner, .. } = known.device;
        Device { device, name, owner, state, halted, seen_at, at, round_trip_ms, capacity, condition, reclaimed, engines, limits }
    };
    let tell = move |org: &Arc<Org>| {
        let all = devices::all(org, &org.state()?, Class::Agent)?;
        Ok(all.into_iter().map(|known| view(org, known)).collect())
    };
    context.org()?.blocking(tell).await
}

/// Something that runs on a device.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pod {
    /// Its run.
    pub run: RunId,
    /// Its class.
    pub class: Class,
    /// Its project.
    pub project: ProjectName,
    /// Its task, for agents' runs.
    pub task: Option<TaskRef>,
    /// Its agent.
    pub agent: Option<AgentName>,
    /// Where it is.
    pub state: RunState,
    /// The device.
    pub device: Option<Did>,
    /// Where it stands: as its state, or what keeps it from going on there.
    pub stands: Stands,
    /// Whether it is frozen.
    pub paused: bool,
    /// When it was leased.
    pub started_at: Option<Timestamp>,
    /// Why it holds its place though nothing of it runs any more, in words; none: it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unended: Option<String>,
}

async fn pods(context: Context, _: Nothing) -> Result<Vec<Pod>, Problem> {
    let tell = |org: &Arc<Org>| {
        let (runs, state) = (org.active_runs()?, org.state()?);
        let unended = |r: &Run| (r.stands() == Stands::Ending).then(|| r.why()).flatten();
        let pod = |r: Run| Pod {
            unended: unended(&r).map(|why| names::within(&state, &why)),
            stands: r.stands(),
            run: r.id,
            class: r.class,
            project: r.project,
            task: r.task,
            agent: r.agent,
            state: r.state,
            device: r.device,
            paused: r.paused,
            started_at: r.started_at,
        };
        let here = |r: &Run| r.state.holds_slot() && r.device.as_ref() == Some(&org.device);
        let mut runs: Vec<Run> = runs.into_iter().filter(here).map(|run| lifecycle::as_it_is(org, run)).collect();
        picture::halted_with_their_checks(org, &mut runs);
        Ok(runs.into_iter().map(pod).collect())
    };
    context.org()?.blocking(tell).await
}

/// The body of `POST /schedule`: a manifest in its signed envelope.
async fn schedule(context: Context, envelope: Envelope) -> Result<Admission, Problem> {
    remote::take_brought(&context.org()?, envelope).await
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Evict {
    /// The run, or a part of its id; all that run here where nothing is said.
    #[serde(default)]
    run: Option<String>,
    /// Why, in words.
    #[serde(default)]
    reason: Option<String>,
    /// Milliseconds until processor and memory must be free; 30 s where nothing is said, 10 minutes at most.
    #[serde(default)]
    grace_ms: Option<u64>,
}

async fn evict(context: Context, input: Evict) -> Result<Done, Problem> {
    let org = context.org()?;
    let grace = Duration::from_millis(input.grace_ms.unwrap_or(GRACE_MS));
    if grace > Duration::from_secs(LEND_GRACE_MAX_S) {
        return Err(Problem::invalid(format!("The grace is at most {LEND_GRACE_MAX_S} s.")).next("Give such a number."));
    }
    let message = input.reason.unwrap_or_else(|| "The owner wanted the machine back.".into());
    // First, by what is known in memory: the journal may be slow to say what runs here, or which run is meant.
    let live = org.hub.all().into_iter().map(|live| live.run.clone());
    let meant: Vec<RunId> = match &input.run {
        None => live.collect(),
        Some(text) => super::run::by_id(live, text).into_iter().collect(),
    };
    let frozen = lifecycle::freeze(&org, &meant).anew;
    let chosen = org.blocking(move |org| {
        let chosen = to_evict(org, input.run)?;
        // Where there is no other device, they go on here as soon as there is room.
        if org.remote.org().devices.len() > 1 {
            org.lending.sent_away.note(&chosen, clock::now());
        }
        Ok(chosen)
    });
    let chosen = chosen.await;
    lifecycle::let_go(&org, frozen.iter().filter(|id| !chosen.as_ref().is_ok_and(|chosen| chosen.contains(id))));
    let chosen = chosen?;
    let evicting = lifecycle::evict(&org, &context.actor(&org), &chosen, &Reason::Evicted { message }).await;
    let began = Instant::now();
    let cut = evicting.free_within(&org, grace).await.len();
    // Their work is saved after that, mostly in a moment: so the answer says what came of it.
    evicting.ended_within(&org, grace.saturating_sub(began.elapsed()).min(limits::EVICT_SAVE_WAIT)).await;
    org.blocking(move |org| {
        let found = evicting.runs.iter().filter_map(|id| org.store.get::<Run>(kind::RUN, id.as_str()).transpose());
        Ok(Done::new(evicted(&evicting, cut, &found.collect::<Result<Vec<_>, _>>()?)))
    })
    .await
}

/// The runs on this device that are wanted away, as the journal has them.
///
/// # Errors
/// When the one that is named does not run here, or the journal cannot be read.
fn to_evict(org: &Org, named: Option<String>) -> Result<Vec<RunId>, Problem> {
    let run = named.map(|text| super::run::find(org, &text)).transpose()?.map(|run| run.id);
    let wanted = |r: &Run| r.state.holds_slot() && r.device.as_ref() == Some(&org.device) && run.as_ref().is_none_or(|id| *id == r.id);
    let chosen: Vec<RunId> = org.active_runs()?.into_iter().filter(wanted).map(|r| r.id).collect();
    match run {
        Some(run) if chosen.is_empty() => {
            Err(Problem::not_found(format!("The run {run} does not run here now.")).next("meshwork run list shows what does."))
        }
        _ => Ok(chosen),
    }
}

/// What became of runs that were sent away, as the journal has them now; `cut` of them did not stop within the grace.
fn evicted(evicting: &Evicting, cut: usize, runs: &[Run]) -> String {
    let count = |of: fn(&Run) -> bool| runs.iter().filter(|run| of(run)).count();
    // What a person stopped meanwhile, or what ended otherwise, does not go on.
    let saved = count(|r| r.state == RunState::Evicted && r.checkpoint.is_some() && r.paused_by.is_none());
    let paused = count(|r| r.state == RunState::Evicted && r.checkpoint.is_some() && r.paused_by.is_some());
    let unsaved = count(|r| !r.state.ended() && r.paused_by.is_none());
    let unsaved_paused = count(|r| !r.state.ended() && r.paused_by.is_some());
    let nothing = count(|r| r.state == RunState::Evicted && r.checkpoint.is_none() && r.kept.is_none());
    let of = |count: usize, what: &str| if count == 0 { String::new() } else { format!(" {what}: {count}.") };
    let parts = [
        of(saved, "Saved, and going on from there when there is room"),
        of(paused, "Saved, and going on from there once a person resumes it, because it was paused"),
        of(unsaved, "Not saved yet, and going on when that is done and there is room"),
        of(unsaved_paused, "Not saved yet, and going on once that is done and a person resumes it, because it was paused"),
        of(nothing, "Without anything to save"),
        of(count(|r| r.kept.is_some()), "With files that could not be saved, and are kept aside (meshwork run show names them)"),
        of(cut, "Cut off, since the grace was over; what was not in a file by then is gone"),
        of(evicting.publishing, "Being published, and ending in a moment"),
    ];
    let told = evicting.unsaved.as_ref();
    let told = told.map_or_else(String::new, |problem| format!(" This could not be written down, and is tried again: {problem}"));
    format!("Evicted {}.{}{told}", domain::counted(evicting.runs.len(), "run"), parts.concat())
}

/// What was looked at on this machine.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingView {
    what: String,
    ok: bool,
    detail: String,
    next: Option<String>,
}

async fn doctor(context: Context, _: Nothing) -> Result<Vec<FindingView>, Problem> {
    let (folder, org) = (context.machine.data.root().to_owned(), context.org().ok());
    if let Some(org) = &org {
        remote::probe_all(org).await;
    }
    let found = crate::org::blocking(move || {
        let mut found = crate::doctor::look(&folder);
        if let Some(org) = &org {
            let state = org.remote.org();
            let named = |f: sandbox::Finding| sandbox::Finding { detail: names::within(&state, &f.detail), ..f };
            found.extend(of_org(org).into_iter().map(named));
        }
        Ok(found)
    });
    let view = |f: sandbox::Finding| FindingView { what: f.what, ok: f.ok, detail: f.detail, next: f.next };
    Ok(found.await?.into_iter().map(view).collect())
}

/// What there is to say of the org; a part that cannot be read is one finding, and hides no other.
fn of_org(org: &Arc<Org>) -> Vec<sandbox::Finding> {
    use crate::doctor::{self, or_unread};
    let mut found = or_unread("kept work", doctor::kept(org).map(|finding| vec![finding]));
    found.extend(or_unread("unsaved work", doctor::unsaved(org)));
    found.extend(or_unread("versions", doctor::versions(org)));
    found.extend(or_unread("clock", doctor::clocks(org)));
    found.extend(crate::removed::finding(org));
    found.extend(doctor::put_back(org));
    found.extend(crate::doubled::findings(org));
    found.extend(doctor::lines(org));
    found.extend(or_unread("changes that do not count", doctor::aside(org)));
    found.extend(doctor::left_out(org, true));
    found.extend(or_unread("credentials", crate::credentials::taken_out(org)));
    found.extend(doctor::journals(org));
    found.extend(crate::tailnet::finding(org));
    found.extend(crate::tailnet::amiss(org));
    found.extend(crate::tailnet::left_behind(org));
    found.extend(remote::moved(org));
    found.extend(or_unread("join port", crate::join::moved(org)));
    found.extend(remote::not_here(org));
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_each_run_that_was_sent_away_it_is_said_what_is_true() {
        let (id, did): (RunId, Did) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), identity::Key::from_seed(&[1; 32]).did());
        let run = crate::admission::new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), did.clone(), did, Timestamp(0));
        let evicted_run = Run { state: RunState::Evicted, ..run.clone() };
        let saved = Run { checkpoint: Some("0123456789abcdef0123456789abcdef01234567".parse().unwrap()), ..evicted_run.clone() };
        let stopped = Run { state: RunState::Cancelled, ..saved.clone() };
        let working = Run { state: RunState::Working, ..run };
        let evicting = |runs: usize, unsaved| Evicting { runs: vec![id.clone(); runs], publishing: 0, unsaved };

        let told = evicted(&evicting(1, None), 0, std::slice::from_ref(&saved));
        assert_eq!(told, "Evicted 1 run. Saved, and going on from there when there is room: 1.");
        let paused = Run { paused_by: Some(saved.member.clone()), ..saved.clone() };
        let told = evicted(&evicting(1, None), 0, &[paused]);
        assert!(told.contains("once a person resumes it, because it was paused: 1.") && !told.contains("room"), "{told}");
        let paused = Run { paused_by: Some(working.member.clone()), ..working.clone() };
        let told = evicted(&evicting(1, None), 0, &[paused]);
        assert!(told.contains("Not saved yet") && told.contains("a person resumes it") && !told.contains("room"), "{told}");
        assert_eq!(evicted(&evicting(1, None), 0, &[stopped]), "Evicted 1 run.", "a person stopped it meanwhile");
        let full = Problem::unavailable("The disk is full.");
        let told = evicted(&evicting(3, Some(full)), 1, &[saved, evicted_run, working]);
        for words in ["Evicted 3 runs.", "when there is room: 1.", "Not saved yet", "Without anything", "Cut off", "disk is full."] {
            assert!(told.contains(words), "“{words}” in {told}");
        }
    }

    #[test]
    fn a_device_executes_what_anybody_asked_of_it_and_each_run_counts_once() {
        let did = |seed: u8| identity::Key::from_seed(&[seed; 32]).did();
        let run = |id: &str, requester: u8, state| {
            let new =
                crate::admission::new_run(id.parse().unwrap(), Class::Agent, "demo".parse().unwrap(), did(9), did(requester), Timestamp(0));
            Run { state, device: Some(did(2)), ..new }
        };
        let (first, second) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW");
        let (own, its) = (run(first, 1, RunState::Working), run(second, 2, RunState::Preparing));
        assert_eq!(by_device([own.clone(), own.clone(), its.clone()].into_iter()), BTreeMap::from([(did(2), 2)]));
        let ended = Run { state: RunState::Done, ..own.clone() };
        assert_eq!(by_device([own, its, ended].into_iter()), BTreeMap::from([(did(2), 1)]));
    }
}
