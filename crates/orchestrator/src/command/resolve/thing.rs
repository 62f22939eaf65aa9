//! What a sentence is about, where it may be of any kind.

use super::{
    super::{
        answer::{CommandItem, ItemKind},
        extent::{self, PRONOUNS, is_patch},
        pattern::{Piece, Slot},
        words::is_task,
    },
    Asked, Trouble, nothing_before, prefer,
    runs::failed,
    tasks::same_task,
};
use domain::{
    Problem,
    patch::Patch,
    run::Run,
    task::{TaskState, TaskView},
};

/// Something that a sentence is about.
pub(in crate::command) enum Thing<'a> {
    Task(&'a TaskView),
    Run(&'a Run),
    Patch(&'a Patch),
    Named(CommandItem),
}

impl<'a> Asked<'a> {
    /// What a sentence is about, of whichever kind.
    pub(in crate::command) fn thing(&self) -> Result<Thing<'a>, Trouble> {
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
            let name = |t: &TaskView| format!("task {} of {}", t.at.task, self.name_of(&t.at.project, &t.at.feature));
            found.extend(self.world.tasks.iter().filter(here).map(|t| (Thing::Task(t), name(t))));
        }
        if found.is_empty() && wants("patch") && (is_patch(&word.low) || noun == "patch") {
            found.extend(self.patches_called(&word.low).into_iter().map(|p| (Thing::Patch(p), format!("patch {}", p.id))));
        }
        if found.is_empty() && wants("run") && extent::is_run(word) && (noun == "run" || word.raw.len() >= 4) {
            match self.run_called(word, Some(piece), |r| !self.speaks_of_failure() || failed(r)) {
                Ok(run) => found.push((Thing::Run(run), format!("run {}", run.id))),
                Err(Trouble::Problem(_)) => {}
                Err(which) => return Err(which),
            }
        }
        if found.is_empty() {
            found.extend(self.named(noun, &word.low).into_iter().map(|item| (Thing::Named(item.clone()), item.id)));
        }
        if self.speaks_of_failure() {
            // What failed itself comes first, then what has a run that did; what has not is not meant where something has.
            prefer(&mut found, |(thing, _)| self.failures(thing) > 0);
            found.sort_by_key(|(thing, _)| std::cmp::Reverse(self.failures(thing)));
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
                let names: Vec<_> = found.iter().map(|(thing, new)| (new.clone(), thing.label(self))).collect();
                self.which("one", piece, &names)
            }
        }
    }

    /// How far something failed: not, in a run of it, or itself.
    fn failures(&self, thing: &Thing<'_>) -> u8 {
        match thing {
            Thing::Task(t) if matches!(t.state, TaskState::Failed { .. }) && !t.state.stopped() => 2,
            Thing::Task(t) => u8::from(self.world.runs.iter().any(|r| r.task.as_ref() == Some(&t.at) && failed(r))),
            Thing::Run(r) => u8::from(failed(r)),
            Thing::Patch(_) | Thing::Named(_) => 0,
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
            _ => self.which("one", piece, &held.iter().map(|t| (t.reference(self), t.label(self))).collect::<Vec<_>>()),
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
}

impl Thing<'_> {
    fn label(&self, asked: &Asked<'_>) -> String {
        match self {
            Self::Task(t) => format!("{} ({})", CommandItem::task(t).label, asked.name_of(&t.at.project, &t.at.feature)),
            Self::Run(r) => CommandItem::run(r).label,
            Self::Patch(p) => CommandItem::patch(p).label,
            Self::Named(item) => format!("{:?} {}", item.kind, item.label).to_lowercase(),
        }
    }

    fn reference(&self, asked: &Asked<'_>) -> String {
        match self {
            Self::Task(t) => format!("task {} of {}", t.at.task, asked.name_of(&t.at.project, &t.at.feature)),
            Self::Run(r) => format!("run {}", r.id),
            Self::Patch(p) => format!("patch {}", p.id),
            Self::Named(item) => item.id.clone(),
        }
    }
}
