//! Why a task is where it is, in words.

use crate::tasks::Board;
use domain::{
    patch::PatchState,
    run::Run,
    task::{TaskState, TaskView},
};

/// Why a task is where it is, from its runs, newest first; and what a person can do about it.
pub(crate) fn why(board: &Board, view: &TaskView, runs: &[Run]) -> String {
    let problems = board.feature(&view.at.feature).map(|f| f.problems.join(" ")).unwrap_or_default();
    let text = match &view.state {
        TaskState::Ready => "It may start: meshwork task run gives it to an agent.".to_owned(),
        TaskState::Waiting { .. } => board.waits(view).map_or_else(|| "It waits for another task.".to_owned(), |waits| waits.why),
        TaskState::Running { .. } => runs.first().and_then(Run::why).unwrap_or_else(|| "An agent works at it.".to_owned()),
        TaskState::Failed { run, reason } => runs.iter().find(|r| r.id == *run).and_then(Run::why).unwrap_or_else(|| reason.text()),
        TaskState::InReview { patch } => format!("Its patch {patch} waits for a person: meshwork patch show {patch} says what for."),
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
