//! A journal as an older Meshwork left it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A harness fails its test.

use std::path::Path;

/// Makes a journal that nothing uses one of form 2, which had no blobs of its own, did not list by themselves the stop orders that count
/// and the runs that have not ended, and did not say how it was projected.
pub fn age_journal(file: &Path) {
    let older =
        "DELETE FROM projected WHERE kind IN ('halt', 'active'); DROP TABLE parked; DROP TABLE projected_by; PRAGMA user_version=2;";
    sqlite::open(file).unwrap().execute(older).unwrap();
}
