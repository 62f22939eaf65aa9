//! Tasks that other devices have claimed: nobody else begins at them, unless a maintainer takes them over.

use super::{One, named};
use crate::{actions::Done, names, org::Org, picture::Claims, table::Context, tasks::Board};
use domain::{
    Problem, TaskRef,
    event::{Body, kind},
    picture::{self, ClaimIn},
    run::Run,
    task::{Claim, Takeover},
};
use std::sync::Arc;

/// Refuses a task that another device has claimed, while something may come of that.
///
/// # Errors
/// When it is claimed.
pub(super) fn free(org: &Org, others: &Claims, task: &TaskRef) -> Result<(), Problem> {
    match held(org, others, task)?.first() {
        Some(claim) => Err(refused(org, claim)?),
        None => Ok(()),
    }
}

/// The claims of others that stand in the way here: all that may come to something, but for those that were taken over from here. What
/// this device has begun itself it may go on with, unless another took that over.
fn held(org: &Org, others: &Claims, task: &TaskRef) -> Result<Vec<ClaimIn>, Problem> {
    let own: Option<Claim> = org.store.get(kind::CLAIM, &task.to_string())?;
    let own = match own {
        None => None,
        Some(claim) => {
            let latest = claim.runs.last().map(|id| org.store.get::<Run>(kind::RUN, id.as_str())).transpose()?.flatten();
            Some(ClaimIn { journal: org.device.clone(), claim, latest })
        }
    };
    Ok(picture::in_the_way(own.as_ref(), others.of(org, task)?))
}

fn refused(org: &Org, held: &ClaimIn) -> Result<Problem, Problem> {
    let state = org.state()?;
    let task = &held.claim.task.task;
    let by = state.device_of(&held.journal);
    let device = by.map_or_else(|| held.journal.to_string(), |device| format!("{} of {}", device.name, device.owner));
    let what = match (&held.latest, &held.claim.patch) {
        (Some(run), _) if held.runs() => format!("Its run {} goes on.", run.id),
        (_, Some(patch)) => format!("Its patch {patch} is neither merged nor closed."),
        _ => "Something may still come of it.".to_owned(),
    };
    let as_of = crate::picture::whose(org, &held.journal).filter(|whose| !whose.reachable);
    let away = as_of.map_or_else(String::new, |whose| match whose.as_of {
        Some(as_of) => format!(" That device is away; this was so at {}.", as_of.minute()),
        None => " That device is away.".to_owned(),
    });
    Ok(Problem::conflict(format!("{task} is claimed by the device {device}."))
        .because(names::within(&state, &format!("{what}{away}")))
        .next(format!("Work at it goes on there. A maintainer can take it over: meshwork task takeover {task}.")))
}

/// Takes a task over: by a signed event of this device, whose claim counts from then on. What the others have begun is not ended.
pub(super) async fn takeover(context: Context, input: One) -> Result<Done, Problem> {
    let org = context.org()?;
    let (task, from) = org
        .blocking(move |org: &Arc<Org>| {
            let board = Board::read(org, &org.project(input.project.as_ref())?)?;
            let task = board.task(named(&board, input.feature.as_ref())?.as_ref(), &input.task)?.at.clone();
            let from: Vec<_> = held(org, &Claims::read(org), &task)?.into_iter().map(|claim| claim.journal).collect();
            Ok((task, from))
        })
        .await?;
    if from.is_empty() {
        return Err(Problem::conflict(format!("{} is claimed by no other device.", task.task))
            .next("meshwork task run gives it to an agent; nothing was changed."));
    }
    let (said, device) = (format!("{} is taken over: meshwork task run gives it to an agent.", task.task), org.device.clone());
    let takeover = Takeover { task, device, from };
    org.record(&context.actor(&org), vec![Body::TaskTakenOver { takeover }]).await?;
    Ok(Done::new(said))
}
