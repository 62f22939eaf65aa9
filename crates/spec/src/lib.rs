//! Spec-Kit: features and tasks, read and ticked off, and what an engine is asked.
//!
//! Everything but [`specify`] is a pure function over the bytes of a git tree, so the same commit reads the same on
//! every device. Reading is tolerant: what is not understood stays as it is, byte for byte, and is told in a sentence.
//! This crate knows neither git nor engines nor the network.
//!
//! What order means (after Spec-Kit's own template and its `implement` command):
//! - A phase waits for all tasks of the phase before it; a sub-heading within a phase (tests, then implementation) is
//!   such a step too.
//! - A stretch of neighbouring `[P]` tasks goes side by side. A task without `[P]` waits for all before it, and all after
//!   it wait for it.
//! - Dependencies that are written out are added. Where they contradict the order of the file, they win: the task that
//!   is needed is pulled up to where it is needed first.

mod brief;
mod depend;
mod document;
mod edit;
mod engines;
mod feature;
mod hash;
pub mod limits;
mod lines;
mod order;
mod problems;
mod process;
pub mod specify;
mod task_line;
mod tick;
mod words;

pub use brief::{Ask, Brief, brief};
pub use edit::{NewTask, add, edit};
pub use feature::{blocked, features, features_with_links};
pub use hash::spec_hash;
pub use tick::{Reapplied, reapply, tick, ticked};

use std::collections::BTreeMap;

/// Files of a git tree: path from the repository's root, and content. The caller gives those that [`wanted`] names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Folders and files below which [`wanted`] files lie, so that a caller need not walk the whole tree.
pub fn roots() -> impl Iterator<Item = &'static str> {
    ["specs", ".specify"].into_iter().chain(engines::all_paths())
}

/// Whether this crate has a use for the file at this path, from the repository's root.
pub fn wanted(path: &str) -> bool {
    roots().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}
