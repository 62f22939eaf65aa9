//! Who asks for an action. What they may do is decided by the org's policy: `rights`.

use domain::{
    Did,
    actor::{Door, Via},
    role::Role,
};

/// Somebody who signed in, by whichever door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For whom it acts; recorded as the actor of what it changes.
    pub member: Option<Did>,
    /// What a token was made as; of who sits at the machine the org repository says it, once there is one.
    pub role: Role,
    /// By which door it came in; recorded too.
    pub via: Via,
    /// The public id of its browser's session, where a browser asks.
    pub browser: Option<String>,
}

impl Caller {
    /// Whether it is a person at the command line: hints then name its commands.
    pub fn by_hand(&self) -> bool {
        self.via.door == Door::Cli
    }
}
