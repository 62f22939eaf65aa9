//! Which tasks are meant: by numbers, by feature, by state, or those spoken of last.

use super::{
    super::{
        answer::{ItemKind, listed},
        extent::{self, PRONOUNS, states_of},
        pattern::{Piece, Slot},
        words::{Word, is_task},
        world::World,
    },
    Asked, InFeature, Trouble, first_some, nothing_before, prefer,
};
use domain::{FeatureId, Problem, TaskId, task::TaskView};

impl<'a> Asked<'a> {
    /// The tasks that are meant.
    pub(in crate::command) fn tasks(&self) -> Result<Vec<&'a TaskView>, Trouble> {
        self.tasks_that(|_| true)
    }

    /// The tasks that are meant; where several features have them, those of which one at least is so.
    pub(in crate::command) fn tasks_that(&self, so: impl Fn(&TaskView) -> bool) -> Result<Vec<&'a TaskView>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Tasks).or_else(|| self.words(Slot::Task)) else { return Ok(vec![]) };
        let feature = self.feature()?;
        let first = words.first().map_or("", |w| w.low.as_str());
        if PRONOUNS.contains(&first) {
            return self.remembered_tasks();
        }
        let feature = match words.iter().position(|w| w.low == "feature").and_then(|at| words.get(at + 1)) {
            Some(word) => Some(self.feature_called(&word.low, piece)?),
            None if first.contains('-') => Some(self.feature_called(first, piece)?),
            None => feature,
        };
        let ids: Vec<&&Word> = words.iter().filter(|w| is_task(&w.low) && !first.contains('-')).collect();
        if !ids.is_empty() && words.first().is_none_or(|w| w.low != "feature") {
            return self.numbered_tasks(piece, &words, feature.as_ref(), so);
        }
        let wanted = words.iter().find_map(|w| states_of(&w.low, &extent::TASK_STATES));
        let in_feature = |t: &&TaskView| feature.as_ref().is_none_or(|(project, id)| t.at.project == *project && t.at.feature == *id);
        let in_state = |t: &&TaskView| wanted.map_or(World::may_run(t), |(_, labels)| labels.contains(&t.state.label()));
        let found: Vec<&TaskView> = self.world.tasks.iter().filter(in_feature).filter(in_state).collect();
        if found.is_empty() {
            let of = feature.map(|(_, id)| format!(" of {id}")).unwrap_or_default();
            let sort = wanted.map_or("open", |(word, _)| word);
            return Err(Problem::not_found(format!("No task{of} is {sort} now.")).next("“show tasks” tells where each is.").into());
        }
        Ok(found)
    }

    fn remembered_tasks(&self) -> Result<Vec<&'a TaskView>, Trouble> {
        let of_runs = self.memory.runs.iter().filter_map(|id| self.world.run(id)?.task.clone());
        let tasks = self.memory.tasks.clone();
        let mut wanted = if self.memory.last == Some(ItemKind::Run) {
            first_some([of_runs.collect(), tasks])
        } else {
            first_some([tasks, of_runs.collect()])
        };
        wanted.sort();
        wanted.dedup();
        let found: Vec<_> = wanted.iter().filter_map(|at| self.world.task(at)).collect();
        if found.is_empty() { Err(nothing_before("tasks")) } else { Ok(found) }
    }

    /// `T004 to T008 and T010`: all of one feature.
    fn numbered_tasks(
        &self,
        piece: Piece,
        words: &[&Word],
        feature: Option<&InFeature>,
        so: impl Fn(&TaskView) -> bool,
    ) -> Result<Vec<&'a TaskView>, Trouble> {
        let spans = spans(words);
        let mut found: Vec<(InFeature, Vec<&TaskView>)> = Vec::new();
        for (project, id, _) in &self.world.features {
            let here: Vec<&TaskView> = self.world.tasks.iter().filter(|t| t.at.project == *project && t.at.feature == *id).collect();
            let asked = feature.is_none_or(|(p, f)| p == project && f == id);
            if let Some(tasks) = Some(here).filter(|_| asked).and_then(|here| within(&here, &spans)) {
                found.push(((project.clone(), id.clone()), tasks));
            }
        }
        prefer(&mut found, |(_, tasks)| tasks.iter().any(|t| so(t)));
        match found.len() {
            1 => Ok(found.remove(0).1),
            0 => Err(self.no_tasks(words, feature).into()),
            _ => {
                let said = self.text.between(piece.from, piece.to);
                let fitting: Vec<_> = found
                    .iter()
                    .map(|((project, id), tasks)| {
                        (format!("{said} of {}", self.name_of(project, id)), format!("{project}: {}", tasks[0].task.title))
                    })
                    .collect();
                self.which("feature", piece, &fitting)
            }
        }
    }

    fn no_tasks(&self, words: &[&Word], feature: Option<&InFeature>) -> Problem {
        let raw: Vec<_> = words.iter().filter(|w| is_task(&w.low)).map(|w| domain::shown(&w.raw)).collect();
        let of = feature.map_or_else(|| "No feature has".to_owned(), |(_, id)| format!("{id} has not"));
        let ranges: Vec<_> =
            self.world.features.iter().filter_map(|(_, id, _)| self.range_of(id)).take(crate::limits::CHOICES_MAX).collect();
        let next = if ranges.is_empty() { "There are no tasks yet.".into() } else { format!("There are: {}.", ranges.join("; ")) };
        Problem::not_found(format!("{of} the tasks {} together.", listed(&raw))).next(next)
    }

    fn range_of(&self, feature: &FeatureId) -> Option<String> {
        let mut tasks = self.world.tasks.iter().filter(|t| t.at.feature == *feature).map(|t| &t.at.task);
        let first = tasks.next()?;
        let last = tasks.next_back();
        Some(last.map_or_else(|| format!("{feature}: {first}"), |last| format!("{feature}: {first} to {last}")))
    }
}

/// Whether a word names this task: `t4` names `T004`.
pub(super) fn same_task(id: &TaskId, low: &str) -> bool {
    number(low).is_some_and(|asked| number(&id.as_str().to_lowercase()) == Some(asked))
}

/// A task's number and the letters behind it.
fn number(low: &str) -> Option<(u64, &str)> {
    let digits = low.strip_prefix('t').unwrap_or(low);
    let letters = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Some((digits[..letters].parse().ok()?, &digits[letters..]))
}

/// `T4 to T8, T10` as first and last words.
fn spans<'w>(words: &[&'w Word]) -> Vec<(&'w str, &'w str)> {
    let (mut spans, mut open) = (Vec::<(&str, &str)>::new(), false);
    for word in words {
        match word.low.as_str() {
            "to" | "through" | "until" | "till" | "-" => open = true,
            low if is_task(low) => match spans.last_mut().filter(|_| std::mem::take(&mut open)) {
                Some(last) => last.1 = low,
                None => spans.push((low, low)),
            },
            _ => {}
        }
    }
    spans
}

/// The tasks of one feature within these spans, in the order of the feature; none where an end is not there.
fn within<'t>(here: &[&'t TaskView], spans: &[(&str, &str)]) -> Option<Vec<&'t TaskView>> {
    let named = |low: &str| here.iter().any(|t| same_task(&t.at.task, low));
    if !spans.iter().all(|(first, last)| named(first) && named(last)) {
        return None;
    }
    let inside = |t: &&&TaskView| {
        let id = t.at.task.as_str().to_lowercase();
        let at = number(&id);
        spans.iter().any(|(first, last)| {
            let (a, b) = (number(first), number(last));
            (a.min(b)..=a.max(b)).contains(&at)
        })
    };
    Some(here.iter().filter(inside).copied().collect())
}
