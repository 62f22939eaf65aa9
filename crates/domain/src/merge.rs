//! What a member signs who wants a patch of a gated project merged: its gate merges by that, and the patch carries it from then on.

use crate::{OrgName, PatchId, ProjectName, RevisionId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of wishes that this build writes.
pub const VERSION: u16 = 1;
/// The media type under which a wish is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.merge.v1+json";
/// For how long a wish counts at the gate that merges by it, in milliseconds.
pub const VALID_MS: u64 = 10 * 60 * 1000;

/// A member's wish that a patch is merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeWish {
    /// The format's version.
    pub version: u16,
    /// The wish's id: a ULID. One that comes twice does no harm: what is merged is merged.
    pub id: String,
    /// The org.
    pub org: OrgName,
    /// The project.
    pub project: ProjectName,
    /// The patch.
    pub patch: PatchId,
    /// The revision that is to be merged, and no other.
    pub revision: RevisionId,
    /// When it was signed.
    pub at: Timestamp,
}

impl MergeWish {
    /// Whether it counts at a moment, for so long, where clocks may differ by this much.
    pub fn counts_at(&self, now: Timestamp, valid_ms: u64, clocks_differ_ms: u64) -> bool {
        let span = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let age_ms = now.0.saturating_sub(self.at.0);
        age_ms >= -span(clocks_differ_ms) && age_ms <= span(valid_ms.saturating_add(clocks_differ_ms))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wish_counts_for_ten_minutes_and_by_clocks_that_differ_a_little() {
        let wish = MergeWish {
            version: VERSION,
            id: "1".into(),
            org: "crew".parse().unwrap(),
            project: "demo".parse().unwrap(),
            patch: "a".repeat(40).parse().unwrap(),
            revision: "b".repeat(40).parse().unwrap(),
            at: Timestamp(1_000_000_000),
        };
        let minutes = |n: i64| Timestamp(wish.at.0 + n * 60 * 1000);
        for (after, counts) in [(-3, false), (-2, true), (0, true), (10, true), (12, true), (13, false)] {
            assert_eq!(wish.counts_at(minutes(after), VALID_MS, 2 * 60 * 1000), counts, "{after} minutes later");
        }
        assert!(wish.counts_at(Timestamp(i64::MAX), u64::MAX, 0), "however long it takes");
        assert!(!wish.counts_at(Timestamp(i64::MIN), VALID_MS, 0) && !wish.counts_at(Timestamp(i64::MAX), VALID_MS, 0));
    }
}
