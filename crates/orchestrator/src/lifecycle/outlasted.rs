//! Runs that a person paused, or a stop order halts, for so long that their keys might not last for the rest of their work: they are sent
//! away, as where a device wants its room back. The run that goes on with one waits likewise, and gets a key of its own when it begins.

use super::{ask_to_end, manifest, sealed};
use crate::{limits, org::Org};
use domain::{
    Did, Problem, Timestamp,
    actor::Actor,
    manifest::{Class, TimeLimits},
    run::{Reason, Run, RunState},
};
use identity::Delegation;
use std::sync::Arc;

/// Sends those of these runs away whose keys might not last. Where that comes late, as after the machine slept, no work is lost: to save it
/// nothing has to be signed by them.
pub(super) async fn send_away(org: &Arc<Org>, active: &[Run], now: Timestamp) {
    for run in active.iter().filter(|run| kept_for_long(run, &org.device, now)) {
        if let Err(problem) = look(org, run, active, now).await {
            tracing::warn!(run = %run.id, %problem, "a run that is paused or halted for long could not be sent away yet; it is tried again");
        }
    }
}

/// Whether it is worth while to look at a run's key: it is kept from going on here, and all keys last for longer than that.
fn kept_for_long(run: &Run, here: &Did, now: Timestamp) -> bool {
    let kept = run.paused_by.is_some() || matches!(run.reason, Some(Reason::Halted { .. }));
    let kept = kept && run.class == Class::Agent && run.device.as_ref() == Some(here);
    let works = matches!(run.state, RunState::Working | RunState::Verifying) && run.ending.is_none();
    kept && works && run.started_at.is_some_and(|at| at.plus_ms(limits::HOST_AWAY_MS) <= now)
}

/// Sends a run away whose key might not last, or that of the checks on its work, which are paused with it.
async fn look(org: &Arc<Org>, run: &Run, active: &[Run], now: Timestamp) -> Result<(), Problem> {
    let with_its_checks = |one: &&Run| one.id == run.id || one.subject.as_ref() == Some(&run.id);
    let all: Vec<Run> = active.iter().filter(with_its_checks).cloned().collect();
    let found = org.blocking(move |org| {
        let ends = all.iter().map(|run| ends_soon(org, run, now)).collect::<Result<Vec<_>, Problem>>()?;
        Ok(ends.into_iter().flatten().min())
    });
    let Some(until) = found.await? else { return Ok(()) };
    let message = format!(
        "It was paused or halted for so long that its key, or that of its checks, which signs until {}, might not last for the rest of the work.",
        until.minute()
    );
    ask_to_end(org, &Actor::from(&org.device), &run.id, Reason::Evicted { message }).await.map(drop)
}

/// Until when a run's key signs, where that might not suffice; none: it does, or there is no key yet.
fn ends_soon(org: &Org, run: &Run, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(delegation) = &run.delegation else { return Ok(None) };
    let until = Delegation::read(&sealed(org, delegation)?, |device| *device == run.requester)?.until;
    let (manifest, _) = manifest(org, run)?;
    Ok((now.plus_ms(rest_ms(manifest.limits)) >= until).then_some(until))
}

/// How long the rest of the work may take at most: all of its time, and a lease's for its checks and publishing.
fn rest_ms(limits: TimeLimits) -> u64 {
    limits.wall_s.saturating_mul(1_000).saturating_add(domain::limits::LEASE_MS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        clock,
        fixtures::{self, Opened, did},
        lifecycle::delegated,
    };
    use domain::{
        RunId,
        event::{Body, kind},
    };

    /// A run that works here, with a key from now on.
    fn with_key(org: &Org, id: &RunId, class: Class) -> Run {
        let (asked, kept) = fixtures::asked(org, id);
        let new = new_run(id.clone(), class, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let leased = Run { manifest: Some(asked.hash), envelope: Some(kept), device: Some(org.device.clone()), ..new };
        let delegation = Some(delegated(org, &leased, did('r')).unwrap());
        Run { delegation, state: RunState::Working, started_at: Some(clock::now()), paused_by: Some(org.member.clone()), ..leased }
    }

    #[tokio::test]
    async fn what_is_paused_is_sent_away_while_its_key_lasts_for_the_rest_of_the_work() {
        let opened = Opened::new().await;
        let (org, now) = (&opened.org, clock::now());
        let run = with_key(org, &clock::run_id(), Class::Agent);
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        let (_driven, end) = org.driven.begin(&run.id).unwrap();
        let ending = || org.store.get::<Run>(kind::RUN, run.id.as_str()).unwrap().unwrap().ending;
        let wall_ms = TimeLimits::default().wall_s * 1_000;
        // Signed a moment after `now`: a minute is long enough.
        let due = now.plus_ms(limits::HOST_AWAY_MS + wall_ms + 60_000);
        send_away(org, std::slice::from_ref(&run), now.plus_ms(limits::HOST_AWAY_MS + wall_ms - 1_000)).await;
        assert_eq!((end.borrow().clone(), ending()), (None, None), "it is paused for a day and its own time at least");
        send_away(org, &[Run { paused_by: None, ..run.clone() }], due).await;
        send_away(org, &[Run { state: RunState::Publishing, ..run.clone() }], due).await;
        assert_eq!((end.borrow().clone(), ending()), (None, None), "it goes on");
        let order = Some(Reason::Halted { by: org.member.clone(), what: "the agent beat".into(), why: "Wait.".into() });
        assert!(kept_for_long(&Run { paused_by: None, reason: order, ..run.clone() }, &org.device, due), "a stop order keeps it too");
        send_away(org, std::slice::from_ref(&run), due).await;
        let told = end.borrow().clone();
        assert!(told.as_ref().is_some_and(|why| why.ends_as() == RunState::Evicted && why.text().contains("halted for so long")));
        assert_eq!(ending(), told, "it stands whatever breaks");
    }

    #[tokio::test]
    async fn a_run_whose_checks_are_paused_is_sent_away_for_their_key_too() {
        let opened = Opened::new().await;
        let (org, due) = (&opened.org, clock::now().plus_ms(limits::HOST_AWAY_MS * 2));
        let keyed = with_key(org, &clock::run_id(), Class::Agent);
        // Its own key lasts, as far as anybody knows.
        let run = Run { state: RunState::Verifying, delegation: None, ..keyed };
        let checks = Run { subject: Some(run.id.clone()), ..with_key(org, &clock::run_id(), Class::Ci) };
        let queued = [&run, &checks].map(|run| Body::RunQueued { run: Box::new(run.clone()) });
        org.record(&org.device, queued.to_vec()).await.unwrap();
        send_away(org, &[run.clone(), checks.clone()], due).await;
        let ending = |id: &RunId| org.store.get::<Run>(kind::RUN, id.as_str()).unwrap().unwrap().ending;
        assert!(matches!(ending(&run.id), Some(Reason::Evicted { .. })));
        assert_eq!(ending(&checks.id), None, "they end with it");
    }
}
