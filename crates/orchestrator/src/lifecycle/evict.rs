//! Giving the machine back: runs are frozen, saved and ended, and what does not free processor and memory in time is cut off. Whoever
//! wants it, the owner's word, the machine's own condition or more important work, comes here. Only its owner does not need the journal
//! for that: what more important work waits for cannot begin without it either.

use super::{ask_to_end, cut_off, runner_process};
use crate::{dispatch, host::Live, limits, org::Org};
use domain::{
    Kind, Problem, RunId,
    actor::Actor,
    run::{EndAsked, Order, Reason, Run, RunState},
};
use futures::future::join_all;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

/// Lies in the folder of a run that was frozen for the machine's owner, and by nobody before, since before the journal knew that it is to
/// end.
const FROZEN: &str = "frozen";

/// Runs that are being sent away.
#[derive(Debug, Default)]
pub(crate) struct Evicting {
    /// Those that are frozen, saved and ended.
    pub(crate) runs: Vec<RunId>,
    /// How many are being published, and end by themselves in a moment.
    pub(crate) publishing: usize,
    /// Why it is not in the journal yet that some of them are to end. They are sent away all the same.
    pub(crate) unsaved: Option<Problem>,
}

/// Runs that were told to freeze.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    /// All of them.
    pub(crate) all: Vec<RunId>,
    /// Those that were not paused before, as far as their runners said.
    pub(crate) anew: Vec<RunId>,
}

/// Freezes these runs for the machine's owner, and returns when what drives them was told to end them. The freezing waits for nothing.
/// Their ends are journaled where that can be; a disk that is full, or does not answer, which may be a guest's doing, keeps nobody here.
pub(crate) async fn evict(org: &Arc<Org>, by: &Actor, runs: &[RunId], reason: &Reason) -> Evicting {
    let (frozen, marked) = freeze_and_mark(org, runs);
    match timeout(limits::END_ASK_WAIT, marked).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "that runs are frozen could not be noted"),
        // A disk that does not answer holds nobody's end up.
        Err(_) => tracing::warn!("that runs are frozen could not be noted yet: the disk does not answer"),
    }
    crate::fault::held(org, RunState::Evicted).await;
    let mut evicting = Evicting::default();
    let until = Instant::now() + limits::END_ASK_WAIT;
    for id in runs {
        if let Err(problem) = in_time(until, evicting.ask(org, by, id, reason)).await {
            // Its end is written down as soon as it can be.
            org.driven.end(id, reason);
            evicting.runs.push(id.clone());
            evicting.unsaved = Some(problem);
        }
    }
    // What got past stopping meanwhile goes on.
    let_go(org, frozen.all.iter().filter(|id| !evicting.runs.contains(id)));
    evicting
}

/// What comes of asking for an end until then. What the journal takes later stands all the same: the grace begins now.
async fn in_time(until: Instant, asked: impl Future<Output = Result<(), Problem>>) -> Result<(), Problem> {
    timeout_at(until, asked).await.unwrap_or_else(|_| {
        Err(Problem::unavailable("The journal did not take it in time.")
            .because("The disk is busy, or does not answer.")
            .next("It is written as soon as it can be."))
    })
}

/// Freezes those of these runs whose engines, or checks, may compute here. Neither the disk nor the journal is waited for.
pub(crate) fn freeze(org: &Org, runs: &[RunId]) -> Frozen {
    freeze_and_mark(org, runs).0
}

/// The same; and what resolves once the disk knows it.
fn freeze_and_mark(org: &Org, runs: &[RunId]) -> (Frozen, JoinHandle<()>) {
    let live = runs.iter().filter_map(|id| org.hub.get(id)).filter(|live| live.ended.borrow().is_none());
    let live: Vec<Arc<Live>> = live.collect();
    // Seen before the order: what it does looks like a person's pause.
    let anew: Vec<RunId> = live.iter().filter(|live| !live.paused()).map(|live| live.run.clone()).collect();
    let to_mark: Vec<(RunId, PathBuf)> = anew.iter().map(|id| (id.clone(), org.dir.run(id))).collect();
    // Begun before the order goes out, which does not wait for it.
    let marked = tokio::task::spawn_blocking(move || to_mark.iter().for_each(|(id, folder)| mark(id, folder)));
    live.iter().for_each(|live| drop(live.order(Order::Pause)));
    (Frozen { all: live.iter().map(|live| live.run.clone()).collect(), anew }, marked)
}

