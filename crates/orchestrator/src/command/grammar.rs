//! A sentence against the table of forms: which fits best, and, where none does, which come near.

use super::{
    memory::Memory,
    pattern::{Compared, compare},
    plan::Plan,
    resolve::{Asked, Trouble},
    sentences,
    words::Text,
    world::World,
};
use crate::limits::EXAMPLES_MAX;
use jiff::Zoned;

/// What the grammar makes of a sentence.
pub(super) enum Grasp {
    /// It is understood.
    Plan(Plan),
    /// It fits a form, and cannot be done as it is.
    Trouble(Trouble),
    /// It fits none; these come nearest.
    Nothing(Vec<String>),
}

/// Reads a sentence.
pub(super) fn grasp(world: &World, memory: &Memory, text: &Text, now: &Zoned) -> Grasp {
    let compared: Vec<(&sentences::Sentence, Compared)> = sentences::all().iter().map(|s| (s, compare(&s.form, text))).collect();
    let fits = compared.iter().filter_map(|(s, c)| Some((s, c.fit.as_ref()?)));
    let mut best = None;
    for (sentence, fit) in fits {
        if best.is_none_or(|(_, b): (_, &super::pattern::Fit)| fit.slips < b.slips) {
            best = Some((sentence, fit));
        }
    }
    let Some((sentence, fit)) = best.filter(|_| !text.words.is_empty()) else { return Grasp::Nothing(near(&compared)) };
    match (sentence.plan)(&Asked { world, memory, text, fit, now }) {
        Ok(plan) => Grasp::Plan(plan),
        Err(trouble) => Grasp::Trouble(trouble),
    }
}

/// Examples of the forms that fit furthest.
fn near(compared: &[(&sentences::Sentence, Compared)]) -> Vec<String> {
    let mut rows: Vec<(usize, &str)> = compared.iter().filter(|(s, _)| !s.example.is_empty()).map(|(s, c)| (c.reach, s.example)).collect();
    // The order of the table stays among equals.
    rows.sort_by_key(|(reach, _)| std::cmp::Reverse(*reach));
    rows.iter().take(EXAMPLES_MAX).map(|(_, example)| (*example).to_owned()).collect()
}
