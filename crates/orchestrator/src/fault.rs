//! Faults that tests put in on purpose, to show that they would be noticed. Builds for use know none of them.

/// The variable that names the fault.
pub const VARIABLE: &str = "MESHWORK_TEST_FAULT";

/// What is done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The journal answers writes before they are committed.
    AnswerBeforeCommit,
    /// Nobody looks after a start at runs that were under way.
    NoRecovery,
}

impl Fault {
    /// The fault that was asked for; in builds without debug assertions always none.
    pub fn asked() -> Self {
        if !cfg!(debug_assertions) {
            return Self::None;
        }
        match std::env::var(VARIABLE).as_deref() {
            Ok("answer-before-commit") => Self::AnswerBeforeCommit,
            Ok("no-recovery") => Self::NoRecovery,
            _ => Self::None,
        }
    }
}
