//! What is known of the org's devices for a run that is to be placed, and whom to ask by that.

use crate::{
    clock, names,
    org::Org,
    remote::devices::{self, Known},
    stops,
};
use domain::{
    Did, Problem, RunId, Timestamp,
    agent::EngineChoice,
    announcement,
    manifest::{Class, Manifest},
    placement::{self, Avoid, Candidate, Decision, QueuePlace, Refusal, Request, Snapshot},
    run::Run,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

/// What is known of the devices for one run. The planner is asked for the choice alone, and for every device's verdict only where that is
/// told, since it takes much longer.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    /// Every device of the org that may come into question, this one first.
    pub(crate) devices: Vec<Known>,
    /// The name of the member for whom it is.
    member: String,
    /// Those that said no since they announced themselves last, or that a stop order halts.
    pub(crate) said_no: BTreeMap<Did, Vec<Refusal>>,
    wanted: Wanted,
    snapshot: Snapshot,
    decision: OnceLock<Decision>,
}

/// What is asked of all devices.
#[derive(Clone, Debug)]
struct Wanted {
    manifest: Manifest,
    engine: Option<String>,
    readers: Option<BTreeSet<Did>>,
    avoid: BTreeMap<Did, Avoid>,
    at: Timestamp,
}

/// Looks at the devices for a run with this manifest.
///
/// # Errors
/// When the org, the journal or the storage cannot be read.
pub(crate) fn look(org: &Org, run: &Run, manifest: &Manifest) -> Result<Looked, Problem> {
    let state = org.state()?;
    let mut devices = devices::all(org, &state, run.class)?;
    if run.class != Class::Agent {
        devices.retain(|known| known.here);
    }
    if let Some(on) = &run.on {
        devices.retain(|known| known.device.did == *on);
    }
    let number = |did: &Did| devices.iter().find(|known| known.device.did == *did)?.told.as_ref()?.number;
    let mut said_no = org.remote.refusals.of(&run.id, clock::now(), number);
    // It would say no, and need not be asked for that.
    if let Some(refusal) = org.lending.sent_away.refusal(run.continues.as_ref(), clock::now()) {
        said_no.insert(org.device.clone(), vec![refusal]);
    }
    for known in &devices {
        if let Some(stop) = stops::halting_on(org, run, &known.device.did) {
            let message = names::within(&state, &format!("A stop order halts {}. {}", stop.order.scope.text(), stops::why(&stop)));
            said_no.insert(known.device.did.clone(), vec![Refusal::Halted { message }]);
        }
    }
    let readers = devices::readers(org, &state, manifest.work.repository())?;
    let member = state.member_of(&run.member).map(|member| member.name.clone()).unwrap_or_default();
    let mut snapshot = Snapshot::new();
    devices.iter().filter_map(|known| candidate(known, &member)).for_each(|candidate| snapshot.put(candidate));
    let engine =
        run.agent.as_ref().and_then(|name| state.agents.values().find(|agent| agent.name == *name)).and_then(|a| match &a.engine {
            EngineChoice::Profile { name } => Some(name.clone()),
            _ => None,
        });
    // On this device what is missing is found when it starts, and told with more.
    let engine = engine.filter(|_| devices.len() > 1);
    let mut avoid: BTreeMap<Did, Avoid> =
        said_no.iter().map(|(did, said)| (did.clone(), Avoid::RefusedBefore { message: Refusal::texts(said) })).collect();
    if let Some(apart) = &run.apart {
        avoid.insert(apart.device.clone(), Avoid::AntiAffinity { message: apart.text() });
    }
    let wanted = Wanted { manifest: manifest.clone(), engine, readers, avoid, at: clock::now() };
    Ok(Looked { devices, member, said_no, wanted, snapshot, decision: OnceLock::new() })
}

/// A device as the planner wants it; none: nothing was heard of it yet.
fn candidate(known: &Known, member: &str) -> Option<Candidate> {
    let told = known.told.clone()?;
    Some(Candidate {
        device: known.device.did.clone(),
        // Whoever has a key on this device is at home here.
        owner: if known.here { member.to_owned() } else { known.device.owner.clone() },
        capacity: told.capacity,
        reclaimed: told.reclaimed,
        repositories: told.repositories,
        worked_at: told.worked_at,
        engines: told.engines,
        suspected: told.suspected,
        round_trip_ms: told.round_trip_ms,
    })
}

