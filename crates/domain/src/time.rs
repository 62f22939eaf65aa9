//! Moments, as milliseconds since 1970 (UTC). The clock itself is passed in by whoever has one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A span in whole milliseconds.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A moment: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `ms` milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// To the minute, for people: `2026-11-27 09:15 UTC`.
    pub fn minute(self) -> String {
        let text = |t: jiff::Timestamp| t.strftime("%Y-%m-%d %H:%M UTC").to_string();
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| "a moment that no calendar has".to_owned(), text)
    }

    /// As RFC 3339 in UTC, for people and for files in git.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| self.0.to_string(), |t| t.to_string())
    }
}
