//! What people want of a run that another device executes: carried there, and taken here.

use super::{
    client,
    reach::{directly, said, silent},
};
use crate::{limits, org::Org, rights, steer, stops};
use domain::{
    Did, Kind, Problem,
    actor::Actor,
    lease::Reached,
    run::{Reason, Run, Wish},
};
use mesh::spoken;
use proto::mesh::OrderRequest;
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Carries a wish to the device that executes a run, if that is there; says what came of it.
///
/// # Errors
/// When that device cannot be reached, or refuses.
pub(crate) async fn wish(org: &Arc<Org>, run: &Run, device: &Did, by: &Did, wish: &Wish) -> Result<String, Problem> {
    // One that takes connections and says nothing is known within seconds; its runner may take longer.
    if directly(org, device).await == Reached::No {
        return Err(silent(org, device));
    }
    order(org, run, device, by, wish).await
}

/// As [`wish`], however long the device is silent before it takes that, up to [`limits::WISH_WAIT`].
async fn order(org: &Arc<Org>, run: &Run, device: &Did, by: &Did, wish: &Wish) -> Result<String, Problem> {
    let by = if *by == org.device { String::new() } else { by.to_string() };
    let wish_json = serde_json::to_string(wish).map_err(Problem::internal)?;
    let request = OrderRequest { version: spoken(), run: run.id.to_string(), by, wish_json };
    let mut client = client(org, device)?;
    match tokio::time::timeout(limits::WISH_WAIT, client.order(request)).await {
        Ok(Ok(reply)) => Ok(reply.into_inner().said),
        Ok(Err(refused)) => Err(said(org, device, &refused)),
        Err(_) => Err(Problem::new(Kind::Timeout, "The device that executes the run did not answer in time.")
            .next("It may have been heard all the same: meshwork run show says what became of it.")),
    }
}

/// Carries the wish that a run ends. A device that is slow now is to hear it too: while its connection lasts it is not told again.
pub(super) async fn end(org: &Arc<Org>, run: &Run, device: &Did, reason: Reason) -> Result<(), Problem> {
    let by = match &reason {
        Reason::Stopped { by } => by.clone(),
        _ => org.device.clone(),
    };
    let wish = Wish::End { reason };
    let taken = match order(org, run, device, &by, &wish).await {
        // Whoever ordered it may have left since, or lost that right. This device may end what it asked for; else nobody would, and the
        // run would not be followed.
        Err(problem) if problem.kind == Kind::Forbidden && by != org.device => order(org, run, device, &org.device, &wish).await,
        taken => taken,
    };
    match taken {
        // It ended meanwhile.
        Err(problem) if problem.kind == Kind::Conflict || problem.kind == Kind::NotFound => Ok(()),
        done => done.map(drop),
    }
}

/// As [`end`], in the background: what cannot be carried there now is carried when the device is reached again. Tells what came of it now.
pub(crate) fn end_elsewhere(org: &Arc<Org>, run: &Run, device: &Did, reason: Reason) -> JoinHandle<Result<(), Problem>> {
    let (org, run, device) = (org.clone(), run.clone(), device.clone());
    tokio::spawn(async move {
        let taken = end(&org, &run, &device, reason).await;
        if let Err(problem) = &taken {
            tracing::warn!(run = %run.id, %problem, "the end of a run could not be asked for yet");
        }
        taken
    })
}

/// Takes a wish about a run that this device executes for `caller`, in the name of a member who has a key there and may do so. The
/// device itself only wants ends.
pub(super) async fn take(org: &Arc<Org>, caller: &Did, by: &str, run: Run, wish: Wish) -> Result<String, Problem> {
    let actor = match (by, &wish) {
        ("", Wish::End { .. }) => Actor::from(caller),
        ("", _) => return Err(Problem::new(Kind::Forbidden, "Only the end of a run is asked for without a member.")),
        (by, wish) => member(org, caller, by, &run, action(wish)).await?,
    };
    steer::here(org, &actor, run, wish).await
}

/// The action by which a person wishes so.
fn action(wish: &Wish) -> &'static str {
    match wish {
        Wish::Message { .. } => "run.send",
        Wish::Answer { .. } => "run.answer",
        Wish::Pause => "run.pause",
        Wish::Resume => "run.resume",
        Wish::End { .. } => "run.stop",
    }
}

async fn member(org: &Arc<Org>, caller: &Did, by: &str, run: &Run, action: &'static str) -> Result<Actor, Problem> {
    let (by, caller, about) = (by.parse::<Did>()?, caller.clone(), json!({ "run": run.id }));
    let actor = Actor::from(&by);
    let allowed = org.blocking(move |org| {
        // An end may always come: an order halts too.
        if action != "run.stop" {
            stops::refuse_halted(org, &by)?;
        }
        let rights = org.rights()?;
        let known = rights.state.members.values().find(|m| m.keys.iter().any(|k| k.did == by && k.device == caller));
        let none = || Problem::new(Kind::Forbidden, "The org lists no such member on that device.");
        let resources = rights::about(org, &rights.state, action, &about);
        let decided = rights.decide_all(&rights::person(known.ok_or_else(none)?), action, &resources)?;
        if decided.allowed {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, format!("The member may not do this: {action}."))
            .because(decided.why)
            .next(format!("`meshwork policy explain me {action}` says which rule decides.")))
    });
    allowed.await.map(|()| actor)
}
