//! The kinds of things that are projected from events.

/// A [`crate::run::Run`], by run id.
pub const RUN: &str = "run";
/// The [`crate::RunId`] of a run that has not ended, by itself: these are few, however long the history is.
pub const ACTIVE: &str = "active";
/// The [`crate::capacity::Taken`] by all runs of a device, by the device's key.
pub const TAKEN: &str = "taken";
/// A [`crate::task::Claim`], by the task's full name.
pub const CLAIM: &str = "claim";
/// The [`crate::PatchId`] that a comment is on, by the comment's id.
pub const COMMENT: &str = "comment";
/// The [`super::Event`] of a [`super::LineRejoined`] by which branches were kept aside, by repository, key and the signature that was left.
pub const ASIDE: &str = "aside";
/// The [`super::Event`] by which a credential was set or removed last, by its name.
pub const CREDENTIAL: &str = "credential";
/// A [`crate::project::MirrorState`], by project.
pub const MIRROR: &str = "mirror";
/// A [`crate::join::Invite`], by its id.
pub const INVITE: &str = "invite";
/// A [`crate::join::Joiner`], by the device's key.
pub const JOINER: &str = "joiner";
/// A [`crate::stop::Stop`], by [`crate::stop::Order::key`].
pub const STOP: &str = "stop";
/// A [`crate::stop::Stop`] that counts, by the same, by itself: these are few, however many were lifted.
pub const HALT: &str = "halt";
/// The command bar's [`crate::command::Settings`], and its [`crate::usage::Usage`] by [`crate::command::day`].
pub const COMMAND: &str = "command";
/// [`crate::usage::Usage`] of a period, by [`crate::event::spent_id`]; of a run at a standby device, by [`crate::event::spent_by_run`].
pub const SPENT: &str = "spent";
/// What the journal's device told last of its part of the org's quotas, a [`crate::quota::Taken`], by [`OWN`].
pub const SHARES: &str = "shares";
/// The id of what there is one of in each journal.
pub const OWN: &str = "own";
