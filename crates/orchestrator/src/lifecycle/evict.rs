//! Giving the machine back: runs are frozen, saved and ended, and what does not free processor and memory in time is cut off. Whoever
//! wants it, the owner's word, the machine's own condition or more important work, comes here. Only its owner does not need the journal
//! for that: what more important work waits for cannot begin without it either.

use super::{ask_to_end, cut_off, runner_process};
use crate::{dispatch, limits, org::Org};
use domain::{
    Kind, Problem, RunId,
    actor::Actor,
    event::kind,
    run::{EndAsked, Order, Reason, Run, RunState},
};
use futures::future::{join, join_all};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

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

/// Freezes these runs for the machine's owner, and returns when what drives them was told to end them. The freezing waits for a slow disk
/// for a moment only, and for the journal for a little longer. Their ends are journaled where that can be; a disk that is full, or does not
/// answer, which may be a guest's doing, keeps nobody here.
pub(crate) async fn evict(org: &Arc<Org>, by: &Actor, runs: &[RunId], reason: &Reason) -> Evicting {
    let frozen = freeze(org, runs).await;
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
    frozen.iter().filter(|id| !evicting.runs.contains(id)).for_each(|id| order(org, id, Order::Resume));
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

/// Freezes those of these runs whose engines, or checks, may compute here; gives which.
async fn freeze(org: &Arc<Org>, runs: &[RunId]) -> Vec<RunId> {
    let computes = |id: &&RunId| org.hub.get(id).is_some_and(|live| live.ended.borrow().is_none());
    let frozen: Vec<RunId> = runs.iter().filter(computes).cloned().collect();
    // Looked up before the order: what it does looks like a person's pause.
    let to_mark = unpaused(org, &frozen).await;
    // Begun before the order goes out, which does not wait for the disk.
    let marked = org.blocking(move |org| {
        to_mark.iter().for_each(|id| mark(id, &org.dir.run(id)));
        Ok(())
    });
    let told = async { frozen.iter().for_each(|id| order(org, id, Order::Pause)) };
    // A disk that does not answer holds nobody's end up.
    match join(timeout(limits::END_ASK_WAIT, marked), told).await {
        (Ok(Ok(())), ()) => {}
        (Ok(Err(problem)), ()) => tracing::warn!(%problem, "that runs are frozen could not be noted"),
        (Err(_), ()) => tracing::warn!("that runs are frozen could not be noted yet: the disk does not answer"),
    }
    frozen
}

/// Those of these runs that are not paused, as the journal has it. One that cannot be looked up in time counts among them: hardly any is
/// paused.
async fn unpaused(org: &Arc<Org>, runs: &[RunId]) -> Vec<RunId> {
    let looked = runs.iter().map(|run| {
        let id = run.clone();
        let paused = org.blocking(move |org| Ok(org.store.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|run| run.paused)));
        async move { (!known_paused(paused).await).then(|| run.clone()) }
    });
    join_all(looked).await.into_iter().flatten().collect()
}

/// Whether it is known in time that a run is paused. A guest that keeps the disk busy does not put its own freezing off.
async fn known_paused(paused: impl Future<Output = Result<bool, Problem>>) -> bool {
    matches!(timeout(limits::PAUSED_LOOK_WAIT, paused).await, Ok(Ok(true)))
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

/// Gives an order to a run that is live here. Nobody waits until it is carried out.
fn order(org: &Org, id: &RunId, order: Order) {
    if let Some(live) = org.hub.get(id) {
        let _ = live.order(order);
    }
}

/// Whether a run is to be let go that is found again after a crash: it was frozen here, the journal knows of no end of it, and nothing else
/// holds it. Where it still has to leave, it is frozen anew.
pub(super) fn is_let_go(folder: &Path, run: &Run) -> bool {
    let held = matches!(run.reason, Some(Reason::Halted { .. } | Reason::WaitsForGateway { .. }));
    run.ending.is_none() && !held && folder.join(FROZEN).exists()
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
    use crate::{admission::new_run, fixtures::Opened};
    use domain::{Timestamp, event::Body, manifest::Class};
    use std::future::{pending, ready};

    /// Journals a run that works here, paused or not.
    async fn works(org: &Org, n: u32, paused: bool) -> Run {
        let id = format!("{n:026}").parse().unwrap();
        let run = new_run(id, Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { state: RunState::Working, device: Some(org.device.clone()), paused, ..run };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        run
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_disk_does_not_say_soon_is_not_waited_for() {
        assert!(known_paused(ready(Ok(true))).await);
        let unreadable = Problem::unavailable("The disk did not answer.");
        assert!(!known_paused(ready(Err(unreadable))).await && !known_paused(pending()).await);

        let until = Instant::now() + limits::END_ASK_WAIT;
        assert!(in_time(until, pending()).await.is_err_and(|problem| problem.passes()));
        assert!(in_time(until, ready(Ok(()))).await.is_ok(), "the next one is asked all the same");
    }

    #[tokio::test]
    async fn after_a_crash_what_was_frozen_for_the_owner_alone_is_let_go() {
        let opened = Opened::new().await;
        let (going, paused) = (works(&opened.org, 1, false).await, works(&opened.org, 2, true).await);
        // The clock stands while it is looked up.
        tokio::time::pause();
        assert_eq!(unpaused(&opened.org, &[going.id.clone(), paused.id]).await, std::slice::from_ref(&going.id));

        let dir = tempfile::tempdir().unwrap();
        let frozen = Run { paused: true, ..going };
        assert!(!is_let_go(dir.path(), &frozen), "a person paused it");
        mark(&frozen.id, dir.path());
        assert!(is_let_go(dir.path(), &frozen));
        let leaving = Run { ending: Some(Reason::Evicted { message: String::new() }), ..frozen.clone() };
        let held = Run { reason: Some(Reason::WaitsForGateway { device: frozen.requester.clone() }), ..frozen.clone() };
        assert!(!is_let_go(dir.path(), &leaving) && !is_let_go(dir.path(), &held));
        forget_frozen(dir.path());
        assert!(!is_let_go(dir.path(), &frozen));
    }
}
