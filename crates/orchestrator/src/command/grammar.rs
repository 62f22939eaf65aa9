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
use domain::Kind;
use jiff::Zoned;

/// What the grammar makes of a sentence.
pub(super) enum Grasp {
    /// It is understood.
    Plan(Box<Plan>),
    /// It fits a form, and cannot be done as it is.
    Trouble(Trouble),
    /// It fits none; these come nearest.
    Nothing(Vec<String>),
}

/// Reads a sentence.
pub(super) fn grasp(world: &World, memory: &Memory, text: &Text, now: &Zoned) -> Grasp {
    let compared: Vec<(&sentences::Sentence, Compared)> = sentences::all().iter().map(|s| (s, compare(&s.form, text))).collect();
    let least = compared.iter().filter_map(|(_, c)| Some(c.fit.as_ref()?.slips)).min();
    let Some(least) = least.filter(|_| !text.words.is_empty()) else { return Grasp::Nothing(near(world, &compared)) };
    let best = compared.iter().filter_map(|(s, c)| Some((s, c.fit.as_ref().filter(|f| f.slips == least)?)));
    // A word may fit a slot by its form and name nothing: then another form is meant.
    let mut first = None;
    for (sentence, fit) in best {
        match (sentence.plan)(&Asked { world, memory, text, fit, now }) {
            Ok(plan) => return Grasp::Plan(Box::new(plan)),
            Err(Trouble::Problem(problem)) if problem.kind == Kind::NotFound => first = first.or(Some(Trouble::Problem(problem))),
            Err(trouble) => return Grasp::Trouble(trouble),
        }
    }
    first.map_or_else(|| Grasp::Nothing(near(world, &compared)), Grasp::Trouble)
}

/// Examples of the forms that fit furthest.
fn near(world: &World, compared: &[(&sentences::Sentence, Compared)]) -> Vec<String> {
    let mut rows: Vec<(usize, String)> = compared.iter().filter_map(|(s, c)| Some((c.reach, s.here(world)?))).collect();
    // The order of the table stays among equals.
    rows.sort_by_key(|(reach, _)| std::cmp::Reverse(*reach));
    rows.into_iter().take(EXAMPLES_MAX).map(|(_, example)| example).collect()
}
