//! Which runs and patches are meant: by ids or parts of them, by their task, by state, or those spoken of last.

use super::{
    super::{
        answer::{CommandItem, ItemKind, listed, state},
        extent::{self, ALL, PRONOUNS, is_patch, states_of},
        pattern::{Piece, Slot},
        words::{Word, is_task},
    },
    Asked, Trouble, first_some, nothing_before, prefer,
    tasks::same_task,
};
use domain::{
    Problem,
    patch::{Patch, PatchState},
    run::{Run, RunState},
};

impl<'a> Asked<'a> {
    /// The runs that are meant; of words that name no single one, those that have not ended.
    pub(in crate::command) fn runs(&self) -> Result<Vec<&'a Run>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Runs) else { return Ok(vec![]) };
        let first = words.first().map_or("", |w| w.low.as_str());
        if PRONOUNS.contains(&first) {
            return self.remembered_runs();
        }
        let wanted = words.iter().find_map(|w| states_of(&w.low, &extent::RUN_STATES));
        if ALL.contains(&first) || wanted.is_some() {
            let fits = |r: &&Run| wanted.map_or(!r.state.ended(), |(_, states)| extent::means(states, r));
            return Ok(self.world.runs.iter().filter(fits).collect());
        }
        let ids: Vec<&&Word> = words.iter().filter(|w| extent::is_run(w)).collect();
        let whole = ids.len() == 1;
        ids.iter().map(|word| self.run_called(word, if whole { Some(piece) } else { None }, live)).collect()
    }

    /// The one run that is meant; none where none is named.
    pub(in crate::command) fn run(&self) -> Result<Option<&'a Run>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Run) else { return Ok(None) };
        match words.iter().find(|w| extent::is_run(w)) {
            Some(word) => self.run_called(word, Some(piece), live).map(Some),
            None => {
                let runs = self.remembered_runs()?;
                match runs.as_slice() {
                    [one] => Ok(Some(one)),
                    _ => self.which("run", piece, &runs.iter().map(|r| run_choice(r)).collect::<Vec<_>>()),
                }
            }
        }
    }

    fn remembered_runs(&self) -> Result<Vec<&'a Run>, Trouble> {
        let runs: Vec<&Run> = self.memory.runs.iter().filter_map(|id| self.world.run(id)).collect();
        let of_tasks = self.memory.tasks.iter().filter_map(|at| self.world.runs.iter().find(|r| r.task.as_ref() == Some(at))).collect();
        let found = if self.memory.last == Some(ItemKind::Task) { first_some([of_tasks, runs]) } else { first_some([runs, of_tasks]) };
        if found.is_empty() { Err(nothing_before("runs")) } else { Ok(found) }
    }

    /// A run by its id, or by its task: the newest of that, of those that are so where some are.
    pub(super) fn run_called(&self, word: &Word, piece: Option<Piece>, so: impl Fn(&Run) -> bool) -> Result<&'a Run, Trouble> {
        let part = word.raw.to_ascii_uppercase();
        let by_id: Vec<&Run> = self
            .world
            .runs
            .iter()
            .filter(|r| part.len() >= 4 && (r.id.as_str().starts_with(&part) || r.id.as_str().ends_with(&part)))
            .collect();
        let of_task = |r: &&Run| r.task.as_ref().is_some_and(|t| same_task(&t.task, &word.low));
        let mut by_task: Vec<&Run> = self.world.runs.iter().filter(of_task).collect();
        prefer(&mut by_task, |r| so(r));
        // A task's newest run is meant, in each feature.
        by_task.dedup_by_key(|r| r.task.clone());
        let mut seen = Vec::new();
        by_task.retain(|r| {
            let new = !seen.contains(&&r.task);
            seen.push(&r.task);
            new
        });
        match (first_some([by_id, by_task]).as_slice(), piece) {
            ([one], _) => Ok(one),
            ([], _) => {
                Err(Problem::not_found(format!("There is no run “{}”.", domain::shown(&word.raw))).next("“show runs” lists them.").into())
            }
            (several, Some(piece)) => self.which("run", piece, &several.iter().map(|r| run_choice(r)).collect::<Vec<_>>()),
            (several, None) => {
                let ids: Vec<_> = several.iter().map(|r| r.id.to_string()).collect();
                Err(Problem::invalid(format!("Several runs fit “{}”.", domain::shown(&word.raw)))
                    .next(format!("Give more of its id: {}.", listed(&ids)))
                    .into())
            }
        }
    }

    /// The patch that is meant.
    pub(in crate::command) fn patch(&self) -> Result<&'a Patch, Trouble> {
        let Some((piece, words)) = self.words(Slot::Patch) else { return Err(nothing_before("patch")) };
        let named = words.iter().find(|w| is_patch(&w.low) || is_task(&w.low));
        let found = match named {
            Some(word) => self.patches_called(&word.low),
            None => {
                let held = self.memory.patches.iter().filter_map(|id| self.world.patches.iter().find(|p| p.id == *id)).collect::<Vec<_>>();
                let open: Vec<&Patch> = self.world.patches.iter().filter(|p| p.state == PatchState::Open).collect();
                // Without one before, “the patch” means the one that is open.
                if held.is_empty() { open } else { held }
            }
        };
        match (found.as_slice(), named) {
            ([one], _) => Ok(one),
            ([], Some(word)) => Err(Problem::not_found(format!("There is no patch “{}”.", domain::shown(&word.raw)))
                .next("“show patches” lists them.")
                .into()),
            ([], None) => Err(nothing_before("patch")),
            (several, _) => {
                let names: Vec<_> = several.iter().map(|p| (format!("patch {}", p.id), CommandItem::patch(p).label)).collect();
                self.which("patch", piece, &names)
            }
        }
    }

    pub(super) fn patches_called(&self, low: &str) -> Vec<&'a Patch> {
        let begins = |p: &&Patch| low.len() >= 4 && p.id.as_str().starts_with(low);
        let of_task = |p: &&Patch| p.trace.as_ref().is_some_and(|t| same_task(&t.task.task, low));
        let by_task: Vec<&Patch> = self.world.patches.iter().filter(of_task).collect();
        let open: Vec<&Patch> = by_task.iter().filter(|p| p.state == PatchState::Open).copied().collect();
        first_some([self.world.patches.iter().filter(begins).collect(), open, by_task])
    }
}

fn live(run: &Run) -> bool {
    !run.state.ended()
}

/// Whether it ended without its work done, and nobody wanted that.
pub(super) fn failed(run: &Run) -> bool {
    matches!(run.state, RunState::Failed | RunState::Lost)
}

fn run_choice(run: &Run) -> (String, String) {
    let item = CommandItem::run(run);
    (format!("run {}", run.id), format!("{} ({})", item.label, state(run)))
}
