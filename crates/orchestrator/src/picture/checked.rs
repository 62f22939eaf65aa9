//! What is said of a run whose checks do not go on.

use crate::org::Org;
use domain::{
    manifest::Class,
    run::{Reason, Run, RunState},
};

/// A run as it is shown: where a stop order halts its checks, which may be another member's than itself, it waits until that is lifted.
pub(crate) fn halted_with_its_checks(org: &Org, run: Run) -> Run {
    if run.state != RunState::Verifying || run.reason.is_some() {
        return run;
    }
    let halted = |checks: &Run| {
        let judges = checks.class == Class::Ci && checks.subject.as_ref() == Some(&run.id);
        judges && matches!(checks.reason, Some(Reason::Halted { .. }))
    };
    // Where the journal cannot be read, its state is shown without.
    let checks = org.active_runs().ok().and_then(|runs| runs.into_iter().find(halted));
    Run { reason: checks.and_then(|checks| checks.reason), ..run }
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
        assert_eq!(halted_with_its_checks(org, run.clone()).reason, Some(halt));
        assert_eq!(halted_with_its_checks(org, other.clone()), other);
        let ended = Run { state: RunState::Done, ..run };
        assert_eq!(halted_with_its_checks(org, ended.clone()), ended, "it waits for nothing any more");
    }
}
