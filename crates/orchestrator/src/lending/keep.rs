//! Watching, and sending guests away: guests are frozen, saved and ended by what every eviction uses. They are frozen first, by what is
//! known in memory; only then it is asked what the journal says of them, which may take long on a busy disk.

use super::{guests, now};
use crate::{lifecycle, limits, org::Org};
use domain::{
    Problem, RunId,
    actor::Actor,
    lend::Reclaim,
    run::{Reason, Run, RunState},
};
use futures::{FutureExt, future::BoxFuture};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

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
    let (mut told, mut leaving, mut failed, frozen) = (None, Leaving::default(), None, Frozen::default());
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
        let problem = give_back(org, &mut leaving, &frozen).await.err().map(|problem| problem.to_string());
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

/// One turn: freezes guests at once, and sends them away.
async fn give_back(org: &Arc<Org>, leaving: &mut Leaving, frozen: &Frozen) -> Result<(), Problem> {
    tokio::select! {
        biased;
        () = keep_freezing(org, frozen) => Ok(()),
        sent = send_away(org, leaving, frozen) => sent,
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

/// Guests that were frozen since the machine is its owner's alone, by what is known without the journal.
#[derive(Default)]
struct Frozen(Mutex<Told>);

#[derive(Clone, Default)]
struct Told {
    /// All that were told to freeze: nobody is told twice, for they may be let go.
    all: BTreeSet<RunId>,
    /// Those that are to go on where it turns out that they need not leave: nobody paused them before.
    anew: BTreeSet<RunId>,
}

impl Frozen {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Freezes who is here now and was not told yet.
    fn freeze(&self, org: &Org) {
        if now(org).sends_away().is_none() {
            return;
        }
        let (here, mut told) = (guests::live(org), self.told());
        told.all.retain(|id| org.hub.get(id).is_some());
        let new: Vec<RunId> = here.into_iter().filter(|id| !told.all.contains(id)).collect();
        if !new.is_empty() {
            told.anew.extend(lifecycle::freeze(org, &new).anew);
            told.all.extend(new);
        }
    }

    /// Lets those of these go on that are not among the ones which leave.
    fn let_go(&self, org: &Org, these: &BTreeSet<RunId>, leave: impl Fn(&RunId) -> bool) {
        let mut told = self.told();
        lifecycle::let_go(org, told.anew.iter().filter(|id| these.contains(*id) && !leave(id)));
        told.anew.retain(|id| !these.contains(id));
    }
}

/// Freezes guests at once, and those who come past that, for as long as it is found out what the journal says of them. Never
/// returns.
async fn keep_freezing(org: &Arc<Org>, frozen: &Frozen) {
    let mut changes = org.lending.changes();
    loop {
        frozen.freeze(org);
        tokio::select! {
            () = sleep(limits::LEND_LOOK_EVERY) => {}
            _ = changes.changed() => {}
        }
    }
}

/// How far sending guests away has come.
#[derive(Default)]
struct Leaving {
    /// Those whose grace has begun.
    timed: BTreeSet<RunId>,
    /// The journal is being asked who is a guest here. Kept from one turn to the next: a disk that does not answer is not asked more and
    /// more.
    look: Option<Look>,
}

/// A question to the journal.
struct Look {
    /// Who was frozen when it was asked. Of those who came since its answer says nothing: they stay frozen until it is asked again.
    of: BTreeSet<RunId>,
    answer: BoxFuture<'static, Result<Vec<Run>, Problem>>,
}

impl Leaving {
    /// The guests that run here, as the journal has them; and of which of those that are `frozen` now it says so.
    ///
    /// # Errors
    /// When it does not say it in time.
    async fn look(&mut self, org: &Arc<Org>, frozen: &BTreeSet<RunId>) -> Result<(BTreeSet<RunId>, Vec<Run>), Problem> {
        let asking = org.clone();
        let answer = || async move { asking.blocking(|org| guests::running(org)).await }.boxed();
        let look = self.look.get_or_insert_with(|| Look { of: frozen.clone(), answer: answer() });
        let found = timeout(limits::END_ASK_WAIT, &mut look.answer).await.map_err(|_| {
            Problem::unavailable("The journal did not say in time who is a guest here.")
                .because("The disk is busy, or does not answer.")
                .next("Those whose runners are here are sent away all the same.")
        })?;
        let of = self.look.take().map(|look| look.of).unwrap_or_default();
        Ok((of, found?))
    }
}

/// Freezes, saves and ends guests that run here although the machine is its owner's alone. Their grace begins once, also for those that
/// were ending already when this process began. Where the journal does not say who they are, those leave whose runners are here.
async fn send_away(org: &Arc<Org>, leaving: &mut Leaving, frozen: &Frozen) -> Result<(), Problem> {
    let (lending, before) = (now(org), frozen.told().clone());
    let Some(why) = lending.sends_away() else {
        frozen.let_go(org, &before.anew, |id| leaving.timed.contains(id));
        *frozen.told() = Told::default();
        leaving.timed.clear();
        return Ok(());
    };
    let looked = leaving.look(org, &before.anew).await;
    if now(org).sends_away().is_none() {
        // Lent again meanwhile: the next turn lets those go who are frozen.
        return Ok(());
    }
    let (known, ending, due, unknown): (_, Vec<Run>, Vec<RunId>, _) = match looked {
        Ok((known, guests)) => {
            let (ending, due): (Vec<Run>, Vec<Run>) = guests.into_iter().partition(|run| run.ending.is_some());
            (known, ending, due.into_iter().map(|run| run.id).collect(), None)
        }
        Err(problem) => {
            // Those whose grace has begun were told: a disk that does not answer is not asked again for them.
            let due = guests::live(org).into_iter().filter(|id| !leaving.timed.contains(id));
            (before.anew, vec![], due.collect(), Some(problem))
        }
    };
    leaving.timed.retain(|id| unknown.is_some() || due.contains(id) || ending.iter().any(|run| run.id == *id));
    let message = format!("The machine is its owner's alone now. {}", why.text());
    let mut evicting = lifecycle::evict(org, &Actor::from(&org.device), &due, &Reason::Evicted { message }).await;
    evicting.runs.extend(ending.into_iter().filter(|run| run.state != RunState::Publishing).map(|run| run.id));
    frozen.let_go(org, &known, |id| evicting.runs.contains(id) || leaving.timed.contains(id));
    evicting.runs.retain(|id| leaving.timed.insert(id.clone()));
    let unsaved = unknown.or_else(|| evicting.unsaved.take());
    if !evicting.runs.is_empty() {
        let (waiting, grace) = (org.clone(), Duration::from_secs(lending.policy.grace_s));
        org.tasks.spawn(async move { evicting.free_within(&waiting, grace).await });
    }
    unsaved.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        clock,
        fixtures::{self, Opened},
    };
    use domain::{lend::Click, run::Order};
    use std::{
        future::{pending, ready},
        pin::pin,
    };

    #[tokio::test]
    async fn guests_are_frozen_at_once_and_leave_though_the_journal_does_not_answer() {
        let opened = Opened::new().await;
        let (org, stranger, frozen) = (&opened.org, fixtures::did('B'), Frozen::default());
        let [guest, own, late]: [RunId; 3] = [1, 2, 3].map(|n| format!("{n:026}").parse().unwrap());
        let lent = || org.lending.say(Some(Click::Lent { until: clock::now().plus_ms(3_600_000) })).unwrap();
        let runs = [fixtures::live(org, &guest, &stranger), fixtures::live(org, &own, &org.member)];
        let mut told = runs.each_ref().map(|live| fixtures::attached(live));
        let mut leaving = Leaving { look: Some(Look { of: BTreeSet::new(), answer: pending().boxed() }), ..Leaving::default() };
        tokio::time::pause();
        lent();
        give_back(org, &mut leaving, &frozen).await.unwrap();
        assert_eq!(told.each_mut().map(fixtures::orders), [vec![], vec![]], "it is lent");

        assert_eq!(org.lending.take_back(None), None);
        {
            let mut turn = pin!(give_back(org, &mut leaving, &frozen));
            assert!(turn.as_mut().now_or_never().is_none(), "the journal is being asked");
            assert_eq!(told.each_mut().map(fixtures::orders), [vec![Order::Pause], vec![]]);
            assert!(turn.await.is_err_and(|problem| problem.what.contains("did not say in time")));
        }
        assert!(leaving.timed.contains(&guest) && !leaving.timed.contains(&own), "it leaves all the same");

        // One that came since, and need not leave any more.
        let mut came = fixtures::attached(&fixtures::live(org, &late, &stranger));
        frozen.freeze(org);
        lent();
        give_back(org, &mut leaving, &frozen).await.unwrap();
        assert_eq!(fixtures::orders(&mut came), [Order::Pause, Order::Resume]);
        assert!(!fixtures::orders(&mut told[0]).contains(&Order::Resume), "it is being ended");
    }

    #[tokio::test]
    async fn an_answer_of_the_journal_lets_nobody_go_who_came_after_it_was_asked() {
        let opened = Opened::new().await;
        let (org, frozen) = (&opened.org, Frozen::default());
        let id: RunId = format!("{:026}", 1).parse().unwrap();
        let mut told = fixtures::attached(&fixtures::live(org, &id, &fixtures::did('B')));
        // It was asked when nobody was here, and answers only now.
        let late = Look { of: BTreeSet::new(), answer: ready(Ok(vec![])).boxed() };
        let mut leaving = Leaving { look: Some(late), ..Leaving::default() };
        assert_eq!(org.lending.take_back(None), None);
        give_back(org, &mut leaving, &frozen).await.unwrap();
        assert_eq!(fixtures::orders(&mut told), [Order::Pause]);

        // Asked again, the journal knows of no such guest.
        give_back(org, &mut leaving, &frozen).await.unwrap();
        assert_eq!(fixtures::orders(&mut told), [Order::Resume]);
    }

    #[tokio::test]
    async fn a_machine_that_is_lent_again_while_the_journal_is_asked_sends_nobody_away() {
        let opened = Opened::new().await;
        let (org, frozen) = (&opened.org, Frozen::default());
        let id: RunId = format!("{:026}", 1).parse().unwrap();
        let mut told = fixtures::attached(&fixtures::live(org, &id, &fixtures::did('B')));
        let asked = org.clone();
        let answer = async move {
            asked.lending.say(Some(Click::Lent { until: clock::now().plus_ms(3_600_000) })).unwrap();
            Err::<Vec<Run>, _>(Problem::unavailable("The disk is slow."))
        };
        let mut leaving = Leaving { look: Some(Look { of: BTreeSet::new(), answer: answer.boxed() }), ..Leaving::default() };
        assert_eq!(org.lending.take_back(None), None);
        give_back(org, &mut leaving, &frozen).await.unwrap();
        give_back(org, &mut leaving, &frozen).await.unwrap();
        assert_eq!((fixtures::orders(&mut told), leaving.timed.len()), (vec![Order::Pause, Order::Resume], 0));
    }
}
