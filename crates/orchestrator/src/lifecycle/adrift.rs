//! Takes up runs that have not ended although nothing drives them. Looks at the journal and at what is driven; may run at
//! any time.

use super::{Over, driven::Adrift, end};
use crate::{limits, org::Org, remote};
use domain::{
    Problem, RunId,
    event::{Body, kind},
    run::{Reason, Run},
};
use std::sync::Arc;

/// Takes up, of the runs that have not ended, those that nothing drives.
pub(crate) async fn take_up(org: &Arc<Org>, active: &[Run]) {
    let holding = |r: &&Run| r.state.holds_slot() && r.device.as_ref() == Some(&org.device);
    let holding: Vec<Run> = active.iter().filter(holding).cloned().collect();
    for (run, adrift) in org.driven.due(&holding) {
        if let Err(problem) = one(org, &run, &adrift).await {
            tracing::warn!(%run, %problem, "a run could not be taken up yet; it is tried again");
            if let Ok(Some(run)) = org.store.get::<Run>(kind::RUN, run.as_str()) {
                org.driven.later(&run, adrift.over, adrift.message);
            }
        }
    }
}

async fn one(org: &Arc<Org>, id: &RunId, adrift: &Adrift) -> Result<(), Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else {
        org.driven.settled(id);
        return Ok(());
    };
    if run.state.ended() {
        end::clear_leftover(org, &run).await?;
        end::take_up_again(org, id).await?;
        org.driven.settled(id);
        return Ok(());
    }
    if !run.state.holds_slot() {
        org.driven.settled(id);
        return Ok(());
    }
    // Written first: what cannot be journaled yet does not count as a try.
    org.record(&org.device, vec![Body::RunRecovered { run: id.clone(), message: adrift.message.clone() }]).await?;
    tracing::warn!(run = %id, times = run.recovered + 1, adrift.message, "a run that nothing drove is taken up");
    match &adrift.over {
        _ if run.recovered >= limits::RECOVERIES_MAX => end::give_up(org, run, &adrift.message).await?,
        Some(over) => super::finish_again(org, run, over.clone()),
        None => super::resume(org, run),
    }
    Ok(())
}

/// A run as it is shown: that nothing of it runs any more, where its end could not be written yet, stands in no journal.
pub(crate) fn as_it_is(org: &Org, run: Run) -> Run {
    let Some(device) = run.device.clone().filter(|_| run.state.holds_slot()) else { return run };
    let unended = if device == org.device { org.driven.unended(&run.id) } else { remote::unended(org, &run.id) };
    match unended {
        Some(message) => Run { reason: Some(Reason::EndUnwritten { device, message }), questions: vec![], questions_more: 0, ..run },
        None => run,
    }
}

impl Over {
    /// How a run ends that was taken up too often.
    pub(super) fn given_up(message: &str) -> Self {
        let message = format!("It was taken up {} times, and could not be ended in order. {message}", limits::RECOVERIES_MAX);
        Self::failed(Reason::Internal { message })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission, clock, fixtures::Opened, picture, steer};
    use domain::{
        Kind, Timestamp,
        actor::Actor,
        manifest::Class,
        run::{RunState, Wish},
    };

    #[tokio::test]
    async fn of_a_run_whose_end_could_not_be_written_it_is_said_that_nothing_of_it_runs() {
        let opened = Opened::new().await;
        let (org, id, project) = (&opened.org, clock::run_id(), "demo".parse().unwrap());
        let new = admission::new_run(id.clone(), Class::Agent, project, org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { state: RunState::Working, device: Some(org.device.clone()), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        let shown = || picture::run(org, &id).unwrap().unwrap().run;
        let by = Actor::from(&org.member);
        let refused = || async { steer::here(org, &by, run.clone(), Wish::Pause).await.unwrap_err() };
        assert_eq!(shown().reason, None);
        let ending = refused().await;
        assert!(ending.kind == Kind::Conflict && !ending.to_string().contains("once it is working"), "it is: {ending}");

        org.driven.later(&run, None, "What drove it ended before it did.".to_owned());
        assert_eq!(shown().reason, None, "its runner may live");
        org.driven.later(&run, Some(Over::done()), "Its end could not be written: the disk is full.".to_owned());
        let why = shown().why().unwrap();
        let (nothing, full) = (format!("Nothing of it runs any more on {}.", org.device), "the disk is full.");
        assert!(why.starts_with(&nothing) && why.contains(full), "{why}");
        let problem = refused().await;
        assert!(problem.to_string().contains(full) && !problem.to_string().contains("once it is working"), "{problem}");

        org.driven.settled(&id);
        assert_eq!(shown().reason, None);
    }
}
