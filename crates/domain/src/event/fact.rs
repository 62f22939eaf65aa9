//! What every event has: when, by whom, by which door.

use super::Body;
use crate::{Did, Oid, PatchId, Rid, Timestamp, actor::Via};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of events that this build writes. A build that knows more kinds of events, or reads or projects one otherwise, has a higher
/// one: journals that a build of another version projected are projected anew.
pub const VERSION: u16 = 1;

/// A fact: when, by whom, what.
// `unknown.rs` says how it is read and written.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
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
    /// Which other device told this of a run that it executes for us; none: this device's own fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// Where a fact comes from that another device told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// The device, which executes the run.
    pub device: Did,
    /// The fact's number in that device's journal.
    pub seq: u64,
    /// When it was heard here, by this device's clock.
    pub heard_at: Timestamp,
}

/// How a journal was mended whose disk had been put back to an earlier moment. Its old incarnation ends at the last event that all agree
/// on; the new one tells first what others held of it beyond that, then what was written here meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // So that the API's document has the event's type beside it.
pub struct Mended {
    /// The number of the last event that all agree on.
    pub after: u64,
    /// How many events came back from others: they follow that one, under the numbers that they had.
    pub came_back: u64,
    /// How many events follow these that were written here before it was noticed.
    pub written_here: u64,
    /// How many of what was here are not told again, because they came back already.
    pub told_twice: u64,
    /// Where the journal lies as it was before the mend: a folder in that of the store; none where nothing had been written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<String>,
}

/// Two lines of a key's signatures in a repository that are one again: what the key had signed before a disk or a backup was put back, as
/// others have it, and what it signed since then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // As of `Mended`.
pub struct LineRejoined {
    /// The repository.
    pub repository: Rid,
    /// The key.
    pub key: Did,
    /// Its newest signature as others had it, on which the joined one stands.
    pub theirs: Oid,
    /// Its newest signature here before that.
    pub ours: Oid,
    /// The key under which that is kept which was said here of what others had changed too: it was made for this alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_under: Option<Did>,
    /// Branches of the key that hold where branches were here which others had moved too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aside: Vec<String>,
    /// Patches in which not all that the key said counts, as where it reviewed one revision twice: to be reviewed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review_again: Vec<PatchId>,
}
