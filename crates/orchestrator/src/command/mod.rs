//! The command bar's understanding: sentences become answers and proposals, a yes carries proposals out.
//!
//! A sentence goes through the grammar (`words`, `pattern`, `extent`, `sentences`, `resolve`), else to the model where
//! one is set (`model`). Both end in the same place: reads are carried out at once, changes become proposals
//! (`propose`) that are held (`conversation`) until the person says yes (`carry`). Everything is read and done through the
//! table of actions with the caller's own rights, never more; so it knows neither the store nor the forge.

mod answer;
mod carry;
mod changes;
mod complete;
mod conversation;
mod extent;
mod grammar;
mod machines;
mod memory;
pub(crate) mod model;
mod pattern;
mod plan;
mod propose;
mod questions;
mod resolve;
mod sentences;
mod understand;
mod undo;
mod when;
mod words;
mod world;

#[cfg(test)]
mod tests;

pub use answer::{
    By, Choice, CommandAnswer, CommandEffect, CommandItem, CommandResult, CommandResults, Completion, Completions, ItemKind, Looked,
    Proposal,
};
pub(crate) use carry::{run, undo};
pub(crate) use complete::complete;
pub use conversation::Desk;
pub(crate) use conversation::Knowingly;
pub use understand::With;
pub(crate) use understand::understand;
