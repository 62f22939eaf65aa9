//! Who is a guest on this device, and what a guest is refused for.

use super::Lending;
use crate::{host::Live, org::Org};
use domain::{
    Did, Problem, RunId,
    event::kind,
    manifest::{Manifest, Work},
    placement::Refusal,
    run::Run,
};
use forge::OrgState;
use std::sync::Arc;

/// The owner of this device, as the org's file of it says: whose runs are no guests here.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    keys: Vec<Did>,
}

impl Owner {
    /// By a state of the org. The member whose key lies on this device is at home here too.
    pub(crate) fn of(org: &Org, state: &OrgState) -> Self {
        let keys = state.owner_of(&org.device).into_iter().flat_map(|member| member.keys.iter().map(|key| key.did.clone()));
        Self { keys: keys.chain([org.member.clone()]).collect() }
    }

    /// Somebody with one key.
    #[cfg(test)]
    pub(crate) fn with_key(key: Did) -> Self {
        Self { keys: vec![key] }
    }

    /// Whether this is a key of theirs.
    pub(crate) fn owns(&self, key: &Did) -> bool {
        self.keys.contains(key)
    }

    /// Whether a run is a guest. Checks, which a device asks itself for, are it where the work is that they judge; `known` finds that.
    ///
    /// # Errors
    /// When `known` fails.
    pub(crate) fn is_guest(&self, run: &Run, known: impl FnOnce(&RunId) -> Result<Option<Run>, Problem>) -> Result<bool, Problem> {
        Ok(!self.owns(&works_for(run, known)?))
    }
}

/// The key of the member for whom a run works: of checks, of whose work they judge; `known` finds that.
///
/// # Errors
/// When `known` fails.
pub(crate) fn works_for(run: &Run, known: impl FnOnce(&RunId) -> Result<Option<Run>, Problem>) -> Result<Did, Problem> {
    let subject = run.subject.as_ref().map(known).transpose()?.flatten();
    Ok(subject.as_ref().unwrap_or(run).member.clone())
}

/// The guests whose engines, or checks, may compute here now, the oldest first: by what is known without the disk, so that they are frozen
/// whatever that is doing.
pub(crate) fn live(org: &Org) -> Vec<RunId> {
    let owner = Owner::of(org, &org.remote.org());
    let guest = |live: &Arc<Live>| live.ended.borrow().is_none() && !owner.owns(&live.works_for);
    let mut found: Vec<RunId> = org.hub.all().into_iter().filter(guest).map(|live| live.run.clone()).collect();
    found.sort();
    found
}

/// The guests that run on this device now, the oldest first: work before the checks that judge it.
///
/// # Errors
/// When the org or the journal cannot be read.
pub(crate) fn running(org: &Org) -> Result<Vec<Run>, Problem> {
    let here = |run: &Run| run.state.holds_slot() && run.device.as_ref() == Some(&org.device);
    let here: Vec<Run> = org.active_runs()?.into_iter().filter(here).collect();
    if here.is_empty() {
        return Ok(here);
    }
    let (owner, mut guests) = (Owner::of(org, &org.state()?), Vec::new());
    for run in here {
        if owner.is_guest(&run, |id| org.store.get(kind::RUN, id.as_str()))? {
            guests.push(run);
        }
    }
    Ok(guests)
}

