//! Keeps what follows from the org repository as it says: this owner's branch, who may read and sign each repository, and which keys are
//! blocked. Says which repositories are to be here; `remote/missed.rs` brings them. Takes no input, and may run twice.

use crate::{limits, org::Org};
use domain::{Did, Problem, ProjectName, Rid, event::Body};
use forge::{Charter, Node, OrgState};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, watch};

/// What others tell the one who keeps, and hear of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    asked: Notify,
    wanted: watch::Sender<Arc<Wanted>>,
    /// Why the org's projects that are not here yet are not, where that is known.
    absent: Mutex<BTreeMap<Rid, String>>,
}

/// What is to be here of what other devices have.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// What is here, and may have been changed there: the org repository, and then projects. Empty before the first look.
    pub(crate) here: Vec<Rid>,
    /// The projects that are not here yet.
    pub(crate) absent: Vec<(ProjectName, Rid)>,
    /// Whether something waits for another device's signature.
    pub(crate) unsettled: bool,
}

impl Kept {
    /// Has it looked at once.
    pub(crate) fn notify_one(&self) {
        self.asked.notify_one();
    }

    /// What is to be here; told anew after each look, also where it is the same.
    pub(crate) fn wanted(&self) -> watch::Receiver<Arc<Wanted>> {
        self.wanted.subscribe()
    }

    /// Why a project is not here yet, in words; none: it is not known, or the project is here.
    pub(crate) fn why_absent(&self, rid: &Rid) -> Option<String> {
        self.absent().get(rid).cloned()
    }

    /// Notes why it is not.
    pub(crate) fn note_absent(&self, rid: &Rid, why: String) {
        self.absent().insert(rid.clone(), why);
    }

