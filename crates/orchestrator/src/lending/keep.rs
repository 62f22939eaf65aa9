//! Watching, and sending guests away: guests are frozen, saved and ended by what every eviction uses.

use super::{guests, now};
use crate::{lifecycle, limits, org::Org};
use domain::{
    Problem, RunId,
    actor::Actor,
    lend::Reclaim,
    run::{Reason, Run, RunState},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Watches until the org closes; sends guests away while the machine is its owner's alone.
pub(crate) async fn keep(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    let watched = async {
        tokio::select! {
            () = keep_looking(&org) => {}
            _ = closing.wait_for(|c| *c) => {}
        }
    };
    tokio::join!(watched, keep_giving_back(&org));
}

/// Looks again and again. A sensor that is slow, or stuck, holds up looks alone: neither a click nor those who are to leave.
async fn keep_looking(org: &Arc<Org>) {
    let mut turns = interval(limits::LEND_LOOK_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let looked = org.blocking(|org| {
            org.lending.look();
            Ok(())
        });
        if let Err(problem) = looked.await {
            tracing::error!(%problem, "it could not be looked whether the machine is lent; it is tried again");
        }
    }
}

/// Sends guests away as soon as the machine is its owner's alone, and those who come past that.
async fn keep_giving_back(org: &Arc<Org>) {
    let (mut closing, mut changes) = (org.closing.subscribe(), org.lending.changes());
    let (mut told, mut timed, mut failed) = (None, BTreeSet::new(), None);
    loop {
        let stance = {
            let seen = changes.borrow_and_update();
            (seen.broken.clone(), seen.reclaimed.clone())
        };
        if told.as_ref() != Some(&stance) {
            tell(&stance);
            told = Some(stance);
            // What waited for this machine may be taken now.
            org.wake.notify_one();
        }
        let problem = send_away(org, &mut timed).await.err().map(|problem| problem.to_string());
        if let Some(problem) = problem.as_ref().filter(|problem| failed.as_ref() != Some(*problem)) {
            tracing::error!(%problem, "sending guests away went wrong; it is tried again");
        }
        failed = problem;
        tokio::select! {
            () = sleep(limits::LEND_LOOK_EVERY) => {}
            _ = changes.changed() => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

fn tell(stance: &(Option<Problem>, Option<Reclaim>)) {
    match stance {
        (Some(problem), Some(why)) if *why != Reclaim::Unread => {
            tracing::error!(%problem, "guests are not taken until the lend policy is mended; those that are here leave: {}", why.text());
        }
        (Some(problem), _) => tracing::error!(%problem, "guests are not taken until the lend policy is mended; those that are here stay"),
        (None, Some(why)) => tracing::info!("this machine takes no guests now: {}", why.text()),
        (None, None) => tracing::info!("this machine takes guests"),
    }
}

/// Freezes, saves and ends guests that run here although the machine is its owner's alone. Their grace begins once, also for those that
/// were ending already when this process began; `timed` are those whose grace has begun.
async fn send_away(org: &Arc<Org>, timed: &mut BTreeSet<RunId>) -> Result<(), Problem> {
    let lending = now(org);
    let Some(why) = lending.sends_away() else {
        timed.clear();
        return Ok(());
    };
    let guests = org.blocking(|org| guests::running(org)).await?;
    timed.retain(|id| guests.iter().any(|run| run.id == *id));
    let (ending, due): (Vec<Run>, Vec<Run>) = guests.into_iter().partition(|run| run.ending.is_some());
    let due: Vec<RunId> = due.into_iter().map(|run| run.id).collect();
    let message = format!("The machine is its owner's alone now. {}", why.text());
    let mut evicting = lifecycle::evict(org, &Actor::from(&org.device), &due, &Reason::Evicted { message }).await;
    evicting.runs.extend(ending.into_iter().filter(|run| run.state != RunState::Publishing).map(|run| run.id));
    evicting.runs.retain(|id| timed.insert(id.clone()));
    let unsaved = evicting.unsaved.take();
    if !evicting.runs.is_empty() {
        let (waiting, grace) = (org.clone(), Duration::from_secs(lending.policy.grace_s));
        org.tasks.spawn(async move { evicting.free_within(&waiting, grace).await });
    }
    unsaved.map_or(Ok(()), Err)
}
