//! Who is a guest on this device, and what a guest is refused for.

use super::Lending;
use crate::org::Org;
use domain::{
    Did, Problem, RunId,
    event::kind,
    manifest::{Manifest, Work},
    placement::Refusal,
    run::Run,
};
use forge::OrgState;

/// The owner of this device, as the org's file of it says: whose runs are no guests here.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    keys: Vec<Did>,
}

impl Owner {
    /// By a state of the org. The member whose key lies on this device is at home here too.
    pub(crate) fn of(org: &Org, state: &OrgState) -> Self {
        let listed = state.device_of(&org.device).and_then(|device| state.members.get(&device.owner));
        let keys = listed.into_iter().flat_map(|member| member.keys.iter().map(|key| key.did.clone()));
        Self { keys: keys.chain([org.member.clone()]).collect() }
    }

    /// Whether a run is a guest. Checks, which a device asks itself for, are it where the work is that they judge; `known` finds that.
    ///
    /// # Errors
    /// When `known` fails.
    pub(crate) fn is_guest(&self, run: &Run, known: impl FnOnce(&RunId) -> Result<Option<Run>, Problem>) -> Result<bool, Problem> {
        let subject = run.subject.as_ref().map(known).transpose()?.flatten();
        Ok(!self.keys.contains(&subject.as_ref().unwrap_or(run).member))
    }
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
    let mut found = match (&lending.broken, &lending.reclaimed) {
        (Some(_), _) => {
            vec![Refusal::NotKnown { message: "Its owner's lend policy cannot be read; no guests are taken until it is mended.".into() }]
        }
        (None, Some(why)) => vec![Refusal::Reclaimed { why: why.clone() }],
        (None, None) => vec![],
    };
    // Checks on a guest's work are a part of it: who takes the one takes the other.
    if matches!(manifest.work, Work::Checks { subject: Some(_), .. }) {
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
