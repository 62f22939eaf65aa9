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
