//! This machine: what it has, what runs on it, what it admits, and giving it back to its owner.

use super::{Done, Nothing};
use crate::{
    admission::{self, DeviceLimits},
    dispatch,
    lifecycle::{self, Asked},
    org::Org,
    remote::{self, Reach},
    table::{Action, Context, Effect, action},
};
use domain::{
    AgentName, Did, Kind, Problem, ProjectName, RunId, TaskRef, Timestamp,
    capacity::{Capacity, Taken},
    lease::Admission,
    limits::GRACE_MS,
    manifest::Class,
    role::Permission,
    run::{Reason, Run, RunState},
};
use identity::Envelope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("device.list", Reads, Permission::View, "List the org's devices, and whether each can be reached now.", list),
        action("device.capacity", Reads, Permission::View, "What this machine lends, and what of it is free.", capacity),
        action("device.pods", Reads, Permission::View, "What runs on this machine now.", pods),
        action("device.schedule", Changes, Permission::RunTasks, "Ask this machine to run a signed manifest.", schedule),
        action("device.evict", Changes, Permission::ManageDevice, "Give the machine back: runs are frozen, saved and ended.", evict),
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
    /// How many runs it executes for this device.
    pub runs: usize,
}

async fn list(context: Context, _: Nothing) -> Result<Vec<DeviceView>, Problem> {
    let org = context.org()?;
    let (devices, runs) = org.blocking(|org| Ok((org.state()?.devices, org.active_runs()?))).await?;
    let view = |device: domain::org::Device| {
        let (org, runs) = (&org, &runs);
        async move {
            let here = device.did == org.device;
            let reach = if here { Reach { reachable: true, ..Reach::default() } } else { remote::probe(org, &device.did).await };
            let there = |r: &&Run| r.state.holds_slot() && r.device.as_ref() == Some(&device.did);
            let runs = runs.iter().filter(there).count();
            DeviceView { name: device.name, did: device.did, owner: device.owner, here, addresses: device.addresses, reach, runs }
        }
    };
    Ok(futures::future::join_all(devices.into_values().map(view)).await)
}

/// A device and its capacity.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    /// The device.
    pub device: Did,
    /// What it lends to runs of agents.
    pub capacity: Capacity,
    /// How limits are enforced here, in words.
    pub limits: String,
}

async fn capacity(context: Context, _: Nothing) -> Result<Vec<Device>, Problem> {
    let tell = |org: &Arc<Org>| {
        let runs = admission::on(org.active_runs()?, &org.device);
        // What an org takes that has not told yet is not known; admission waits for it.
        let others = org.room.others().unwrap_or_default();
        let capacity = DeviceLimits::of(org).capacity(Taken::by(&runs), others, Class::Agent);
        Ok(vec![Device { device: org.device.clone(), capacity, limits: sandbox::limits_in_force() }])
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
    /// Whether it is frozen.
    pub paused: bool,
    /// When it was leased.
    pub started_at: Option<Timestamp>,
}

async fn pods(context: Context, _: Nothing) -> Result<Vec<Pod>, Problem> {
    let tell = |org: &Arc<Org>| {
        let runs = org.active_runs()?;
        let pod = |r: Run| Pod {
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
        Ok(runs.into_iter().filter(here).map(pod).collect())
    };
    context.org()?.blocking(tell).await
}

/// The body of `POST /schedule`: a manifest in its signed envelope.
async fn schedule(context: Context, envelope: Envelope) -> Result<Admission, Problem> {
    let org = context.org()?;
    let answer = admission::admit(&org, &envelope).await?;
    if let Admission::Leased { lease } = &answer {
        let (run, bytes) = (lease.run.clone(), envelope.to_json()?);
        let placed = org.blocking(move |org| admission::keep_manifest(org, &run, &bytes)).await?;
        org.record(&org.device, placed).await?;
        lifecycle::drive(&org, lease.run.clone());
    }
    Ok(answer)
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
    /// Milliseconds until processor and memory must be free; 30 s where nothing is said.
    #[serde(default)]
    grace_ms: Option<u64>,
}

async fn evict(context: Context, input: Evict) -> Result<Done, Problem> {
    let org = context.org()?;
    let grace = Duration::from_millis(input.grace_ms.unwrap_or(GRACE_MS));
    let message = input.reason.unwrap_or_else(|| "The owner wanted the machine back.".into());
    let run = match input.run {
        Some(text) => Some(org.blocking(move |org| super::run::find(org, &text)).await?.id),
        None => None,
    };
    let here = |r: &Run| r.state.holds_slot() && r.device.as_ref() == Some(&org.device);
    let chosen: Vec<RunId> = org.blocking(|org| org.active_runs()).await?.into_iter().filter(here).map(|r| r.id).collect();
    let chosen: Vec<RunId> = chosen.into_iter().filter(|id| run.as_ref().is_none_or(|r| r == id)).collect();
    if let (Some(run), true) = (&run, chosen.is_empty()) {
        return Err(Problem::not_found(format!("The run {run} does not run here now.")).next("meshwork run list shows what does."));
    }
    let (by, mut evicted, mut publishing) = (context.actor(&org), Vec::new(), 0);
    for id in &chosen {
        match lifecycle::ask_to_end(&org, &by, id, Reason::Evicted { message: message.clone() }).await {
            Ok(Asked::Publishing) => publishing += 1,
            Ok(_) => evicted.push(id.clone()),
            // It ended by itself meanwhile.
            Err(problem) if problem.kind == Kind::Conflict => {}
            Err(problem) => return Err(problem),
        }
    }
    let all = futures::future::join_all(evicted.iter().map(|id| no_longer_computes(&org, id)));
    if tokio::time::timeout(grace, all).await.is_err() {
        evicted.iter().for_each(|id| lifecycle::cut_off(&org, id));
    }
    let published = if publishing == 0 { String::new() } else { format!(" {publishing} are being published, and end in a moment.") };
    Ok(Done::new(format!(
        "Evicted {}; each goes on from its checkpoint when there is room.{published}",
        domain::counted(evicted.len(), "run")
    )))
}

/// Returns when nothing of a run uses processor or memory any more.
async fn no_longer_computes(org: &Arc<Org>, id: &RunId) {
    let ended = dispatch::until_ended(org, id);
    match org.hub.get(id) {
        Some(live) => {
            let mut engine = live.ended.subscribe();
            tokio::select! {
                _ = ended => {}
                _ = engine.wait_for(Option::is_some) => {}
            }
        }
        None => drop(ended.await),
    }
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
        if let Some(org) = org {
            found.push(crate::doctor::kept(&org)?);
            found.extend(crate::removed::finding(&org));
            found.extend(crate::tailnet::finding(&org));
        }
        Ok(found)
    });
    let view = |f: sandbox::Finding| FindingView { what: f.what, ok: f.ok, detail: f.detail, next: f.next };
    Ok(found.await?.into_iter().map(view).collect())
}
