//! What is said of a run whose checks do not go on.

use super::active_in;
use crate::org::Org;
use domain::{
    Did, RunId,
    manifest::Class,
    run::{Reason, Run, RunState},
};
use std::collections::{BTreeSet, HashMap};

/// A run as it is shown: where a stop order halts its checks, which may be another member's than itself, it waits until that is lifted.
pub(crate) fn halted_with_its_checks(org: &Org, mut run: Run) -> Run {
    halted_with_their_checks(org, [&mut run]);
    run
}

/// The same of several runs: however many are checked now, the journal is read once.
pub(crate) fn halted_with_their_checks<'r>(org: &Org, runs: impl IntoIterator<Item = &'r mut Run>) {
    let checked = runs.into_iter().filter(|run| run.state == RunState::Verifying && run.reason.is_none());
    let checked: Vec<&mut Run> = checked.collect();
    if checked.is_empty() {
        return;
    }
    let halted = |checks: Run| match checks.reason {
        Some(reason @ Reason::Halted { .. }) => Some((checks.subject?, reason)),
        _ => None,
    };
    let halted: HashMap<RunId, Reason> = checks(org, &checked).into_iter().filter_map(halted).collect();
    for run in checked {
        run.reason = halted.get(&run.id).cloned();
    }
}

/// The checks that have not ended: those that this device asked for or executes, and those of runs that work elsewhere for others, as far as
/// their devices' journals are here. Where a journal cannot be read, it is as if there were none.
fn checks(org: &Org, of: &[&mut Run]) -> Vec<Run> {
    let mut found = org.active_runs().unwrap_or_default();
    let elsewhere = |run: &&&mut Run| run.requester != org.device && run.device.as_ref() != Some(&org.device);
    let devices: BTreeSet<&Did> = of.iter().filter(elsewhere).filter_map(|run| run.device.as_ref()).collect();
    for copied in org.journals.all().iter().filter(|copied| devices.contains(copied.journal.device())) {
        found.extend(active_in(copied, |_| true));
    }
    found.retain(|run| run.class == Class::Ci);
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, clock, fixtures::Opened};
    use domain::event::Body;

    #[tokio::test]
    async fn a_run_whose_checks_are_halted_says_so_and_no_other_does() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let new = |class| {
            let project = "demo".parse().unwrap();
            new_run(clock::run_id(), class, project, org.member.clone(), org.device.clone(), clock::now())
        };
        let judged = || Run { state: RunState::Verifying, ..new(Class::Agent) };
        let (run, other) = (judged(), judged());
        let halt = Reason::Halted { by: org.member.clone(), what: "the member cyd".into(), why: "Leave.".into() };
        let checks = |subject: &Run, reason| Run { subject: Some(subject.id.clone()), state: RunState::Working, reason, ..new(Class::Ci) };
        let queued = [run.clone(), other.clone(), checks(&run, Some(halt.clone())), checks(&other, None)];
        org.record(&org.device, queued.map(|run| Body::RunQueued { run: Box::new(run) }).to_vec()).await.unwrap();
        assert_eq!(halted_with_its_checks(org, run.clone()).reason, Some(halt.clone()));
        assert_eq!(halted_with_its_checks(org, other.clone()), other);
        let mut both = [other.clone(), run.clone()];
        halted_with_their_checks(org, &mut both);
        assert_eq!(both.map(|run| run.reason), [None, Some(halt)]);
        let ended = Run { state: RunState::Done, ..run };
        assert_eq!(halted_with_its_checks(org, ended.clone()), ended, "it waits for nothing any more");
    }
}
