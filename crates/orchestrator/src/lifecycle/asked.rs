//! The end of a run that somebody asks for, in whatever state it is: journaled first, so that it stands also when what drives
//! the run breaks; then told to what drives it. Work is saved; what is being published can no longer be taken back.

use super::{Drive, Over};
use crate::{dispatch, org::Org};
use domain::{
    Problem, RunId,
    actor::Actor,
    event::{Body, kind},
    run::{EndAsked, Reason, Run, RunState},
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Asks for the end of a run.
///
/// # Errors
/// When it has ended already, or the journal cannot be written.
pub(crate) async fn ask_to_end(org: &Arc<Org>, by: &Actor, id: &RunId, reason: Reason) -> Result<EndAsked, Problem> {
    let (run, why, seen) = (id.clone(), reason.clone(), Arc::new(Mutex::new(EndAsked::Ending)));
    let off_the_queue = org.event(by, Body::RunMoved { run: id.clone(), to: reason.ends_as(), reason: Some(reason.clone()) });
    let wanted = org.event(by, Body::RunEndAsked { run: id.clone(), reason: reason.clone() });
    let found = seen.clone();
    let decided = org.store.append_if(move |view| {
        let gone = || Problem::not_found(format!("There is no run {run}.")).next("meshwork run list shows them.");
        let now: Run = view.get(kind::RUN, run.as_str())?.ok_or_else(gone)?;
        let ended = || Problem::conflict(format!("The run {run} has ended.")).next("meshwork run show says how.");
        let asked = EndAsked::of(&now, &why).ok_or_else(ended)?;
        let event = match asked {
            EndAsked::Waits => None,
            EndAsked::Dequeued => Some(off_the_queue),
            EndAsked::Ending | EndAsked::Publishing => Some(wanted),
        };
        *found.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        let stands = now.ending == Some(why) || matches!(now.ending, Some(Reason::Stopped { .. }));
        Ok(event.into_iter().filter(|_| !stands).collect())
    });
    decided.await?;
    let asked = *seen.lock().unwrap_or_else(PoisonError::into_inner);
    if asked != EndAsked::Waits {
        org.driven.end(id, &reason);
    }
    org.wake.notify_one();
    Ok(asked)
}

/// Returns when somebody asks for the end.
pub(super) async fn asked(mut end: watch::Receiver<Option<Reason>>) -> Over {
    match end.wait_for(Option::is_some).await.ok().and_then(|asked| asked.clone()) {
        Some(reason) => Over::because(reason),
        // Nobody can ask any more.
        None => std::future::pending().await,
    }
}

/// Waits for something that may be given up at any moment, or for somebody who asks for the end.
pub(super) async fn or_asked<T>(end: watch::Receiver<Option<Reason>>, wanted: impl Future<Output = Result<T, Over>>) -> Result<T, Over> {
    tokio::select! {
        biased;
        over = asked(end) => Err(over),
        done = wanted => done,
    }
}

impl Drive {
    /// An end with the reason for which somebody asked for it, if anybody did.
    pub(super) fn unless_asked(&self) -> Result<(), Over> {
        match &*self.end.borrow() {
            Some(reason) => Err(Over::because(reason.clone())),
            None => Ok(()),
        }
    }

    /// How a run ends whose steps ended like this. What was lost, or might have passed, while somebody wanted the end is that end: the
    /// journal need not know of the wish yet.
    pub(super) fn as_wanted(&self, over: Over) -> Over {
        match self.unless_asked() {
            Err(wanted) if over.passes || over.to == RunState::Lost => {
                tracing::info!(run = %self.id, reason = %over.reason.text(), "a run that was to end anyway ended otherwise");
                wanted
            }
            _ => over,
        }
    }

    /// As [`or_asked`], of this run.
    pub(super) async fn or_asked<T>(&self, wanted: impl Future<Output = Result<T, Over>>) -> Result<T, Over> {
        or_asked(self.end.clone(), wanted).await
    }

    /// From here on the run cannot be stopped: decided in the journal, so that a wish comes either before or too late.
    pub(super) async fn begin_publishing(&self) -> Result<(), Over> {
        self.unless_asked()?;
        let (id, ending) = (self.id.clone(), Arc::new(Mutex::new(None)));
        let (asked, event) =
            (ending.clone(), self.org.event(&self.org.device, Body::RunMoved { run: id.clone(), to: RunState::Publishing, reason: None }));
        let decided = self.org.store.append_if(move |view| {
            let now: Option<Run> = view.get(kind::RUN, id.as_str())?;
            let wish = now.and_then(|r| r.ending);
            let none = wish.is_none();
            *asked.lock().unwrap_or_else(PoisonError::into_inner) = wish;
            Ok(if none { vec![event] } else { vec![] })
        });
        decided.await?;
        let wish = ending.lock().unwrap_or_else(PoisonError::into_inner).take();
        wish.map_or(Ok(()), |reason| Err(Over::because(reason)))
    }

    /// Ends the checks of a run that ends itself.
    pub(super) async fn end_checks(&self, commit: &domain::Oid, over: &Over) {
        let going = dispatch::going_checks(&self.org, Some(&self.id), &self.board.project.name, commit);
        let ended = match going {
            Ok(Some(checks)) => ask_to_end(&self.org, &Actor::from(&self.org.device), &checks, over.reason.clone()).await.map(drop),
            other => other.map(drop),
        };
        if let Err(problem) = ended {
            tracing::warn!(run = %self.id, %problem, "the checks of a run that ends go on by themselves");
        }
    }
}
