//! What words mean here and now: names become things, or a problem that says what there is, or a question which is meant.

use super::{
    answer::{Choice, CommandItem, ItemKind, listed},
    extent::{self, ALL, PRONOUNS, is_patch, states_of},
    memory::Memory,
    pattern::{Fit, Piece, Slot},
    when,
    words::{Text, Word, is_task, near},
    world::World,
};
use domain::{
    AgentName, Did, FeatureId, Problem, ProjectName, TaskId, Timestamp,
    patch::{Patch, PatchState},
    run::Run,
    task::TaskView,
};
use jiff::Zoned;

/// Why a sentence cannot be made an action yet.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// It cannot be.
    Problem(Problem),
    /// Several things fit.
    Which(String, Vec<Choice>),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A sentence that fits a form, and all that is needed to understand it.
pub(super) struct Asked<'a> {
    pub(super) world: &'a World,
    pub(super) memory: &'a Memory,
    pub(super) text: &'a Text,
    pub(super) fit: &'a Fit,
    pub(super) now: &'a Zoned,
}

/// A project and one of its features.
pub(super) type InFeature = (ProjectName, FeatureId);

/// Something that a sentence is about.
pub(super) enum Thing<'a> {
    Task(&'a TaskView),
    Run(&'a Run),
    Patch(&'a Patch),
    Named(CommandItem),
}

/// Where something is to be.
pub(super) enum Place {
    Device(Did),
    Tags(Vec<(String, String)>),
}

impl<'a> Asked<'a> {
    /// The words of a slot that say something.
    fn words(&self, slot: Slot) -> Option<(Piece, Vec<&'a Word>)> {
        let piece = self.fit.piece(slot)?;
        let words = self.text.words.get(piece.from..piece.to).unwrap_or_default().iter().filter(|w| !w.filler).collect();
        Some((piece, words))
    }

    /// The text of a slot, as it was written.
    pub(super) fn said(&self, slot: Slot) -> Option<&str> {
        self.fit.piece(slot).map(|p| self.text.between(p.from, p.to))
    }

    /// The free text: behind the colon, or in the sentence.
    pub(super) fn free_text(&self) -> Option<String> {
        let tail = self.fit.piece(Slot::Tail).and(self.text.tail.clone());
        tail.or_else(|| self.said(Slot::Text).map(str::to_owned)).filter(|t| !t.trim().is_empty())
    }

    /// The sentence with another text in the place of a slot.
    fn instead(&self, piece: Piece, new: &str) -> String {
        let words = &self.text.words;
        match (words.get(piece.from), piece.to.checked_sub(1).and_then(|i| words.get(i))) {
            (Some(first), Some(last)) => format!("{}{new}{}", &self.text.all[..first.from], &self.text.all[last.to..]),
            _ => format!("{} {new}", self.text.all),
        }
    }

    fn which<T>(&self, what: &str, piece: Piece, fitting: &[(String, String)]) -> Result<T, Trouble> {
        let choices = fitting
            .iter()
            .take(crate::limits::CHOICES_MAX)
            .map(|(new, label)| Choice { sentence: self.instead(piece, new), label: label.clone() });
        Err(Trouble::Which(format!("Which {what} is meant?"), choices.collect()))
    }

    pub(super) fn moment(&self) -> Option<Timestamp> {
        let piece = self.fit.piece(Slot::When)?;
        when::moment(&self.text.words[piece.from..piece.to], self.now)
    }

    pub(super) fn agent(&self) -> Result<Option<AgentName>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Agent) else { return Ok(None) };
        let word = words.last().map_or("", |w| w.low.as_str());
        let names: Vec<&AgentName> = self.world.agents.iter().collect();
        match fitting(&names, word, |a| a.as_str()).as_slice() {
            [one] => Ok(Some((**one).clone())),
            [] => Err(unknown("agent", word, &names.iter().map(|a| a.to_string()).collect::<Vec<_>>()).into()),
            several => self.which("agent", piece, &several.iter().map(|a| (a.to_string(), a.to_string())).collect::<Vec<_>>()),
        }
    }

    pub(super) fn feature(&self) -> Result<Option<InFeature>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Feature) else { return Ok(None) };
        self.feature_called(words.last().map_or("", |w| w.low.as_str()), piece).map(Some)
    }

    fn feature_called(&self, word: &str, piece: Piece) -> Result<InFeature, Trouble> {
        let all = &self.world.features;
        let number = |text: &str| text.split('-').next().and_then(|n| n.parse::<u64>().ok());
        let exact = all.iter().filter(|(_, id, _)| id.as_str().to_lowercase() == word);
        let numbered = all.iter().filter(|(_, id, _)| word.parse::<u64>().is_ok_and(|n| number(id.as_str()) == Some(n)));
        let begins = all.iter().filter(|(_, id, _)| id.as_str().to_lowercase().starts_with(word));
        let holds = all.iter().filter(|(_, id, _)| word.len() >= 3 && id.as_str().to_lowercase().contains(word));
        let slips = all.iter().filter(|(_, id, _)| near(&[&id.as_str().to_lowercase()], word).is_some());
        match first_some([exact.collect(), numbered.collect(), begins.collect(), holds.collect(), slips.collect()]).as_slice() {
            [(project, id, _)] => Ok((project.clone(), id.clone())),
            [] => Err(unknown("feature", word, &all.iter().map(|(_, id, _)| id.to_string()).collect::<Vec<_>>()).into()),
            several if several.iter().all(|(_, id, _)| *id == several[0].1) => {
                let names: Vec<_> = several.iter().map(|(project, ..)| project.to_string()).collect();
                Err(Problem::invalid(format!("Several projects have the feature {}: {}.", several[0].1, listed(&names)))
                    .next("Name the task's project on the command line: meshwork task run --project.")
                    .into())
            }
            several => {
                let names: Vec<_> = several.iter().map(|(project, id, title)| (id.to_string(), format!("{project}: {title}"))).collect();
                self.which("feature", piece, &names)
            }
        }
    }

    /// The tasks that are meant.
    pub(super) fn tasks(&self) -> Result<Vec<&'a TaskView>, Trouble> {
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
            return self.numbered_tasks(piece, &words, feature.as_ref());
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
    fn numbered_tasks(&self, piece: Piece, words: &[&Word], feature: Option<&InFeature>) -> Result<Vec<&'a TaskView>, Trouble> {
        let spans = spans(words);
        let mut found: Vec<(InFeature, Vec<&TaskView>)> = Vec::new();
        for (project, id, _) in &self.world.features {
            let here: Vec<&TaskView> = self.world.tasks.iter().filter(|t| t.at.project == *project && t.at.feature == *id).collect();
            let asked = feature.is_none_or(|(p, f)| p == project && f == id);
            if let Some(tasks) = Some(here).filter(|_| asked).and_then(|here| within(&here, &spans)) {
                found.push(((project.clone(), id.clone()), tasks));
            }
        }
        match found.len() {
            1 => Ok(found.remove(0).1),
            0 => Err(self.no_tasks(words, feature).into()),
            _ => {
                let said = self.text.between(piece.from, piece.to);
                let fitting: Vec<_> = found
                    .iter()
                    .map(|((project, id), tasks)| (format!("{said} of {id}"), format!("{project}: {}", tasks[0].task.title)))
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

    /// The runs that are meant; of words that name no single one, those that have not ended.
    pub(super) fn runs(&self) -> Result<Vec<&'a Run>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Runs) else { return Ok(vec![]) };
        let first = words.first().map_or("", |w| w.low.as_str());
        if PRONOUNS.contains(&first) {
            return self.remembered_runs();
        }
        let wanted = words.iter().find_map(|w| states_of(&w.low, &extent::RUN_STATES));
        if ALL.contains(&first) || wanted.is_some() {
            let fits = |r: &&Run| wanted.map_or(!r.state.ended(), |(_, states)| states.contains(&super::answer::state(r).as_str()));
            return Ok(self.world.runs.iter().filter(fits).collect());
        }
        let ids: Vec<&&Word> = words.iter().filter(|w| extent::is_run(w)).collect();
        let whole = ids.len() == 1;
        ids.iter().map(|word| self.run_called(word, if whole { Some(piece) } else { None })).collect()
    }

    /// The one run that is meant; none where none is named.
    pub(super) fn run(&self) -> Result<Option<&'a Run>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Run) else { return Ok(None) };
        match words.iter().find(|w| extent::is_run(w)) {
            Some(word) => self.run_called(word, Some(piece)).map(Some),
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

    fn run_called(&self, word: &Word, piece: Option<Piece>) -> Result<&'a Run, Trouble> {
        let part = word.raw.to_ascii_uppercase();
        let by_id: Vec<&Run> = self
            .world
            .runs
            .iter()
            .filter(|r| part.len() >= 4 && (r.id.as_str().starts_with(&part) || r.id.as_str().ends_with(&part)))
            .collect();
        let of_task = |r: &&Run| r.task.as_ref().is_some_and(|t| same_task(&t.task, &word.low));
        let mut by_task: Vec<&Run> = self.world.runs.iter().filter(of_task).collect();
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
    pub(super) fn patch(&self) -> Result<&'a Patch, Trouble> {
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

    fn patches_called(&self, low: &str) -> Vec<&'a Patch> {
        let begins = |p: &&Patch| low.len() >= 4 && p.id.as_str().starts_with(low);
        let of_task = |p: &&Patch| p.trace.as_ref().is_some_and(|t| same_task(&t.task.task, low));
        let by_task: Vec<&Patch> = self.world.patches.iter().filter(of_task).collect();
        let open: Vec<&Patch> = by_task.iter().filter(|p| p.state == PatchState::Open).copied().collect();
        first_some([self.world.patches.iter().filter(begins).collect(), open, by_task])
    }

    /// What a sentence is about, of whichever kind.
    pub(super) fn thing(&self) -> Result<Thing<'a>, Trouble> {
        let Some((piece, words)) = self.words(Slot::Thing) else { return Err(nothing_before("thing")) };
        let nouns = ["task", "run", "patch", "feature", "agent", "project", "device"];
        let noun = words.iter().map(|w| w.low.as_str()).find(|w| nouns.contains(w)).unwrap_or_default();
        let word = words.last().copied().filter(|w| !PRONOUNS.contains(&w.low.as_str()) && !nouns.contains(&w.low.as_str()));
        let Some(word) = word else { return self.remembered_thing(piece, noun) };
        let mut found: Vec<(Thing<'a>, String)> = Vec::new();
        let wants = |kind: &str| noun.is_empty() || noun == kind;
        if wants("task") && is_task(&word.low) {
            let feature = self.feature()?;
            let here = |t: &&TaskView| {
                same_task(&t.at.task, &word.low) && feature.as_ref().is_none_or(|(p, f)| t.at.project == *p && t.at.feature == *f)
            };
            found.extend(self.world.tasks.iter().filter(here).map(|t| (Thing::Task(t), format!("task {} of {}", t.at.task, t.at.feature))));
        }
        if found.is_empty() && wants("patch") && (is_patch(&word.low) || noun == "patch") {
            found.extend(self.patches_called(&word.low).into_iter().map(|p| (Thing::Patch(p), format!("patch {}", p.id))));
        }
        if found.is_empty() && wants("run") && extent::is_run(word) && (noun == "run" || word.raw.len() >= 4) {
            match self.run_called(word, Some(piece)) {
                Ok(run) => found.push((Thing::Run(run), format!("run {}", run.id))),
                Err(Trouble::Problem(_)) => {}
                Err(which) => return Err(which),
            }
        }
        if found.is_empty() {
            found.extend(self.named(noun, &word.low).into_iter().map(|item| (Thing::Named(item.clone()), item.id)));
        }
        match found.len() {
            1 => Ok(found.remove(0).0),
            0 => Err(Problem::not_found(format!(
                "There is no {} “{}”.",
                if noun.is_empty() { "task, run, patch, feature or agent" } else { noun },
                domain::shown(&word.raw)
            ))
            .next("Press Ctrl-K and write a part of its name, or “show tasks”, “show runs”, “show patches”.")
            .into()),
            _ => {
                let names: Vec<_> = found.iter().map(|(thing, new)| (new.clone(), thing.label())).collect();
                self.which("one", piece, &names)
            }
        }
    }

    fn remembered_thing(&self, piece: Piece, noun: &str) -> Result<Thing<'a>, Trouble> {
        let world = self.world;
        let runs = self.memory.runs.iter().filter_map(|id| world.run(id).map(Thing::Run));
        let tasks = self.memory.tasks.iter().filter_map(|at| world.task(at).map(Thing::Task));
        let patches = self.memory.patches.iter().filter_map(|id| world.patches.iter().find(|p| p.id == *id).map(Thing::Patch));
        let mut held: Vec<Thing<'a>> = match (noun, self.memory.last) {
            ("run", _) | ("", Some(ItemKind::Run)) => runs.collect(),
            ("patch", _) | ("", Some(ItemKind::Patch)) => patches.collect(),
            _ => tasks.collect(),
        };
        match held.len() {
            1 => Ok(held.remove(0)),
            0 => Err(nothing_before(if noun.is_empty() { "thing" } else { noun })),
            _ => self.which("one", piece, &held.iter().map(|t| (t.reference(), t.label())).collect::<Vec<_>>()),
        }
    }

    fn named(&self, noun: &str, word: &str) -> Vec<CommandItem> {
        let world = self.world;
        let mut found = Vec::new();
        if noun.is_empty() || noun == "feature" {
            let fits = world.features.iter().filter(|(_, id, _)| id.as_str().to_lowercase().starts_with(word));
            found.extend(fits.map(|(project, id, title)| CommandItem {
                project: Some(project.clone()),
                feature: Some(id.clone()),
                ..CommandItem::named(ItemKind::Feature, id.as_str(), title)
            }));
        }
        if noun.is_empty() || noun == "agent" {
            found.extend(world.agents.iter().filter(|a| a.as_str() == word).map(CommandItem::agent));
        }
        if noun.is_empty() || noun == "project" {
            found.extend(
                world.projects.iter().filter(|p| p.as_str() == word).map(|p| CommandItem::named(ItemKind::Project, p.as_str(), "project")),
            );
        }
        if noun.is_empty() || noun == "device" {
            found.extend(
                world
                    .devices
                    .iter()
                    .filter(|d| d.name.to_lowercase() == word)
                    .map(|d| CommandItem::named(ItemKind::Device, &d.name, "device")),
            );
        }
        found
    }

    /// Where something is to be; none where nothing is said.
    pub(super) fn place(&self) -> Result<Option<Place>, Trouble> {
        let Some((_, words)) = self.words(Slot::Place) else { return Ok(None) };
        let machines = ["machine", "machines", "device", "devices", "computer", "computers"];
        let mut left = words.iter().filter(|w| !machines.contains(&w.low.as_str())).peekable();
        let first = left.peek().map_or("", |w| w.low.as_str());
        if ["this", "here", ""].contains(&first) {
            return Ok(self.world.here.clone().map(Place::Device));
        }
        if words.len() > 1 || first.contains(':') {
            let joins = ["with", "having", "that", "which", "tagged", "in", "and", "have"];
            let tags = left.filter(|w| !joins.contains(&w.low.as_str())).map(|w| match w.low.split_once(':') {
                Some((tag, value)) => (tag.to_owned(), value.to_owned()),
                None => (w.low.trim_end_matches('s').to_owned(), "true".to_owned()),
            });
            return Ok(Some(Place::Tags(tags.collect())));
        }
        let devices: Vec<_> = self.world.devices.iter().collect();
        match fitting(&devices, first, |d| d.name.as_str()).as_slice() {
            [one] => Ok(Some(Place::Device(one.did.clone()))),
            _ => Err(unknown("device", first, &devices.iter().map(|d| d.name.clone()).collect::<Vec<_>>()).into()),
        }
    }
}

