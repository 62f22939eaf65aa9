//! Keeps what follows from the org repository as it says: this owner's branch, who may read and sign each repository, which keys are
//! blocked, which repositories are here, and connections to the other devices' Radicle nodes. Takes no input, and may run twice.

use crate::{limits, org::Org};
use domain::{Did, Problem, Rid, event::Body};
use forge::{Charter, Node, OrgState};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::ToSocketAddrs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::Notify;

/// What others tell the one who keeps, and hear of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    wanted: Notify,
    /// Why the org's projects that are not here yet are not, where that is known.
    absent: Mutex<BTreeMap<Rid, String>>,
}

impl Kept {
    /// Has it looked at once.
    pub(crate) fn notify_one(&self) {
        self.wanted.notify_one();
    }

    /// Why a project is not here yet, in words; none: it is not known, or the project is here.
    pub(crate) fn why_absent(&self, rid: &Rid) -> Option<String> {
        self.absent().get(rid).cloned()
    }

    fn absent(&self) -> MutexGuard<'_, BTreeMap<Rid, String>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was done already, so that it is not done at every look.
#[derive(Default)]
struct Known {
    blocked: BTreeSet<Did>,
    dialled: BTreeMap<Did, Instant>,
    said: BTreeMap<String, String>,
    /// Whether something waits for another device's signature.
    unsettled: bool,
    /// The devices that were connected at the last look.
    connected: BTreeSet<Did>,
    /// When the org repository was last fetched, by device.
    fetched: BTreeMap<Did, Instant>,
    /// What is still to be fetched from devices that were connected anew.
    missed: BTreeSet<(Did, Rid)>,
}

/// Looks at each change of the org and now and then, until the org closes.
pub(crate) async fn keep(org: Arc<Org>) {
    org.tasks.spawn(keep_blocked(org.clone()));
    let (mut closing, mut head) = (org.closing.subscribe(), org.head.subscribe());
    let (mut known, mut moved) = (Known::default(), head.borrow().clone());
    loop {
        let now = head.borrow_and_update().clone();
        if moved != now {
            moved = now;
            let told = org.record(&org.device, vec![Body::OrgMoved { commit: moved.clone() }]).await;
            known.note("the journal", told);
        }
        known = match org.blocking(move |org| Ok(look(org, known))).await {
            Ok(known) => known,
            Err(problem) => {
                tracing::error!(%problem, "the org repository could not be followed");
                Known::default()
            }
        };
        tokio::select! {
            _ = head.changed() => {}
            () = org.kept.wanted.notified() => {}
            () = tokio::time::sleep(limits::KEEP_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

fn look(org: &Arc<Org>, mut known: Known) -> Known {
    let settled = org.forge.settle_org(&org.rid).map(drop);
    known.note("the owner's branch", settled);
    org.look_at_head();
    let state = match org.state() {
        Ok(state) => state,
        Err(problem) => {
            known.note("the org repository", Err(problem));
            return known;
        }
    };
    if let Some(refused) = &state.refused {
        known.note("the newest commit of the org repository", Err(refused.problem.clone()));
    }
    let charter = org.forge.keep_org_charter(&org.rid);
    let waits = |proposals: Vec<forge::Proposal>| !proposals.is_empty();
    known.unsettled = !matches!(charter, Ok(Charter::InStep)) || org.forge.proposals(&org.rid).is_ok_and(waits);
    let charter = charter.map(|charter| org_changed(org, charter));
    known.note("the org repository's readers and owners", charter);
    let here = org.forge.repositories().unwrap_or_default();
    for project in state.projects.values().filter(|p| here.contains(&p.rid)) {
        let kept = org.forge.keep_project_charter(project, &state).map(drop);
        known.note(&format!("the readers and delegates of {}", project.name), kept);
    }
    if let Ok(node) = org.node() {
        block(&node, &state, &mut known);
        connect(org, &node, &state, &here, &mut known);
    }
    known
}

/// Blocks revoked keys as soon as the org says so, until it closes: beside the rest, which may wait minutes for a slow device.
async fn keep_blocked(org: Arc<Org>) {
    let (mut closing, mut head) = (org.closing.subscribe(), org.head.subscribe());
    let mut known = Known::default();
    loop {
        head.mark_unchanged();
        let blocked = org.blocking(move |org| {
            // What cannot be read is told of by the other look.
            if let (Ok(state), Ok(node)) = (org.state(), org.node()) {
                block(&node, &state, &mut known);
            }
            Ok(known)
        });
        known = blocked.await.unwrap_or_default();
        tokio::select! {
            _ = head.changed() => {}
            () = tokio::time::sleep(limits::KEEP_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

/// A new owner's signature may have become enough.
fn org_changed(org: &Org, charter: Charter) {
    if charter == Charter::Changed {
        org.look_at_head();
    }
}

/// Of a revoked key nothing is taken any more.
fn block(node: &Node, state: &OrgState, known: &mut Known) {
    for gone in &state.revoked {
        if !known.blocked.contains(&gone.did) {
            let done = node.block(&gone.did);
            if done.is_ok() {
                known.blocked.insert(gone.did.clone());
            }
            known.note("a revoked key", done);
        }
    }
}

/// Connects to the devices that the org lists, and fetches what is not here.
fn connect(org: &Org, node: &Node, state: &OrgState, here: &[Rid], known: &mut Known) {
    let connected = node.connected();
    known.connected.retain(|did| connected.contains(did));
    known.missed.retain(|(did, _)| connected.contains(did));
    known.dialled.retain(|_, at| at.elapsed() < limits::DIAL_PAUSE);
    let absent: Vec<_> = state.projects.values().filter(|p| !here.contains(&p.rid)).collect();
    org.kept.absent().retain(|rid, _| absent.iter().any(|p| p.rid == *rid));
    if connected.is_empty() {
        let alone = || "This device's Radicle node is connected to no other device of the org: meshwork device list shows them.".to_owned();
        org.kept.absent().extend(absent.iter().map(|p| (p.rid.clone(), alone())));
    }
    for device in state.devices.values().filter(|d| d.did != org.device) {
        let did = &device.did;
        if !connected.contains(did) && (known.dialled.contains_key(did) || !dial(node, did, &device.radicle)) {
            known.dialled.entry(did.clone()).or_insert_with(Instant::now);
            continue;
        }
        // What was missed while there was no connection, or because an announcement was lost.
        let shared = state.projects.values().map(|project| &project.rid).filter(|rid| here.contains(rid));
        if known.connected.insert(did.clone()) {
            known.missed.extend(shared.chain([&org.rid]).map(|rid| (did.clone(), rid.clone())));
        }
        let again = if known.unsettled { limits::ORG_FETCH_UNSETTLED } else { limits::ORG_FETCH_EVERY };
        if known.fetched.get(did).is_none_or(|at| at.elapsed() >= again) {
            known.missed.insert((did.clone(), org.rid.clone()));
        }
        let missed: Vec<Rid> = known.missed.iter().filter(|(from, _)| from == did).map(|(_, rid)| rid.clone()).collect();
        for rid in missed {
            let fetched = node.fetch(&rid, did);
            if fetched.is_ok() {
                known.missed.remove(&(did.clone(), rid.clone()));
            }
            known.note(&format!("{rid} as {} has it", device.name), fetched);
            if rid == org.rid {
                known.fetched.insert(did.clone(), Instant::now());
                org.look_at_head();
            }
        }
        for project in &absent {
            if let Err(problem) = org.forge.clone_project(&project.rid, did, None, node) {
                org.kept.absent().insert(project.rid.clone(), format!("From {}: {problem}", device.name));
                continue;
            }
            org.kept.absent().remove(&project.rid);
            tracing::info!(project = %project.name, from = %device.name, "the project is here now");
            org.wake.notify_one();
        }
    }
}

fn dial(node: &Node, did: &Did, addresses: &[String]) -> bool {
    let found = addresses.iter().filter_map(|address| address.to_socket_addrs().ok()).flatten();
    found.into_iter().any(|address| node.connect(did, address).is_ok())
}

impl Known {
    /// Tells a problem once, until it is another.
    fn note(&mut self, of: &str, done: Result<(), Problem>) {
        match done {
            Ok(()) => drop(self.said.remove(of)),
            Err(problem) => {
                let text = problem.to_string();
                if self.said.insert(of.to_owned(), text.clone()).as_ref() != Some(&text) {
                    tracing::warn!(%problem, "{of} could not be brought in step with the org; it is tried again");
                }
            }
        }
    }
}
