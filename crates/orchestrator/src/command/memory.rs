//! What was spoken of last in a conversation: what “it”, “them” and “that run” stand for.

use super::answer::{CommandItem, ItemKind};
use domain::{PatchId, RunId, TaskRef};

/// What was spoken of.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) runs: Vec<RunId>,
    pub(super) tasks: Vec<TaskRef>,
    pub(super) patches: Vec<PatchId>,
    /// Of which kind the last was.
    pub(super) last: Option<ItemKind>,
}

impl Memory {
    /// Takes note of what an answer was about; what it was not about stays as it was.
    pub(super) fn note(&mut self, items: &[CommandItem]) {
        let of = |kind: ItemKind| items.iter().filter(move |i| i.kind == kind);
        let runs: Vec<RunId> = of(ItemKind::Run).filter_map(|i| i.id.parse().ok()).collect();
        let patches: Vec<PatchId> = of(ItemKind::Patch).filter_map(|i| i.id.parse().ok()).collect();
        let task = |i: &CommandItem| Some(TaskRef { project: i.project.clone()?, feature: i.feature.clone()?, task: i.id.parse().ok()? });
        let tasks: Vec<TaskRef> = of(ItemKind::Task).filter_map(task).collect();
        let last = items.iter().map(|i| i.kind).find(|k| matches!(k, ItemKind::Run | ItemKind::Task | ItemKind::Patch));
        self.last = last.or(self.last);
        if !runs.is_empty() {
            self.runs = runs;
        }
        if !tasks.is_empty() {
            self.tasks = tasks;
        }
        if !patches.is_empty() {
            self.patches = patches;
        }
    }
}
