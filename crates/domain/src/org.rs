//! The org repository's files, as types. Every device reads the same signed state, offline too.

use crate::{Did, OrgName, role::Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the org repository's files that this build writes.
pub const VERSION: u16 = 1;

/// `org.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Org {
    /// The format's version.
    pub version: u16,
    /// The org's name.
    pub name: OrgName,
    /// How many owners must sign a change of the org.
    pub threshold: u32,
}

/// `members/<name>.toml`: a person. One key lives in one storage, so a member has one key per device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What people call them; also the file's name.
    pub name: String,
    /// Their roles.
    pub roles: Vec<Role>,
    /// Their keys, one per device.
    pub keys: Vec<MemberKey>,
}

/// One key of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberKey {
    /// The key.
    pub did: Did,
    /// The device on which it lives.
    pub device: Did,
}

/// `devices/<name>.toml`: a machine that runs the orchestrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// What people call it; also the file's name.
    pub name: String,
    /// Its key; also its Radicle node id.
    pub did: Did,
    /// The member who owns it, by name.
    pub owner: String,
}
