//! Leases of the runs that this device executes: renewed while the runner is heard of, and enforced when it is not. While a run
//! is being started and prepared this device itself holds it. A guest from which nobody takes anything is ended, because the device that
//! asked for it was removed from the org, or this one was.

use super::{ask_to_end, outlasted};
use crate::{clock, fault, org::Org};
use domain::{
    Did, Timestamp,
    actor::Actor,
    event::Body,
    lease::{self, Beat},
    run::{Reason, Run, RunState},
    time::millis,
};
use forge::OrgState;
use std::{sync::Arc, time::Duration};

/// Looks after the leases of these runs.
pub(crate) async fn look_after(org: &Arc<Org>, active: &[Run]) {
    let (now, lease_ms) = (clock::now(), fault::lease_ms());
    outlasted::send_away(org, active, now).await;
    let state = org.remote.org();
    for run in active.iter().filter(|r| r.state.holds_slot() && r.device.as_ref() == Some(&org.device)) {
        if let Some(reason) = of_nobody(&state, &org.device, run) {
            end(org, run, reason).await;
        }
        let Some(live) = org.hub.get(&run.id) else { continue };
        let silent = if run.state <= RunState::Preparing { Some(Duration::ZERO) } else { live.silent_for() };
        // One that was just adopted has a time of its own to come back in.
        let Some(silent) = silent else { continue };
        match lease::beat(run.lease_until, millis(silent), now, lease_ms) {
            Beat::Over => {
                tracing::warn!(run = %run.id, ?silent, "the runner was not heard of for the time of its lease");
                org.driven.end(&run.id, &Reason::RunnerSilent { seconds: silent.as_secs() });
            }
            Beat::Renew(until) => renew(org, run, until).await,
            Beat::Lasts => {}
        }
    }
}

/// Journals that a lease goes on.
async fn renew(org: &Arc<Org>, run: &Run, until: Timestamp) {
    let renewed = Body::LeaseRenewed { run: run.id.clone(), until };
    if let Err(problem) = org.record(&org.device, vec![renewed]).await {
        tracing::warn!(run = %run.id, %problem, "a lease could not be renewed; it is tried again");
    }
}

/// Why a guest is to end that nobody waits for any more. What only a refused commit of the org says may be taken back.
fn of_nobody(state: &OrgState, here: &Did, run: &Run) -> Option<Reason> {
    let by = &run.requester;
    if by == here || run.ending.is_some() {
        return None;
    }
    let sure = |did: &Did| state.refused.is_none() || state.revoked_for_good().any(|key| key == did);
    let message = if state.is_gone(here) && sure(here) {
        "This device was removed from the org, and nobody takes what it does for others any more.".to_owned()
    } else if state.device_of(by).is_none() && sure(by) {
        format!("The device {by}, which asked for it, does not belong to the org any more.")
    } else {
        return None;
    };
    Some(Reason::Hindered { message })
}

/// Has a run ended, with its work saved.
async fn end(org: &Arc<Org>, run: &Run, reason: Reason) {
    if let Err(problem) = ask_to_end(org, &Actor::from(&org.device), &run.id, reason).await {
        tracing::warn!(run = %run.id, %problem, "a run of a removed device could not be ended yet; it is tried again");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        fixtures::{self, did},
    };
    use domain::{
        manifest::Class,
        org::{Device, KeyKind, Revocation},
    };

    fn asked_by(letter: char) -> Run {
        let id = "01JZZZZZZZZZZZZZZZZZWRK001".parse().unwrap();
        new_run(id, Class::Agent, "demo".parse().unwrap(), did('B'), did(letter), Timestamp(0))
    }

    #[test]
    fn a_device_that_was_removed_ends_the_guests_of_others_and_goes_on_with_its_own_runs() {
        let devices = [("box".to_owned(), Device::new("box", did('b'), "ada"))].into();
        let gone = Revocation { did: did('a'), kind: KeyKind::Device, at: Timestamp(0), why: "sold".into(), name: None };
        let state = OrgState { devices, ended: vec![gone], ..fixtures::state() };
        let ended = |by| of_nobody(&state, &did('a'), &asked_by(by));
        assert_eq!(ended('a'), None);
        assert!(ended('b').is_some_and(|why| why.text().contains("This device was removed from the org")));
    }

    #[test]
    fn a_guest_of_a_device_that_was_removed_is_ended_once() {
        let devices = [("box".to_owned(), Device::new("box", did('b'), "ada"))].into();
        let state = OrgState { devices, ..fixtures::state() };
        // Its own it goes on with.
        let ended = |run: &Run| of_nobody(&state, &did('a'), run);
        assert_eq!(['a', 'b'].map(|by| ended(&asked_by(by))), [None, None]);
        let reason = ended(&asked_by('g'));
        assert!(reason.as_ref().is_some_and(|why| why.text().contains("does not belong to the org any more")), "{reason:?}");
        assert_eq!(ended(&Run { ending: reason, ..asked_by('g') }), None);
    }
}
