//! What a sentence comes to before anything is done: an answer, a read to carry out, changes to propose.

use super::{answer::CommandItem, resolve::Trouble, world::World};
use domain::Problem;
use serde_json::{Value, json};

/// How the answer of a read is told.
pub(super) type Tell = Box<dyn Fn(&World, &Value) -> (String, Vec<CommandItem>) + Send + Sync>;

/// A read, and how its answer is told.
pub(super) struct Read {
    pub(super) action: &'static str,
    pub(super) input: Value,
    pub(super) sentence: String,
    pub(super) tell: Tell,
}

/// What a sentence comes to.
#[derive(Default)]
pub(super) struct Plan {
    /// What was understood.
    pub(super) said: String,
    /// The answer, as far as it is known already.
    pub(super) text: String,
    /// What it is about.
    pub(super) items: Vec<CommandItem>,
    /// The action that gives the same list, for those who look closer.
    pub(super) looked: Option<(&'static str, Value)>,
    /// A read that completes the answer.
    pub(super) read: Option<Read>,
    /// Changes: actions and their inputs.
    pub(super) changes: Vec<(&'static str, Value)>,
    /// What is to be undone: the last that was done.
    pub(super) undo: bool,
    /// What part of it cannot be done.
    pub(super) problems: Vec<Problem>,
}

/// What understanding a sentence gives.
pub(super) type Planned = Result<Plan, Trouble>;

impl Plan {
    /// An answer that is there already.
    pub(super) fn tells(said: impl Into<String>, action: &'static str, text: impl Into<String>, items: Vec<CommandItem>) -> Planned {
        Ok(Self { said: said.into(), text: text.into(), items, looked: Some((action, json!({}))), ..Self::default() })
    }

    /// An answer that a read gives.
    pub(super) fn reads(said: impl Into<String>, read: Read) -> Planned {
        Ok(Self { said: said.into(), read: Some(read), ..Self::default() })
    }

    /// Changes to propose.
    pub(super) fn changes(said: impl Into<String>, changes: Vec<(&'static str, Value)>) -> Planned {
        Ok(Self { said: said.into(), changes, ..Self::default() })
    }
}
