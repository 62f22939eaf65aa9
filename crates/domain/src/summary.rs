//! What a device's journal comes to up to its end, as that device says it: so that whoever has not copied the journal yet has something to
//! show. It proves nothing. The journal does, once it is there, and takes its place.

use crate::{Did, Hash, OrgName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the summary that this build writes.
pub const VERSION: u16 = 1;
/// The DSSE payload type of a summary.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.journal-summary.v1+json";

/// What a device signs of a summary. Unknown fields are left out of account, so that a newer version may say more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The format's version.
    pub version: u16,
    /// The org that it is for.
    pub org: OrgName,
    /// The device whose journal it is; also the one that signs.
    pub device: Did,
    /// The incarnation of the journal's end.
    pub incarnation: u64,
    /// The number of the last event.
    pub seq: u64,
    /// The hash of that event: the journal, when it comes, has to lead to it.
    pub hash: Hash,
    /// The BLAKE3 hash of the rows, as they are sent beside this.
    pub rows: Hash,
}

/// One thing that the journal tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is: see [`crate::event::kind`].
    pub kind: String,
    /// Its name among those.
    pub id: String,
    /// The number of the event that changed it last.
    pub seq: u64,
    /// Itself.
    pub value: Value,
}
