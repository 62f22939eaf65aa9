//! What a person is told when something cannot be done: what happened, why, and what to do next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What sort of problem it is. Decides the HTTP status and the exit code; stable names for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was asked is not well formed.
    Invalid,
    /// Nobody signed in, or with something that does not count.
    Unauthenticated,
    /// Signed in, but the role does not allow it.
    Forbidden,
    /// What was named does not exist.
    NotFound,
    /// It cannot be done in the present state.
    Conflict,
    /// A named limit was reached: budget, quota, queue, size.
    Limit,
    /// Something that is needed is missing or broken on this machine.
    Unavailable,
    /// It took longer than its limit.
    Timeout,
    /// A fault of Meshwork itself.
    Internal,
}

impl Kind {
    /// The HTTP status that says the same.
    pub fn http_status(self) -> u16 {
        match self {
            // A limit is one of a size or a number nearly everywhere: asking again later, as 429 says, does not help.
            Self::Invalid | Self::Limit => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }

    /// The exit code of the command line that says the same (0 is success, 1 a task that did not succeed, 2 bad usage).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Invalid => 2,
            Self::Unauthenticated | Self::Forbidden => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Limit => 6,
            Self::Unavailable => 7,
            Self::Timeout => 8,
            Self::Internal => 70,
        }
    }
}

/// One problem, in words for a person. The cause for the log is kept apart and never shown to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The sort of problem.
    pub kind: Kind,
    /// What happened: one sentence.
    pub what: String,
    /// Why, where that adds something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do next, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Problem {
    /// A problem of this kind; `what` is one sentence.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: None, next: None }
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// With the next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Whether waiting can help: a full disk, a lock, a host that is away. What a person must change does not pass.
    pub fn passes(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Timeout | Kind::Internal)
    }

    /// Something named does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, what)
    }

    /// What was asked is not well formed.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, what)
    }

    /// It cannot be done in the present state.
    pub fn conflict(what: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, what)
    }

    /// Something needed is missing or broken on this machine.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, what)
    }

    /// A fault of our own; `cause` is for people who mend it.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Kind::Internal, "Something in Meshwork went wrong.")
            .because(cause.to_string())
            .next("See the log of `meshwork up`; what was done so far is safe in the journal.")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for part in [&self.why, &self.next].into_iter().flatten() {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
