//! Who acts, and by which door they came in: recorded with every event that they cause.

use crate::Did;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A door to the table of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The command line of this machine.
    Cli,
    /// A browser that signed in.
    Dashboard,
    /// A script with a token.
    Http,
    /// The Model Context Protocol.
    Mcp,
}

/// The way by which somebody acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Via {
    /// The door.
    pub door: Door,
    /// The public id of the token that was shown, where one of the org's was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Who causes an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// A member where a person acts, else the device itself.
    pub did: Did,
    /// By which way; none for what a device does by itself.
    pub via: Option<Via>,
}

impl From<&Did> for Actor {
    fn from(did: &Did) -> Self {
        Self { did: did.clone(), via: None }
    }
}

impl From<&Actor> for Actor {
    fn from(actor: &Actor) -> Self {
        actor.clone()
    }
}
