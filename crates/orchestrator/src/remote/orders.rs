//! Whether the device that asked for a run has said by now what it wants of it. Of an end that a person ordered while this device was
//! away it tells before it asks for the run's facts (`follow`): so where it follows the run, what it ordered is here.

use super::{may_answer, reach::directly};
use crate::{limits, org::Org};
use domain::{Did, RunId, lease::Reached, run::Run};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// By how many calls each run that is executed here for another device is followed now.
#[derive(Debug, Default)]
pub(super) struct Followed(watch::Sender<BTreeMap<RunId, u32>>);

/// One such call, until it is dropped.
pub(super) struct Follows {
    org: Arc<Org>,
    run: RunId,
}

impl Follows {
    pub(super) fn begin(org: &Arc<Org>, run: &RunId) -> Self {
        org.remote.followed.0.send_modify(|all| *all.entry(run.clone()).or_default() += 1);
        Self { org: org.clone(), run: run.clone() }
    }
}

impl Drop for Follows {
    fn drop(&mut self) {
        self.org.remote.followed.0.send_modify(|all| {
            if let Some(calls) = all.get_mut(&self.run) {
                *calls -= 1;
            }
            all.retain(|_, calls| *calls > 0);
        });
    }
}

/// Waits until the device that asked for a run has told what it wants of it, for some seconds at most, and not at all where it does not
/// answer or it is this one.
pub(crate) async fn orders_heard(org: &Arc<Org>, run: &Run) {
    if run.requester == org.device || follows(org, &run.id) || !is_there(org, &run.requester).await {
        return;
    }
    if tokio::time::timeout(limits::ORDERS_WAIT, followed(org, &run.id)).await.is_err() {
        tracing::warn!(run = %run.id, requester = %run.requester, "the device that asked for a run answers, and does not follow it");
    }
}

/// Whether a device answers now. One that the org does not list is not asked.
async fn is_there(org: &Arc<Org>, device: &Did) -> bool {
    let listed = org.remote.org().device_of(device).is_some();
    listed && directly(org, device).await == Reached::Yes && may_answer(org, device)
}

fn follows(org: &Org, run: &RunId) -> bool {
    org.remote.followed.0.borrow().contains_key(run)
}

/// Returns once the run is followed.
async fn followed(org: &Org, run: &RunId) {
    let mut all = org.remote.followed.0.subscribe();
    // Its sender is not dropped before this.
    let _ = all.wait_for(|all| all.contains_key(run)).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        clock,
        fixtures::{Opened, did},
        remote::facts,
    };
    use domain::{Timestamp, manifest::Class};
    use futures::FutureExt;

    #[tokio::test]
    async fn what_whoever_asked_for_a_run_ordered_is_heard_once_it_follows_the_run() {
        let opened = Opened::new().await;
        let (org, id) = (&opened.org, clock::run_id());
        let asked_by = |requester: &Did| {
            new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), org.member.clone(), requester.clone(), Timestamp(0))
        };
        assert!(orders_heard(org, &asked_by(&org.device)).now_or_never().is_some(), "it knows what it ordered itself");
        assert!(orders_heard(org, &asked_by(&did('g'))).now_or_never().is_some(), "it does not belong to the org");
        assert!(followed(org, &id).now_or_never().is_none());
        let call = facts::watch(org, id.clone(), 0);
        assert!(followed(org, &id).now_or_never().is_some());
        drop(call);
        let mut all = org.remote.followed.0.subscribe();
        all.wait_for(|all| all.is_empty()).await.unwrap();
        let (first, second) = (Follows::begin(org, &id), Follows::begin(org, &id));
        drop(first);
        assert!(follows(org, &id), "a connection that broke may end after the next was made");
        drop(second);
        assert!(!follows(org, &id));
    }
}