/// Why a guest is not taken. `running` is how many guests of its kind, work or checks, run here.
pub(crate) fn refusals(lending: &Lending, manifest: &Manifest, running: u32) -> Vec<Refusal> {
    // Checks on a guest's work are a part of it: who takes the one, or leaves it where it is, takes the other.
    let part = matches!(manifest.work, Work::Checks { subject: Some(_), .. });
    let mut found = match (lending.sends_away(), &lending.broken) {
        (Some(why), _) => vec![Refusal::Reclaimed { why: why.clone() }],
        (None, Some(_)) if part => vec![],
        (None, Some(_)) => {
            vec![Refusal::NotKnown { message: "Its owner's lend policy cannot be read; no guests are taken until it is mended.".into() }]
        }
        (None, None) => vec![],
    };
    // One that cannot be read says nothing of classes and slots.
    if part || lending.broken.is_some() {
        return found;
    }
    if !lending.policy.classes.contains(&manifest.class) {
        found.push(Refusal::Class { class: manifest.class });
    }
    if let Some(slots) = lending.policy.slots.filter(|slots| running >= *slots) {
        found.push(Refusal::NoSlot { slots });
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::admission;
    use domain::{
        Timestamp,
        lend::{Condition, LendPolicy, Reclaim},
        manifest::Class,
    };
    use serde_json::json;

    fn did(seed: u8) -> Did {
        identity::Key::from_seed(&[seed; 32]).did()
    }

    fn manifest(class: &str, subject: Option<&str>) -> Manifest {
        let commit = "a".repeat(40);
        let work = json!({"kind": "checks", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "project": "demo", "commit": commit,
            "definitions": commit, "subject": subject});
        serde_json::from_value(json!({"version": 1, "org": "acme", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "requester": did(1),
            "member": did(2), "at": 0, "expires": 1, "class": class, "work": work, "resources": {}, "limits": {}}))
        .unwrap()
    }

    fn run(member: u8, subject: Option<&str>) -> Run {
        let of = |text: &str| text.parse().unwrap();
        let (id, project) = (of("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "demo".parse().unwrap());
        let run = admission::new_run(id, Class::Ci, project, did(member), did(9), Timestamp(0));
        Run { subject: subject.map(of), ..run }
    }

    #[test]
    fn checks_are_guests_where_the_work_is_that_they_judge() {
        let owner = Owner { keys: vec![did(1)] };
        let subject = Some("01ARZ3NDEKTSV4RRFFQ69G5FAA");
        let table =
            [(run(1, None), None, false), (run(2, None), None, true), (run(1, subject), Some(2), true), (run(2, subject), Some(1), false)];
        for (run, of, guest) in table {
            let known = |_: &RunId| Ok(of.map(|member| self::run(member, None)));
            assert_eq!(owner.is_guest(&run, known).unwrap(), guest, "{run:?} {of:?}");
        }
        assert!(!owner.is_guest(&run(1, subject), |_| Ok(None)).unwrap(), "work that nobody knows");
    }

    #[test]
    fn a_guest_is_refused_by_stance_class_and_slots_and_its_checks_are_a_part_of_it() {
        let lending = |reclaimed: Option<Reclaim>, slots, broken: bool| Lending {
            policy: LendPolicy { classes: vec![Class::Agent, Class::Ci], slots, ..LendPolicy::default() },
            condition: Condition::default(),
            reclaimed,
            since: Timestamp(0),
            click: None,
            gpus: vec![],
            broken: broken.then(|| Problem::invalid("No.")),
        };
        let battery = || Refusal::Reclaimed { why: Reclaim::Battery };
        let (subject, free) = (Some("01ARZ3NDEKTSV4RRFFQ69G5FAA"), lending(None, Some(2), false));
        assert!(refusals(&free, &manifest("agent", None), 1).is_empty());
        assert_eq!(refusals(&free, &manifest("agent", None), 2), [Refusal::NoSlot { slots: 2 }]);
        assert_eq!(refusals(&free, &manifest("job", None), 0), [Refusal::Class { class: Class::Job }]);
        assert!(refusals(&free, &manifest("ci", subject), 2).is_empty());
        let taken = lending(Some(Reclaim::Battery), None, false);
        assert_eq!(refusals(&taken, &manifest("agent", None), 0), [battery()]);
        assert_eq!(refusals(&taken, &manifest("ci", subject), 0), [battery()]);
        let broken = lending(Some(Reclaim::Unread), Some(0), true);
        assert!(matches!(refusals(&broken, &manifest("agent", None), 0).as_slice(), [Refusal::NotKnown { .. }]));
        assert!(refusals(&broken, &manifest("ci", subject), 0).is_empty(), "its work stays where it is");
        for why in [Reclaim::Asked { until: None }, Reclaim::Battery] {
            let both = lending(Some(why.clone()), Some(0), true);
            assert_eq!(refusals(&both, &manifest("ci", subject), 0), [Refusal::Reclaimed { why }], "its work leaves");
        }
    }
}