impl Thing<'_> {
    fn label(&self) -> String {
        match self {
            Self::Task(t) => CommandItem::task(t).label,
            Self::Run(r) => CommandItem::run(r).label,
            Self::Patch(p) => CommandItem::patch(p).label,
            Self::Named(item) => format!("{:?} {}", item.kind, item.label).to_lowercase(),
        }
    }

    fn reference(&self) -> String {
        match self {
            Self::Task(t) => format!("task {} of {}", t.at.task, t.at.feature),
            Self::Run(r) => format!("run {}", r.id),
            Self::Patch(p) => format!("patch {}", p.id),
            Self::Named(item) => item.id.clone(),
        }
    }
}

fn run_choice(run: &Run) -> (String, String) {
    let item = CommandItem::run(run);
    (format!("run {}", run.id), format!("{} ({})", item.label, super::answer::state(run)))
}

fn nothing_before(what: &str) -> Trouble {
    Problem::invalid(format!("It is not clear which {what} is meant."))
        .because("None was spoken of before in this conversation.")
        .next("Name it by its id.")
        .into()
}

fn unknown(kind: &str, word: &str, names: &[String]) -> Problem {
    let some: Vec<String> = names.iter().take(crate::limits::CHOICES_MAX).cloned().collect();
    let next = if some.is_empty() { format!("There is no {kind} yet.") } else { format!("There are: {}.", some.join(", ")) };
    Problem::not_found(format!("There is no {kind} “{}”.", domain::shown(word))).next(next)
}

/// Those whose name is this; else those that begin with it; else those that are nearly it.
fn fitting<'t, T>(all: &[&'t T], word: &str, name: impl Fn(&'t T) -> &'t str) -> Vec<&'t T> {
    let by = |fits: &dyn Fn(&str) -> bool| all.iter().copied().filter(|t| fits(&name(t).to_lowercase())).collect::<Vec<_>>();
    first_some([by(&|n| n == word), by(&|n| n.starts_with(word)), by(&|n| near(&[n], word).is_some())])
}

fn first_some<T, const N: usize>(lists: [Vec<T>; N]) -> Vec<T> {
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
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