impl Looked {
    fn request(&self) -> Request<'_> {
        let Wanted { manifest, engine, readers, avoid, at } = &self.wanted;
        Request { manifest, member: &self.member, engine: engine.as_deref(), readers: readers.as_ref(), avoid, at: *at }
    }

    /// Every device's verdict.
    pub(crate) fn decision(&self) -> &Decision {
        self.decision.get_or_init(|| placement::explain(&self.request(), &self.snapshot))
    }

    /// Why a device does not run it; empty: it could.
    pub(crate) fn refusals(&self, known: &Known) -> Vec<Refusal> {
        let did = &known.device.did;
        if let Some(said) = self.said_no.get(did) {
            return said.clone();
        }
        match self.decision().verdicts.iter().find(|verdict| verdict.device == *did) {
            Some(verdict) => verdict.refusals.clone(),
            None => vec![Refusal::NotKnown { message: "Nothing was heard of it yet.".into() }],
        }
    }

    /// Where a run stands in a device's queue, as that device said last; none where nobody else waits there.
    pub(crate) fn place(known: &Known, run: &RunId) -> Option<QueuePlace> {
        announcement::place_in(&known.told.as_ref()?.queue, run).filter(|place| place.of > 1)
    }

    /// Whom to ask although they have no room: there less important runs could give way. Work that is saved somewhere goes on there.
    pub(super) fn could_make_room(&self, org: &Org, manifest: &Manifest, saved: Option<&Did>) -> Vec<Did> {
        let full = |did: &Did| {
            let verdict = self.decision().verdicts.iter().find(|verdict| verdict.device == *did);
            verdict.is_some_and(|verdict| !verdict.refusals.is_empty() && verdict.refusals.iter().all(Refusal::of_room))
        };
        let could = |known: &&Known| {
            let owners = known.here || known.device.owner == self.member;
            let lower = known.told.as_ref().is_some_and(|told| told.gives_way.to(manifest, owners));
            lower && full(&known.device.did) && saved.is_none_or(|saved| *saved == known.device.did)
        };
        let devices = self.devices.iter().filter(could).map(|known| known.device.did.clone());
        devices.filter(|did| org.queue.may_ask_for_room(&manifest.run, did)).take(domain::limits::ASK_MAX).collect()
    }

    pub(super) fn known(&self, did: &Did) -> Option<&Known> {
        self.devices.iter().find(|known| known.device.did == *did)
    }

    /// Whom to ask, in this order. Whoever has saved work that the run goes on from comes first; where that device has merely no room
    /// now, nobody is asked, so that the work is not lost. Where its owner wants it back, or nothing is heard of it, others begin anew.
    pub(super) fn order(&self, saved: Option<&Did>) -> Vec<Did> {
        let mut order = placement::plan(&self.request(), &self.snapshot);
        let Some(saved) = saved else { return order };
        // It may be none of the best.
        if order.contains(saved) || self.known(saved).is_some_and(|known| self.refusals(known).is_empty()) {
            order.retain(|did| did != saved);
            order.insert(0, saved.clone());
            return order;
        }
        let lends = |known: &&Known| known.told.as_ref().is_some_and(|told| told.reclaimed.is_none() && !told.suspected);
        let full = self.known(saved).filter(lends).is_some_and(|known| self.refusals(known).iter().all(Refusal::passes));
        if full { vec![] } else { order }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        capacity::{Capacity, Resources, Runtime},
        limits::ASK_MAX,
        org::Device,
    };
    use serde_json::json;

    fn did(seed: u8) -> Did {
        identity::Key::from_seed(&[seed; 32]).did()
    }

    /// Ada's devices, all alike, looked at for a run of hers.
    fn looked(devices: u8) -> Looked {
        let commit = "a".repeat(40);
        let work = json!({"kind": "checks", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "project": "demo", "commit": commit,
            "definitions": commit});
        let manifest = json!({"version": 1, "org": "acme", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "requester": did(0), "member": did(0),
            "at": 0, "expires": 1, "class": "agent", "work": work, "resources": {}, "limits": {}});
        let capacity = Capacity {
            total: Resources { cpu_milli: 4_000, memory_bytes: 1 << 30, disk_bytes: 1 << 30, gpus: 0 },
            free: Resources { cpu_milli: 4_000, memory_bytes: 1 << 30, disk_bytes: 1 << 30, gpus: 0 },
            tags: BTreeMap::new(),
            gpus: vec![],
            runtimes: vec![Runtime::Local],
            classes: vec![Class::Agent],
            slots: 1,
            slots_free: 1,
            others: domain::capacity::Lane::default(),
        };
        let mut snapshot = Snapshot::new();
        for device in 1..=devices {
            snapshot.put(Candidate {
                device: did(device),
                owner: "ada".into(),
                capacity: capacity.clone(),
                reclaimed: None,
                repositories: vec![],
                worked_at: 0,
                engines: vec![],
                suspected: false,
                round_trip_ms: Some(1),
            });
        }
        let known = |n: u8| Known { device: Device::new(format!("box-{n}"), did(n), "ada"), here: false, told: None };
        let manifest = serde_json::from_value(manifest).unwrap();
        let wanted = Wanted { manifest, engine: None, readers: None, avoid: BTreeMap::new(), at: Timestamp(0) };
        let devices = (1..=devices).map(known).collect();
        Looked { devices, member: "ada".into(), said_no: BTreeMap::new(), wanted, snapshot, decision: OnceLock::new() }
    }

    #[test]
    fn who_is_asked_is_chosen_without_every_verdict() {
        let looked = looked(12);
        let order = looked.order(None);
        assert!(looked.decision.get().is_none(), "nobody wanted to know why");
        assert_eq!(order, looked.decision().order[..ASK_MAX]);
    }

    #[test]
    fn who_has_saved_work_is_asked_first_also_where_it_is_none_of_the_best() {
        let looked = looked(12);
        for saved in &looked.decision().order {
            let order = looked.order(Some(saved));
            assert_eq!(order.first(), Some(saved));
            assert_eq!(order.iter().filter(|did| *did == saved).count(), 1);
        }
    }
}
