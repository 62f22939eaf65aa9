//! What gossip dropped, counted by reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why something that came was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Oversized,
    Malformed,
    Version,
    Org,
    Stranger,
    Stale,
    Replayed,
    Signature,
    Session,
    Forged,
    Outdated,
}

/// How much was dropped since the start, by reason. All but the last two count datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Too large.
    pub oversized: u64,
    /// Not of the form, or not a message of chitchat.
    pub malformed: u64,
    /// Of a version that is too old.
    pub version: u64,
    /// Of another org.
    pub org: u64,
    /// From a key that the org does not list.
    pub stranger: u64,
    /// By its time too old, or of the future.
    pub stale: u64,
    /// Came before, is older than the latest of its sender, or was sent by this device itself.
    pub replayed: u64,
    /// Not signed by the key that it names, nor proved by what was agreed with it.
    pub signature: u64,
    /// Proved by something that was agreed with an earlier start of this device. Its sender soon signs again.
    pub session: u64,
    /// Announcements that are not what a device of this org signed about itself.
    pub forged: u64,
    /// Announcements with a lower number than one that was heard before.
    pub outdated: u64,
}

impl Dropped {
    /// Each reason by its name, with its count: for metrics.
    pub fn by_reason(&self) -> [(&'static str, u64); 11] {
        [
            ("oversized", self.oversized),
            ("malformed", self.malformed),
            ("version", self.version),
            ("org", self.org),
            ("stranger", self.stranger),
            ("stale", self.stale),
            ("replayed", self.replayed),
            ("signature", self.signature),
            ("session", self.session),
            ("forged", self.forged),
            ("outdated", self.outdated),
        ]
    }
}

/// Counts while it goes on.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 11]);

impl Counters {
    pub(super) fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> Dropped {
        let of = |reason: Reason| self.0[reason as usize].load(Ordering::Relaxed);
        Dropped {
            oversized: of(Reason::Oversized),
            malformed: of(Reason::Malformed),
            version: of(Reason::Version),
            org: of(Reason::Org),
            stranger: of(Reason::Stranger),
            stale: of(Reason::Stale),
            replayed: of(Reason::Replayed),
            signature: of(Reason::Signature),
            session: of(Reason::Session),
            forged: of(Reason::Forged),
            outdated: of(Reason::Outdated),
        }
    }
}
