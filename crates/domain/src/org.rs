//! The org repository's files, as types. Every device reads the same signed state, offline too.
//!
//! **Fields that are not known** are left out of account in what every device must go on reading to stay safe: [`Member`], [`Device`] and
//! [`Revoked`]. A newer device writes its own file by itself, and an older one that could not read it would hear of no later change, of no
//! revoked key either. Whoever writes such a file anew keeps them (`forge/src/org/kept.rs`). So a name that somebody mistyped in one of
//! these files by hand is not found out. In the other files it is: what only some devices understand of a limit would be kept by these
//! alone. A field that takes something away from a member or a device therefore goes with a higher [`VERSION`] in `org.toml`, which is
//! refused.

use crate::{Did, OrgName, ServerUrl, Timestamp, role::Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
pub struct Member {
    /// What people call them; also the file's name.
    pub name: String,
    /// Their roles.
    pub roles: Vec<Role>,
    /// The device of theirs, by its key, through which their runs elsewhere reach a model while the device that asked for them is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Did>,
    /// Their keys, one per device.
    pub keys: Vec<MemberKey>,
}

impl Member {
    /// Whether the member has a key on a device.
    pub fn has_key_on(&self, device: &Did) -> bool {
        self.keys.iter().any(|key| key.device == *device)
    }
}

/// One key of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberKey {
    /// The key.
    pub did: Did,
    /// The device on which it lives.
    pub device: Did,
}

/// `devices/<name>.toml`: a machine that runs the orchestrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// What people call it; also the file's name.
    pub name: String,
    /// Its key; also its Radicle node id.
    pub did: Did,
    /// The member who owns it, by name.
    pub owner: String,
    /// Where its mesh port is reached, as `host:port`; the first that answers is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Where its Radicle node is reached, as `host:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub radicle: Vec<String>,
    /// Where its gossip is reached, as `host:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gossip: Vec<String>,
    /// What the org promises others about it, as `region = "ap-southeast-2"` or `compliance = "restricted"`. What the device
    /// says about itself is not here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Device {
    /// A device that promises nothing and of which no address is known.
    pub fn new(name: impl Into<String>, did: Did, owner: impl Into<String>) -> Self {
        Self { name: name.into(), did, owner: owner.into(), addresses: vec![], radicle: vec![], gossip: vec![], tags: BTreeMap::new() }
    }
}

/// `tailnet.toml`: the tailnet in which the org's devices reach each other. No key is in it. An org without this file has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tailnet {
    /// The format's version.
    pub version: u16,
    /// Its Headscale server, as devices reach it.
    pub headscale: ServerUrl,
}

/// `revoked.toml`: keys that count nowhere any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    /// Lost, stolen or misused keys: nothing of them is taken or given any more. The oldest first.
    #[serde(default)]
    pub revoked: Vec<Revocation>,
    /// Keys that merely ended: what they made stays.
    #[serde(default)]
    pub ended: Vec<Revocation>,
}

/// One key that counts no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revocation {
    /// The key.
    pub did: Did,
    /// Whose it was.
    pub kind: KeyKind,
    /// When it was revoked.
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
    /// What people called whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// A member's, on one device.
    Member,
    /// A device's.
    Device,
    /// A run's.
    Run,
}
