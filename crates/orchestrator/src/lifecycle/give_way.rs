//! Runs that give way to a more important one on the same device: saved and ended as when its owner wants the machine back.

use super::Evicting;
use crate::{lending, org::Org};
use domain::{Did, Problem, RunId, actor::Actor, run::Reason};
use std::{sync::Arc, time::Duration};

/// Asks for the end of these runs, and returns when what drives them was told: they freeze at once.
///
/// # Errors
/// When that cannot be journaled of one: it goes on, as do those after it.
pub(crate) async fn give_way(org: &Arc<Org>, runs: &[RunId], to: &RunId, member: &Did) -> Result<(), Problem> {
    let reason = Reason::GaveWay { to: to.clone(), member: member.clone() };
    let (mut leaving, mut asked) = (Evicting::default(), Ok(()));
    for id in runs {
        asked = leaving.ask(org, &Actor::from(&org.device), id, &reason).await;
        if asked.is_err() {
            break;
        }
    }
    if !leaving.runs.is_empty() {
        let (waiting, grace) = (org.clone(), Duration::from_secs(lending::now(org).policy.grace_s));
        org.tasks.spawn(async move { leaving.free_within(&waiting, grace).await });
    }
    asked
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, fixtures::Opened};
    use domain::{
        Kind, Timestamp,
        event::{Body, kind},
        manifest::Class,
        run::{Run, RunState},
    };

    const WELL_BELOW_GRACE: Duration = Duration::from_secs(10);

    fn id(n: u32) -> RunId {
        format!("{n:026}").parse().unwrap()
    }

    /// Journals a run that works here.
    async fn works(org: &Org, n: u32) -> Run {
        let run = new_run(id(n), Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { state: RunState::Working, device: Some(org.device.clone()), ..run };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        run
    }

    #[tokio::test]
    async fn what_the_journal_does_not_take_goes_on_and_so_does_what_comes_after_it() {
        let opened = Opened::new().await;
        let org = &opened.org;
        // The journal takes no end of a run that it does not know.
        let ([first, unknown, last], to) = ([1, 2, 3].map(id), id(9));
        let (working, other) = (works(org, 1).await, works(org, 3).await);
        let driven = [&first, &unknown, &last].map(|run| org.driven.begin(run).unwrap());
        let told = || driven.each_ref().map(|(_, end)| end.borrow().clone());
        let journaled = |run: &RunId| org.store.get::<Run>(kind::RUN, run.as_str()).unwrap().unwrap();

        let refused = give_way(org, &[unknown.clone(), last.clone(), first.clone()], &to, &org.member).await;
        assert_eq!(refused.unwrap_err().kind, Kind::NotFound);
        assert_eq!(told(), [None, None, None]);
        assert_eq!((journaled(&first), journaled(&last)), (working.clone(), other.clone()));

        let refused = give_way(org, &[first.clone(), unknown, last.clone()], &to, &org.member).await;
        assert_eq!(refused.unwrap_err().kind, Kind::NotFound);
        let reason = Reason::GaveWay { to, member: org.member.clone() };
        assert_eq!(told(), [Some(reason.clone()), None, None]);
        assert_eq!((journaled(&first), journaled(&last)), (Run { ending: Some(reason), ..working }, other));
        // What waits for its room holds the org until it is free, and no longer.
        assert!(!org.tasks.is_empty());
        org.record(&org.device, vec![Body::RunMoved { run: first, to: RunState::Evicted, reason: None }]).await.unwrap();
        org.tasks.close();
        let free = tokio::time::timeout(WELL_BELOW_GRACE, org.tasks.wait()).await;
        assert!(free.is_ok(), "the end is not heard");
    }
}
