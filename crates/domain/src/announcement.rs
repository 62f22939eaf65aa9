//! What a device says of itself to the others of its org. A hint: its own admission decides.

use crate::{
    Did, OrgName, Rid, RunId, Timestamp,
    capacity::{Capacity, Resources},
    lend::{Condition, Reclaim},
    manifest::{Class, Manifest, Priority},
    placement::{Behind, QueuePlace},
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
    /// Since when the process runs that made it, by the same clock: another at each start of the device.
    pub started: Timestamp,
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
    /// How many of these, from the first on, it worked at lately; the others merely lie there.
    #[serde(default)]
    pub worked_at: u32,
    /// Engines that are installed there.
    #[serde(default)]
    pub engines: Vec<String>,
    /// Runs that it asks for and that wait for room, the most urgent first; at most [`crate::limits::ANNOUNCED_WAITING_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingRun>,
    /// In which order it has room for those that wait for it; at most [`crate::limits::ANNOUNCED_QUEUE_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<Queued>,
    /// Which runs on it may have to give way.
    #[serde(default)]
    pub gives_way: GivesWay,
}

/// A run that waits for room on other devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingRun {
    /// The run.
    pub run: RunId,
    /// For whom, by a key on the device that announces it.
    pub member: Did,
    /// Its class.
    pub class: Class,
    /// How important it is.
    pub priority: Priority,
    /// How often it gave way.
    #[serde(default)]
    pub gave_way: u32,
    /// What it asks for.
    pub asked: Resources,
    /// The devices of whose room it waits; at most [`crate::limits::ANNOUNCED_WAITS_AT_MAX`].
    pub at: Vec<Did>,
}

/// A run in a device's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueuedThere")]
pub struct Queued {
    /// The run.
    pub run: RunId,
    /// The one just in front of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
}

/// The lowest standing of the runs that a device could send away for more important ones; none: there is no such run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GivesWay {
    /// Of guests' runs, which give way to anybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guests: Option<i32>,
    /// Of its owner's runs, which give way to the owner's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<i32>,
}

impl GivesWay {
    /// Whether something there is less important than this work of the owner's, or of somebody else's.
    pub fn to(self, manifest: &Manifest, owners: bool) -> bool {
        let lower = |standing: i32| standing < manifest.priority.steps();
        self.guests.is_some_and(lower) || (owners && self.own.is_some_and(lower))
    }
}

/// Where a run stands in a device's queue.
pub fn place_in(queue: &[Queued], run: &RunId) -> Option<QueuePlace> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let at = queue.iter().position(|there| there.run == *run)?;
    Some(QueuePlace { place: count(at + 1), of: count(queue.len()), behind: queue[at].behind.clone() })
}
