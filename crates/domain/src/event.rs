//! Events: the facts of the journal, and what they change.
//!
//! An event carries facts and hashes; content (log text, prompts, messages, manifests) lies in blobs that can be erased.
//! [`project`] (`event/projection.rs`) is the one place that says what an event changes. It is pure, so that the projections can be rebuilt.

mod about;
mod body;
mod fact;
mod joining;
pub mod kind;
mod projection;
mod taken;
mod unknown;

pub use body::Body;
pub use fact::{Event, LineRejoined, Mended, Told, VERSION};
pub use projection::{Before, Projected, project, spent_by_run, spent_id};
pub use unknown::Unknown;
