//! The kinds of things that are projected from events.

/// A [`crate::run::Run`], by run id.
pub const RUN: &str = "run";
/// The [`crate::RunId`] of a run that has not ended, by itself: these are few, however long the history is.
pub const ACTIVE: &str = "active";
/// A [`crate::task::Claim`], by the task's full name.
pub const CLAIM: &str = "claim";
/// The [`crate::PatchId`] that a comment is on, by the comment's id.
pub const COMMENT: &str = "comment";
/// A [`crate::project::MirrorState`], by project.
pub const MIRROR: &str = "mirror";
/// The command bar's [`crate::command::Settings`], and its [`crate::usage::Usage`] by [`crate::command::day`].
pub const COMMAND: &str = "command";