/// Lets runs go on that were frozen and need not leave. One that a person paused, or a stop order holds, before or since, stays so.
pub(crate) fn let_go<'r>(org: &Org, runs: impl Iterator<Item = &'r RunId>) {
    let live = runs.filter_map(|id| org.hub.get(id)).filter(|live| live.may_go_on());
    live.for_each(|live| drop(live.order(Order::Resume)));
}

/// Notes in the folder of a run that it is frozen for the machine's owner. Where the disk does not take that it leaves all the same.
fn mark(id: &RunId, folder: &Path) {
    if let Err(error) = fs::write(folder.join(FROZEN), "") {
        tracing::warn!(
            run = %id, %error,
            "it could not be noted that a run is frozen for the machine's owner; should a crash come before its end is journaled, it stays \
             paused until meshwork run resume"
        );
    }
}

/// Whether a run is to be let go that is found again after a crash: it was frozen here, the journal knows of no end of it, no person paused
/// it too, and nothing else holds it. Where it still has to leave, it is frozen anew.
pub(super) fn is_let_go(folder: &Path, run: &Run) -> bool {
    let held = matches!(run.reason, Some(Reason::Halted { .. } | Reason::WaitsForGateway { .. }));
    run.ending.is_none() && run.paused_by.is_none() && !held && folder.join(FROZEN).exists()
}

/// Forgets that a run was frozen here: it goes on.
pub(super) fn forget_frozen(folder: &Path) {
    let _ = fs::remove_file(folder.join(FROZEN));
}

impl Evicting {
    /// Asks for the end of one more run.
    ///
    /// # Errors
    /// When that cannot be journaled: then it goes on.
    pub(super) async fn ask(&mut self, org: &Arc<Org>, by: &Actor, id: &RunId, reason: &Reason) -> Result<(), Problem> {
        match ask_to_end(org, by, id, reason.clone()).await {
            Ok(EndAsked::Publishing) => self.publishing += 1,
            // It has no room here any more; what it begins later is another matter.
            Ok(EndAsked::Waits | EndAsked::Dequeued) => {}
            Ok(EndAsked::Ending) => self.runs.push(id.clone()),
            // It ended by itself meanwhile.
            Err(problem) if problem.kind == Kind::Conflict => {}
            Err(problem) => return Err(problem),
        }
        Ok(())
    }

    /// Returns when they use neither processor nor memory any more, with those whose runners were still there after the grace, and were
    /// ended.
    pub(crate) async fn free_within(&self, org: &Arc<Org>, grace: Duration) -> Vec<RunId> {
        let looked = self.runs.iter().map(|id| async move { (id, timeout(grace, no_longer_computes(org, id)).await.is_ok()) });
        let looked = join_all(looked).await;
        let late = looked.into_iter().filter(|(id, free)| !free && runner_process::alive(&org.dir.run(id)));
        let late: Vec<RunId> = late.map(|(id, _)| id.clone()).collect();
        late.iter().for_each(|id| cut_off(org, id));
        late
    }

    /// Returns when all of them have ended, which they do once their work is saved, or when this time is over.
    pub(crate) async fn ended_within(&self, org: &Arc<Org>, wait: Duration) {
        let ended = join_all(self.runs.iter().map(|id| dispatch::until_ended(org, id)));
        if timeout(wait, ended).await.is_err() {
            tracing::debug!("runs that were sent away are being saved still");
        }
    }
}

