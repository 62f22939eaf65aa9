//! Follows Radicle while `up` runs: what another node or another process did to patches and branches moves the tasks at
//! once. The node's events say where to look, and so do the refs of this node's own keys, which the stock `rad` writes by itself;
//! a slow pass over everything makes up for what was missed.

use crate::{
    lifecycle::reconcile::{self, Compared, Patches},
    limits,
    org::Org,
    tasks,
};
use domain::{Oid, PatchId, Problem, Rid};
use forge::{NodeEvent, NodeEvents, Received};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Instant,
};
use tokio::sync::Notify;

/// Where something changed since the last look.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    found: Mutex<Found>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Found {
    everywhere: bool,
    projects: BTreeMap<Rid, Patches>,
}

impl Changes {
    fn add(&self, change: impl FnOnce(&mut Found)) {
        change(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_one();
    }

    fn take(&self) -> Found {
        mem::take(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Found {
    /// Many patches at once are looked at together with all others, so that bursts stay small.
    fn patches(&mut self, rid: Rid, ids: BTreeSet<PatchId>) {
        let known = self.projects.entry(rid).or_insert_with(|| Patches::These(BTreeSet::new()));
        if let Patches::These(all) = known {
            all.extend(ids);
            if all.len() > limits::FOLLOWED_PATCHES_MAX {
                *known = Patches::All;
            }
        }
    }

    fn project(&mut self, rid: Rid) {
        self.projects.insert(rid, Patches::All);
    }

    fn note(&mut self, org: &Org, event: NodeEvent) {
        match event {
            // Who counts may have changed.
            NodeEvent::Fetched { rid, .. } | NodeEvent::Announced { rid, .. } | NodeEvent::HeadMoved { rid, .. } if rid == org.rid => {
                org.look_at_head();
                self.everywhere = true;
            }
            NodeEvent::Fetched { rid, patches, branches: false, .. } => self.patches(rid, patches),
            NodeEvent::Fetched { rid, .. } | NodeEvent::Announced { rid, .. } | NodeEvent::HeadMoved { rid, .. } => self.project(rid),
            NodeEvent::PeerConnected { .. } | NodeEvent::PeerDisconnected { .. } => org.remote.sessions_changed(),
            NodeEvent::Synced { .. } => {}
        }
    }
}

/// Begins to listen to the node, before anything else looks at what it has.
///
/// # Errors
/// When the node is down, or no thread can be made.
pub(crate) fn listen(org: &Arc<Org>) -> Result<Arc<Changes>, Problem> {
    let (changes, heard, weak) = (Arc::new(Changes::default()), org.node()?.events(), Arc::downgrade(org));
    let told = changes.clone();
    thread::Builder::new().name("follow".into()).spawn(move || hear(&weak, heard, &told)).map_err(Problem::internal)?;
    Ok(changes)
}

/// Ends when the node stops, or the org is gone.
fn hear(org: &Weak<Org>, mut events: NodeEvents, changes: &Changes) {
    loop {
        let received = events.next(limits::FOLLOW_EVERY);
        let Some(org) = org.upgrade() else { return };
        match received {
            Received::Event(event) => {
                if let NodeEvent::Fetched { rid, .. } = &event {
                    bring_forward(&org, rid);
                }
                if let NodeEvent::Fetched { rid, .. } | NodeEvent::Announced { rid, .. } = &event {
                    org.remote.signed_changed(rid);
                }
                changes.add(|found| found.note(&org, event));
            }
            Received::Nothing => {}
            // The node stopped, or this was too slow and missed something.
            Received::Closed => {
                let Ok(node) = org.node() else { return };
                if *org.closing.borrow() || !node.health().running {
                    return;
                }
                events = node.events();
                changes.add(|found| found.everywhere = true);
                thread::sleep(limits::FOLLOW_COALESCE);
            }
        }
    }
}

/// What this device signed stays, whatever a fetch that began before knew of it.
fn bring_forward(org: &Org, rid: &Rid) {
    match org.forge.bring_forward(rid) {
        Ok(false) => {}
        Ok(true) => tracing::info!(%rid, "a fetch had set refs of this device back; they are where it signed them"),
        Err(problem) => tracing::warn!(%problem, %rid, "it could not be looked at whether a fetch set refs of this device back"),
    }
}

/// Looks where something changed, until the org closes.
pub(crate) async fn follow(org: Arc<Org>, changes: Arc<Changes>) {
    let mut closing = org.closing.subscribe();
    let (mut known, mut whole, mut compared) = (Signed::new(), Instant::now(), Compared::default());
    loop {
        let told = tokio::select! {
            () = changes.news.notified() => true,
            () = tokio::time::sleep(limits::FOLLOW_LOOK_EVERY) => false,
            _ = closing.wait_for(|c| *c) => return,
        };
        if whole.elapsed() >= limits::FOLLOW_EVERY {
            whole = Instant::now();
            changes.add(|found| found.everywhere = true);
        }
        if !told {
            known = look_here(&org, known, &changes).await;
            continue;
        }
        // A fetch or a write comes as a burst of events.
        tokio::time::sleep(limits::FOLLOW_COALESCE).await;
        look(&org, changes.take(), &mut compared).await;
        // A default branch that moved may have freed tasks.
        org.wake.notify_one();
    }
}

/// Where the refs of this node's keys are, by project.
type Signed = BTreeMap<Rid, Vec<Option<Oid>>>;

/// The stock `rad` on this machine tells the node nothing while no other node wants to know: so its refs are looked at.
async fn look_here(org: &Arc<Org>, known: Signed, changes: &Changes) -> Signed {
    let look = |org: &Arc<Org>| {
        org.look_at_head();
        let keys = BTreeSet::from([org.forge.node_id(), org.member.clone()]);
        let of = |rid: &Rid| keys.iter().map(|key| org.forge.signed_refs(rid, key)).collect::<Result<Vec<_>, _>>();
        // One that cannot be read hides nothing of the others.
        Ok(tasks::projects_here(org)?.into_iter().filter_map(|p| Some((p.rid.clone(), of(&p.rid).ok()?))).collect::<Signed>())
    };
    match org.blocking(look).await {
        Ok(now) => {
            // One that is looked at for the first time may have moved since it was added.
            let moved = now.iter().filter(|(rid, at)| known.get(*rid) != Some(*at));
            moved.for_each(|(rid, _)| changes.add(|found| found.project(rid.clone())));
            now
        }
        Err(problem) => {
            tracing::warn!(%problem, "the refs of this device cannot be read");
            known
        }
    }
}

async fn look(org: &Arc<Org>, found: Found, compared: &mut Compared) {
    if found.everywhere {
        return reconcile::reconcile_all(org, compared).await;
    }
    let projects = match org.blocking(|org| org.state()).await {
        Ok(state) => state.projects,
        Err(problem) => return tracing::error!(%problem, "the org repository cannot be read"),
    };
    for project in projects.into_values() {
        if let Some(which) = found.projects.get(&project.rid) {
            reconcile::reconcile(org, &project, which).await;
        }
    }
}
