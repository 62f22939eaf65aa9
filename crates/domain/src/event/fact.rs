//! What every event has: when, by whom, by which door.

use super::Body;
use crate::{Did, Timestamp, actor::Via};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of events that this build writes.
pub const VERSION: u16 = 1;

/// A fact: when, by whom, what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The format's version.
    pub version: u16,
    /// When.
    pub at: Timestamp,
    /// Who caused it: a member where a person acted, else the device itself.
    pub actor: Did,
    /// By which door they came in; none for what a device did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}
