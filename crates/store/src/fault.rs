//! Faults that tests put in on purpose, to show that they would be noticed. Nothing outside of tests names them.

/// What is done wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Writes are answered before they are committed.
    AnswerBeforeCommit,
    /// Commits are not synced to the disk.
    NoSync,
}