/// Returns when nothing of a run uses processor or memory any more.
async fn no_longer_computes(org: &Arc<Org>, id: &RunId) {
    let ended = async {
        // A journal that cannot be read says nothing.
        if dispatch::until_ended(org, id).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    match org.hub.get(id) {
        Some(live) => {
            let mut engine = live.ended.subscribe();
            tokio::select! {
                () = ended => {}
                _ = engine.wait_for(Option::is_some) => {}
            }
        }
        None => ended.await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        fixtures::{self, Opened},
    };
    use domain::{
        Timestamp,
        event::{Body, kind},
        manifest::Class,
    };
    use std::{
        future::{pending, ready},
        pin::pin,
    };

    #[tokio::test(start_paused = true)]
    async fn what_the_journal_does_not_take_soon_is_not_waited_for() {
        let until = Instant::now() + limits::END_ASK_WAIT;
        assert!(in_time(until, pending()).await.is_err_and(|problem| problem.passes()));
        assert!(in_time(until, ready(Ok(()))).await.is_ok(), "the next one is asked all the same");
    }

    #[tokio::test]
    async fn runs_are_frozen_and_marked_without_the_journal_and_what_a_person_paused_is_told_from_them() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let [going, paused, over, gone]: [RunId; 4] = [1, 2, 3, 4].map(|n| format!("{n:026}").parse().unwrap());
        let live = [&going, &paused, &over].map(|id| fixtures::live(org, id, &org.member));
        live[1].note_paused(true);
        live[2].ended.send_replace(Some(crate::host::Ended { reason: Reason::Completed, checks: vec![] }));
        std::fs::create_dir_all(org.dir.run(&going)).unwrap();
        let mut told = live.each_ref().map(|live| fixtures::attached(live));

        // The journal knows none of them.
        let (frozen, marked) = freeze_and_mark(org, &[going.clone(), paused.clone(), over.clone(), gone]);
        assert_eq!((frozen.all, frozen.anew), (vec![going.clone(), paused.clone()], vec![going.clone()]));
        let orders = told.each_mut().map(fixtures::orders);
        assert_eq!(orders, [vec![Order::Pause], vec![Order::Pause], vec![]], "they are told at once");
        marked.await.unwrap();
        assert!(org.dir.run(&going).join(FROZEN).exists() && !org.dir.run(&paused).join(FROZEN).exists());

        live[0].note_stays_paused(true);
        let_go(org, [going.clone()].iter());
        assert!(fixtures::orders(&mut told[0]).is_empty(), "a person paused it meanwhile");
        live[0].note_stays_paused(false);
        live[0].note_held(true);
        let_go(org, [going.clone()].iter());
        assert!(fixtures::orders(&mut told[0]).is_empty(), "a stop order came meanwhile");
        live[0].note_held(false);
        let_go(org, [going.clone()].iter());
        assert_eq!(fixtures::orders(&mut told[0]), [Order::Resume]);
    }

    #[tokio::test]
    async fn who_sends_work_away_waits_until_it_is_saved_and_ended() {
        let opened = Opened::new().await;
        let (org, id): (_, RunId) = (&opened.org, format!("{:026}", 1).parse().unwrap());
        let new = new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { state: RunState::Working, device: Some(org.device.clone()), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run) }]).await.unwrap();
        let evicting = Evicting { runs: vec![id.clone()], ..Evicting::default() };
        evicting.ended_within(org, Duration::ZERO).await;
        let mut waits = pin!(evicting.ended_within(org, Duration::from_secs(600)));
        assert!(futures::poll!(waits.as_mut()).is_pending(), "it works still");
        let reason = Some(Reason::Evicted { message: "Back.".into() });
        org.record(&org.device, vec![Body::RunMoved { run: id.clone(), to: RunState::Evicted, reason }]).await.unwrap();
        waits.await;
        assert!(org.store.get::<Run>(kind::RUN, id.as_str()).unwrap().is_some_and(|run| run.state.ended()));
    }

    #[test]
    fn after_a_crash_what_was_frozen_for_the_owner_alone_is_let_go() {
        let (dir, did) = (tempfile::tempdir().unwrap(), fixtures::did('a'));
        let id = format!("{:026}", 1).parse().unwrap();
        let run = new_run(id, Class::Agent, "demo".parse().unwrap(), did.clone(), did, Timestamp(0));
        let frozen = Run { state: RunState::Working, paused: true, ..run };
        assert!(!is_let_go(dir.path(), &frozen), "a person paused it");
        mark(&frozen.id, dir.path());
        assert!(is_let_go(dir.path(), &frozen));
        let leaving = Run { ending: Some(Reason::Evicted { message: String::new() }), ..frozen.clone() };
        let held = Run { reason: Some(Reason::WaitsForGateway { device: frozen.requester.clone() }), ..frozen.clone() };
        let paused_too = Run { paused_by: Some(frozen.member.clone()), ..frozen.clone() };
        assert!([leaving, held, paused_too].iter().all(|run| !is_let_go(dir.path(), run)));
        forget_frozen(dir.path());
        assert!(!is_let_go(dir.path(), &frozen));
    }
}
