//! Why a task is where it is, and what keeps it there, in words.

use crate::tasks::Board;
use domain::{
    Problem, TaskId,
    limits::PATCHES_WAITING_MAX,
    patch::PatchState,
    run::{Reason, Run, RunState},
    task::{TaskState, TaskView},
};

/// Why a task is where it is, from its runs, newest first; and what a person can do about it.
pub(crate) fn why(board: &Board, view: &TaskView, runs: &[Run]) -> String {
    let problems = board.feature(&view.at.feature).map(|f| f.problems.join(" ")).unwrap_or_default();
    let text = match &view.state {
        TaskState::Ready => "It may start: meshwork task run gives it to an agent.".to_owned(),
        TaskState::Waiting { .. } => board.waits(view).map_or_else(|| "It waits for another task.".to_owned(), |waits| waits.why),
        TaskState::Running { .. } => {
            runs.first().map_or_else(|| "A run of it goes on.".to_owned(), |run| run.why().unwrap_or_else(|| goes_on(run).to_owned()))
        }
        TaskState::Failed { run, reason } => runs.iter().find(|r| r.id == *run).and_then(Run::why).unwrap_or_else(|| reason.text()),
        TaskState::InReview { patch } => {
            let waits = format!("Its patch {patch} waits for a person: meshwork patch show {patch} says what for.");
            runs.first().and_then(not_stopped).map_or_else(|| waits.clone(), |said| format!("{waits} {said}"))
        }
        TaskState::ChangesRequested { .. } => "A review asked for changes: meshwork task run starts the next revision.".to_owned(),
        TaskState::Merged { patch } => format!("Its patch {patch} is merged."),
        TaskState::Done => "It is ticked on the default branch.".to_owned(),
        TaskState::Rejected { .. } => {
            "Its patch was closed: meshwork task run starts anew, meshwork patch reopen takes that back.".to_owned()
        }
    };
    let open = view.rivals.iter().filter(|rival| rival.state == PatchState::Open).count();
    let rivals =
        (open > 1).then(|| format!("{open} devices made a patch of it each: a person picks one by merging it, and the others are closed."));
    [Some(text), rivals, Some(problems).filter(|problems| !problems.is_empty())].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What is said where a run at the task goes on.
pub(super) fn worked_at(task: &TaskId, going: &Run) -> Problem {
    let problem = Problem::conflict(format!("{task} is being worked at already, by run {}.", going.id));
    match &going.ending {
        Some(Reason::Stopped { .. }) => problem
            .because("A person stopped that run already. It ends, with its work saved, once its device has heard that.")
            .next(format!("Run the task again when it has ended: meshwork run show {} says so.", going.id)),
        _ => problem.next("meshwork run list shows it; meshwork run stop ends it."),
    }
}

/// What is said of a run that was done though a person had stopped it.
fn not_stopped(run: &Run) -> Option<String> {
    run.why().filter(|_| run.state == RunState::Done && matches!(run.ending, Some(Reason::Stopped { .. })))
}

/// What is done for a run that has not ended, where nothing keeps it.
fn goes_on(run: &Run) -> &'static str {
    match run.state {
        RunState::Queued => "Its run waits to be placed.",
        RunState::Placing => "A device is being chosen and asked for its run.",
        RunState::Starting => "The sandbox of its run is being started.",
        RunState::Preparing => "The worktree and the brief of its run are being laid.",
        RunState::Working => "An agent works at it.",
        RunState::Verifying => "Its checks run.",
        RunState::Publishing => "Its patch is being published.",
        RunState::Done | RunState::Failed | RunState::Cancelled | RunState::Evicted | RunState::Lost => "Its run has ended.",
    }
}

/// Of how many tasks it is said one by one what they wait for.
const HELD_NAMED_MAX: usize = 3;

/// What keeps tasks that are queued now from starting at once: others that they wait for, and patches that nobody reviews.
pub(super) fn held_back(board: &Board, queued: &[TaskView]) -> Vec<String> {
    let held = |view: &TaskView| board.waits(view).map(|waits| format!("{}: {}", view.at.task, waits.why));
    let mut told: Vec<String> = queued.iter().filter_map(held).collect();
    if told.len() > HELD_NAMED_MAX {
        told = vec![format!("{} of them wait for others, which a person must review and merge: meshwork task list.", told.len())];
    }
    told.extend(queued.iter().find_map(|view| for_reviews(board, view)).map(|reason| reason.text()));
    told
}

/// That a task waits for patches to be reviewed before a first run of it is placed, where too many of the project wait for that.
pub(super) fn for_reviews(board: &Board, view: &TaskView) -> Option<Reason> {
    let waiting = board.tasks.iter().filter(|t| matches!(t.state, TaskState::InReview { .. })).count();
    let new = !matches!(view.state, TaskState::ChangesRequested { .. });
    (new && waiting >= PATCHES_WAITING_MAX).then_some(Reason::ReviewLimit { waiting })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission, fixtures::did};
    use domain::{Timestamp, manifest::Class};

    #[test]
    fn whoever_stopped_a_run_is_not_told_to_stop_it() {
        let id = "01JZZZZZZZZZZZZZZZZZWRK001".parse().unwrap();
        let run = admission::new_run(id, Class::Agent, "demo".parse().unwrap(), did('a'), did('b'), Timestamp(0));
        let said = |run: &Run| worked_at(&"T001".parse().unwrap(), run).to_string();
        assert!(said(&run).contains("meshwork run stop"));
        let stopped = said(&Run { ending: Some(Reason::Stopped { by: did('a') }), ..run });
        assert!(stopped.contains("A person stopped that run already") && !stopped.contains("meshwork run stop"), "{stopped}");
    }

    #[test]
    fn an_agent_works_only_where_one_does() {
        let id = "01JZZZZZZZZZZZZZZZZZWRK001".parse().unwrap();
        let run = admission::new_run(id, Class::Agent, "demo".parse().unwrap(), did('a'), did('b'), Timestamp(0));
        let said = |state| goes_on(&Run { state, ..run.clone() });
        for state in [RunState::Queued, RunState::Placing, RunState::Starting, RunState::Preparing, RunState::Verifying] {
            assert!(!said(state).contains("agent works"), "{state:?}");
        }
        assert_eq!(said(RunState::Working), "An agent works at it.");
        assert!(Run { state: RunState::Working, paused: true, ..run }.why().is_some(), "of one that is frozen it is said why");
    }
}