    fn absent(&self) -> MutexGuard<'_, BTreeMap<Rid, String>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which keys were blocked already (true) or are known not to be, so that it is not done at every look.
#[derive(Default)]
struct Known {
    blocked: BTreeMap<Did, bool>,
    said: Said,
}

/// What was told of problems, so that each is told once, until it is another.
#[derive(Default)]
pub(crate) struct Said(BTreeMap<String, String>);

/// Looks at each change of the org and now and then, until the org closes.
pub(crate) async fn keep(org: Arc<Org>) {
    org.tasks.spawn(keep_blocked(org.clone()));
    let (mut closing, mut head) = (org.closing.subscribe(), org.head.subscribe());
    let (mut said, mut moved) = (Said::default(), head.borrow().clone());
    loop {
        let now = head.borrow_and_update().clone();
        if moved != now {
            moved = now;
            let told = org.record(&org.device, vec![Body::OrgMoved { commit: moved.clone() }]).await;
            said.note("the journal", told);
        }
        said = match org.blocking(move |org| Ok(look(org, said))).await {
            Ok(said) => said,
            Err(problem) => {
                tracing::error!(%problem, "the org repository could not be followed");
                Said::default()
            }
        };
        tokio::select! {
            _ = head.changed() => {}
            () = org.kept.asked.notified() => {}
            () = tokio::time::sleep(limits::KEEP_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

fn look(org: &Arc<Org>, mut said: Said) -> Said {
    let settled = org.forge.settle_org(&org.rid).map(drop);
    said.note("the owner's branch", settled);
    org.look_at_head();
    let state = match org.state() {
        Ok(state) => state,
        Err(problem) => {
            said.note("the org repository", Err(problem));
            return said;
        }
    };
    if let Some(refused) = &state.refused {
        said.note("the newest commit of the org repository", Err(refused.problem.clone()));
    }
    let charter = org.forge.keep_org_charter(&org.rid);
    let waits = |proposals: Vec<forge::Proposal>| !proposals.is_empty();
    let unsettled = !matches!(charter, Ok(Charter::InStep)) || org.forge.proposals(&org.rid).is_ok_and(waits);
    let charter = charter.map(|charter| org_changed(org, charter));
    said.note("the org repository's readers and owners", charter);
    let here = org.forge.repositories().unwrap_or_default();
    for project in state.projects.values().filter(|p| here.contains(&p.rid)) {
        let kept = org.forge.keep_project_charter(project, &state).map(drop);
        said.note(&format!("the readers and delegates of {}", project.name), kept);
    }
    want(org, &state, &here, unsettled, org.node().ok().is_none_or(|node| node.connected().is_empty()));
    said
}

/// Blocks revoked keys, and takes that back of keys that are listed, as soon as the org says so, until it closes: beside the rest, which
/// may take a while.
async fn keep_blocked(org: Arc<Org>) {
    let (mut closing, mut head) = (org.closing.subscribe(), org.head.subscribe());
    let mut known = Known::default();
    loop {
        head.mark_unchanged();
        let looked = org.blocking(move |org| {
            // What cannot be read is told of by the other look.
            if let (Ok(state), Ok(node)) = (org.state(), org.node()) {
                block(&node, &state, &mut known);
            }
            Ok(known)
        });
        known = looked.await.unwrap_or_default();
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

/// Of a revoked key nothing is taken any more. Radicle keeps that for ever, so no key is blocked that an owner may still take back; and
/// where one is listed all the same, as after a removal was lost to what others signed, it is blocked no more.
fn block(node: &Node, state: &OrgState, known: &mut Known) {
    for (key, blocked) in blocked(state) {
        if known.blocked.get(&key) != Some(&blocked) {
            let done = if blocked { node.block(&key) } else { node.unblock(&key) };
            if done.is_ok() {
                known.blocked.insert(key, blocked);
            }
            known.said.note(if blocked { "a revoked key" } else { "a key that is listed" }, done);
        }
    }
}

/// Whether each key of the org is to be blocked; of others it is not said.
fn blocked(state: &OrgState) -> BTreeMap<Did, bool> {
    let listed = state.readers().into_iter().map(|key| (key, false));
    listed.chain(state.revoked_for_good().map(|gone| (gone.clone(), true))).collect()
}

/// Says what is to be here, and of what is not yet that nobody is there who may have it.
fn want(org: &Org, state: &OrgState, here: &[Rid], unsettled: bool, alone: bool) {
    let (shared, absent): (Vec<_>, Vec<_>) = state.projects.values().partition(|project| here.contains(&project.rid));
    let why = "This device's Radicle node is connected to no other device of the org: meshwork device list shows them.";
    let mut told = org.kept.absent();
    told.retain(|rid, _| absent.iter().any(|project| project.rid == *rid));
    if alone {
        told.extend(absent.iter().map(|project| (project.rid.clone(), why.to_owned())));
    }
    drop(told);
    let here = [&org.rid].into_iter().chain(shared.into_iter().map(|project| &project.rid)).cloned().collect();
    let absent = absent.into_iter().map(|project| (project.name.clone(), project.rid.clone())).collect();
    org.kept.wanted.send_replace(Arc::new(Wanted { here, absent, unsettled }));
}

impl Said {
    /// Tells a problem once, until it is another.
    pub(crate) fn note(&mut self, of: &str, done: Result<(), Problem>) {
        match done {
            Ok(()) => drop(self.0.remove(of)),
            Err(problem) => {
                let text = problem.to_string();
                if self.0.insert(of.to_owned(), text.clone()).as_ref() != Some(&text) {
                    tracing::warn!(%problem, "{of} could not be brought in step with the org; it is tried again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{did, member, state};
    use domain::{
        Timestamp,
        org::{Device, KeyKind, Revocation},
        role::Role,
    };

    #[test]
    fn a_key_that_was_revoked_and_is_listed_again_is_not_blocked() {
        let listed = OrgState {
            members: [member("bob", Role::Developer, &['b'])].into(),
            devices: [("desk".to_owned(), Device::new("desk", did('b'), "bob"))].into(),
            ..state()
        };
        let gone = |letter| Revocation { did: did(letter), kind: KeyKind::Device, at: Timestamp(0), why: "lost".into(), name: None };
        let removed = OrgState { revoked: vec![gone('b'), gone('B')], ended: vec![gone('e')], ..state() };
        assert_eq!(blocked(&removed), BTreeMap::from([(did('b'), true), (did('B'), true)]));
        assert_eq!(blocked(&listed), BTreeMap::from([(did('b'), false), (did('B'), false)]));
    }
}
