//! What a device says of itself to the others of its org. A hint: its own admission decides.

use crate::{
    Did, OrgName, Rid, Timestamp,
    capacity::Capacity,
    lend::{Condition, Reclaim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the announcement that this build writes.
pub const VERSION: u16 = 1;
/// The DSSE payload type of an announcement.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.announcement.v1+json";

/// A device's announcement, as it signs it. Unknown fields are left out of account, so that a newer version may say more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Announcement {
    /// The format's version.
    pub version: u16,
    /// The org that it is for.
    pub org: OrgName,
    /// The device; also the one that signs.
    pub device: Did,
    /// Counts up with each announcement of the device, also over its restarts; of two the higher counts.
    pub number: u64,
    /// When it was made, by the device's clock.
    pub at: Timestamp,
    /// What it lends to agents' runs, and what is free of it. Tags that the org promises are not in it: readers add them.
    pub capacity: Capacity,
    /// What its sensors saw.
    #[serde(default)]
    pub condition: Condition,
    /// Why it takes no guests now; none: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaimed: Option<Reclaim>,
    /// Repositories that lie in its storage, the ones used last first; at most [`crate::limits::ANNOUNCED_REPOSITORIES_MAX`].
    #[serde(default)]
    pub repositories: Vec<Rid>,
    /// Engines that are installed there.
    #[serde(default)]
    pub engines: Vec<String>,
}
