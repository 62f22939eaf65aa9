//! Runs that give way to a more important one on the same device: saved and ended as when its owner wants the machine back.

use super::evict;
use crate::{lending, org::Org};
use domain::{Did, Problem, RunId, actor::Actor, run::Reason};
use std::{sync::Arc, time::Duration};

/// Asks for the end of these runs, and returns when what drives them was told: they freeze at once.
///
/// # Errors
/// When that cannot be journaled; they give way all the same.
pub(crate) async fn give_way(org: &Arc<Org>, runs: &[RunId], to: &RunId, member: &Did) -> Result<(), Problem> {
    let reason = Reason::GaveWay { to: to.clone(), member: member.clone() };
    let evicting = evict(org, &Actor::from(&org.device), runs, &reason).await;
    let unsaved = evicting.unsaved.clone();
    let (waiting, grace) = (org.clone(), Duration::from_secs(lending::now(org).policy.grace_s));
    org.tasks.spawn(async move { evicting.free_within(&waiting, grace).await });
    unsaved.map_or(Ok(()), Err)
}
