//! Who asks for an action, and with which right.

use domain::{
    Did, Kind, Problem,
    actor::{Door, Via},
    role::{Permission, Role},
};

/// Somebody who signed in, by whichever door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For whom it acts; recorded as the actor of what it changes.
    pub member: Option<Did>,
    /// What it may do.
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

    /// Whether the caller may; otherwise the sentence that says which role could.
    ///
    /// # Errors
    /// When the role does not carry the permission.
    pub fn may(&self, permission: Permission) -> Result<(), Problem> {
        if self.role.allows(permission) {
            return Ok(());
        }
        let able: Vec<_> = Role::ALL.into_iter().filter(|r| r.allows(permission)).map(Role::name).collect();
        Err(Problem::new(Kind::Forbidden, format!("Your role ({}) may not do this.", self.role.name()))
            .because(format!("It needs the permission {permission:?}."))
            .next(format!("Ask somebody who is {}.", able.join(" or "))))
    }
}
