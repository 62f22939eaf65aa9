//! Tasks that other devices have claimed: nobody else begins at them, unless a maintainer takes them over.

use super::{One, named};
use crate::{
    actions::Done,
    names,
    org::Org,
    picture::{self, Claims},
    rivals,
    table::Context,
    tasks::Board,
};
use domain::{
    Did, Problem, RunId, TaskId, TaskRef,
    event::Body,
    picture::{ClaimIn, accepted, in_the_way, to_take_over},
    project::Project,
    task::Takeover,
};
use forge::OrgState;
use std::sync::Arc;

/// Refuses a task that another device has claimed, while something may come of that.
///
/// # Errors
/// When it is claimed.
pub(super) fn free(org: &Org, others: &Claims, task: &TaskRef) -> Result<(), Problem> {
    let (own, others) = parted(org, others.all(org, task)?);
    match others.iter().find(|other| in_the_way(own.as_ref(), other)) {
        Some(claim) => Err(refused(org, claim)?),
        None => Ok(()),
    }
}

/// This device's own claim, and those of others.
fn parted(org: &Org, claims: Vec<ClaimIn>) -> (Option<ClaimIn>, Vec<ClaimIn>) {
    let (mut own, others): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim.journal == org.device);
    (own.pop(), others)
}

fn refused(org: &Org, held: &ClaimIn) -> Result<Problem, Problem> {
    let state = org.state()?;
    let task = &held.claim.task.task;
    let device = called(&state, held);
    let what = match (&held.latest, &held.claim.patch) {
        (Some(run), _) if held.runs() => format!("Its run {} goes on.", run.id),
        (_, Some(patch)) if held.holds() => format!("Its patch {patch} is neither merged nor closed."),
        _ => "It took the task over.".to_owned(),
    };
    let as_of = picture::whose(org, &held.journal).filter(|whose| !whose.reachable);
    let away = as_of.map_or_else(String::new, |whose| match whose.as_of {
        Some(as_of) => format!(" That device is away; this was so at {}.", as_of.minute()),
        None => " That device is away.".to_owned(),
    });
    Ok(Problem::conflict(format!("{task} is claimed by the device {device}."))
        .because(names::within(&state, &format!("{what}{away}")))
        .next(format!("Work at it goes on there. A maintainer can take it over: meshwork task takeover {task}.")))
}

/// The device that has a claim, as people call it.
fn called(state: &OrgState, claim: &ClaimIn) -> String {
    let by = state.device_of(&claim.journal);
    let not_listed = || state.called(&claim.journal).unwrap_or_else(|| claim.journal.to_string());
    by.map_or_else(not_listed, |device| format!("{} of {}", device.name, device.owner))
}

/// Why there is nothing to take over: in the words in which the task is shown, where a claim without anything that holds is one too.
fn nothing(state: &OrgState, task: &TaskRef, own: Option<&ClaimIn>, others: &[ClaimIn]) -> Problem {
    let task = &task.task;
    let what = match others.first() {
        None => format!("{task} is claimed by no other device."),
        Some(other) if own.is_some_and(|own| other.taken_over_by(own)) => format!("This device has taken {task} over already."),
        Some(other) if other.removed => {
            format!("{task} is free: the device {}, which claimed it, was removed from the org.", called(state, other))
        }
        Some(other) => format!("{task} is free: the run for which the device {} claimed it has ended.", called(state, other)),
    };
    Problem::conflict(what).next(format!("meshwork task run {task} gives it to an agent; nothing was changed."))
}

/// What this device takes over, from whom, as the how manieth; and the run that it has at the task already.
fn takes(org: &Org, project: &Project, task: TaskRef) -> Result<(Takeover, Option<RunId>), Problem> {
    let claims = rivals::believed(org, project, &task)?;
    if let Some((patch, _)) = accepted(&claims) {
        return Err(Problem::conflict(format!("{} is done already: its patch {patch} was accepted.", task.task))
            .next("What is still to be done is a task of its own: meshwork task add."));
    }
    let turn = claims.iter().map(|found| found.claim.turn).max().unwrap_or_default().saturating_add(1);
    let (own, others) = parted(org, claims);
    let from: Vec<Did> = others.iter().filter(|other| to_take_over(own.as_ref(), other)).map(|other| other.journal.clone()).collect();
    if from.is_empty() {
        return Err(nothing(&org.state()?, &task, own.as_ref(), &others));
    }
    let own = own.filter(ClaimIn::runs).and_then(|own| own.latest).map(|run| run.id);
    Ok((Takeover { task, device: org.device.clone(), from, turn }, own))
}

/// What is said of a task that was taken over, at which this device has this run already, or none.
fn taken(task: &TaskId, own: Option<&RunId>) -> String {
    let next = match own {
        Some(run) => format!("The run {run} of this device goes on at it: meshwork run show {run}."),
        None => format!("Nothing works at it here yet: meshwork task run {task} starts a run."),
    };
    format!("{task} is taken over: a patch of it is accepted for this device's claim. {next}")
}

/// Takes a task over: by a signed event of this device, whose claim counts from then on. What the others have at work is not ended; what
/// they have queued is, and a patch of theirs is accepted no more until they take the task back.
pub(super) async fn takeover(context: Context, input: One) -> Result<Done, Problem> {
    let org = context.org()?;
    let (takeover, own) = org
        .blocking(move |org: &Arc<Org>| {
            let board = Board::read(org, &org.project(input.project.as_ref())?)?;
            let task = board.task(named(&board, input.feature.as_ref())?.as_ref(), &input.task)?.at.clone();
            takes(org, &board.project, task)
        })
        .await?;
    let said = taken(&takeover.task.task, own.as_ref());
    org.record(&context.actor(&org), vec![Body::TaskTakenOver(takeover)]).await?;
    // A run of it may have waited for that.
    org.wake.notify_one();
    Ok(Done::new(said))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whoever_takes_a_task_over_for_a_run_that_waits_is_not_told_to_start_another() {
        let (task, run) = ("T001".parse().unwrap(), "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap());
        assert!(taken(&task, None).contains("meshwork task run T001"));
        let said = taken(&task, Some(&run));
        assert!(said.contains("meshwork run show 01ARZ3NDEKTSV4RRFFQ69G5FAV") && !said.contains("task run"), "{said}");
    }
}
