//! The chain: what links an event to the one before, and what a device signs.
//!
//! All numbers are 64-bit big-endian; hashes are BLAKE3 in its key derivation mode, so that none of them can stand for
//! another:
//! - the hash of an event covers its incarnation, its number, the hash before it, and its canonical JSON;
//! - the hash before the first event of an incarnation covers the device, the incarnation, and the last number and hash
//!   that it goes on from (0 and zeros for the first);
//! - a signed head is the device's Ed25519 signature over a line of text, its did, the incarnation, the number and the hash.
//!
//! Numbers go on over incarnations. An incarnation is named by the moment it began in milliseconds (and is always greater
//! than the one before), so two journals that went on from one backup have different names, and never the same hashes.

use crate::piece::{Incarnation, Piece};
use domain::{Did, Hash, Problem, Timestamp, event::Event};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, LazyLock},
};

/// The number of an event in its device's journal: from 1, without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a device's journal: after this event. Of two places of one journal the later incarnation is the later one, whatever the
/// numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Point {
    /// The incarnation of the event; 0 before the first.
    pub incarnation: u64,
    /// The event's number; 0 before the first.
    pub seq: Seq,
}

/// An event as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// Its number.
    pub seq: Seq,
    /// The incarnation that it belongs to.
    pub incarnation: u64,
    /// Its hash.
    pub hash: Hash,
    /// Itself.
    #[serde(serialize_with = "shared")]
    pub event: Arc<Event>,
}

fn shared<S: serde::Serializer>(event: &Arc<Event>, to: S) -> Result<S::Ok, S::Error> {
    event.serialize(to)
}

/// The end of the journal now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The device whose journal it is.
    pub device: Did,
    /// The present incarnation.
    pub incarnation: u64,
    /// The last event's number; 0 when there is none.
    pub seq: Seq,
    /// The last event's hash; for an empty journal, the hash that the first event follows.
    pub hash: Hash,
}

impl Head {
    /// The place that it is.
    pub fn point(&self) -> Point {
        Point { incarnation: self.incarnation, seq: self.seq }
    }
}

/// A hash as bytes.
pub type Digest = [u8; 32];

/// Where a journal ends, and how it goes on: every hash and everything that is signed comes from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The device whose journal it is.
    pub device: Did,
    /// The present incarnation; 0 before the first.
    pub incarnation: u64,
    /// The last event's number; 0 when there is none.
    pub seq: Seq,
    /// The hash that the next event follows.
    pub hash: Digest,
}

impl Tail {
    /// Before everything.
    pub fn empty(device: Did) -> Self {
        Self { device, incarnation: 0, seq: Seq(0), hash: Digest::default() }
    }

    /// The place that it is.
    pub fn point(&self) -> Point {
        Point { incarnation: self.incarnation, seq: self.seq }
    }

    /// Begins a new incarnation at a moment, in milliseconds since 1970: a journal's first, or the one that goes on after a restore.
    pub fn begin(&mut self, now_ms: u64) -> Incarnation {
        let number = now_ms.max(self.incarnation + 1);
        let begun = Incarnation { number, after: self.seq, after_hash: self.hash };
        (self.incarnation, self.hash) = (number, genesis(&self.device, number, self.seq, &self.hash));
        begun
    }

    /// Enters the incarnation that begins with this piece, which was found in its place.
    pub fn follow(&mut self, first: &Piece) {
        (self.incarnation, self.hash) = (first.incarnation.number, first.previous);
    }

    /// Goes on with one event more, given as its canonical JSON.
    pub fn take(&mut self, payload: &[u8]) {
        let seq = Seq(self.seq.0 + 1);
        (self.hash, self.seq) = (event_hash(self.incarnation, seq, &self.hash, payload), seq);
    }

    /// What the device signs, so that this is a head of its journal.
    pub fn message(&self) -> Vec<u8> {
        head_message(&self.device, self.incarnation, self.seq, &self.hash)
    }

    pub(crate) fn head(&self) -> Result<Head, Problem> {
        Ok(Head { device: self.device.clone(), incarnation: self.incarnation, seq: self.seq, hash: shown(&self.hash)? })
    }
}

static EVENT: LazyLock<blake3::Hasher> = LazyLock::new(|| blake3::Hasher::new_derive_key("meshwork 2026-01 journal event"));
static GENESIS: LazyLock<blake3::Hasher> = LazyLock::new(|| blake3::Hasher::new_derive_key("meshwork 2026-01 journal incarnation"));

/// The hash of an event.
pub(crate) fn event_hash(incarnation: u64, seq: Seq, previous: &Digest, payload: &[u8]) -> Digest {
    let mut hasher = EVENT.clone();
    hasher.update(&incarnation.to_be_bytes()).update(&seq.0.to_be_bytes()).update(previous).update(payload);
    *hasher.finalize().as_bytes()
}

/// The hash that the first event of an incarnation follows.
pub(crate) fn genesis(device: &Did, incarnation: u64, after: Seq, hash: &Digest) -> Digest {
    let mut hasher = GENESIS.clone();
    // A did has a fixed length.
    hasher.update(device.as_str().as_bytes()).update(&incarnation.to_be_bytes()).update(&after.0.to_be_bytes()).update(hash);
    *hasher.finalize().as_bytes()
}

/// What a device signs for a head.
pub(crate) fn head_message(device: &Did, incarnation: u64, seq: Seq, hash: &Digest) -> Vec<u8> {
    let text = format!("meshwork journal head 1\n{device}\n");
    [text.as_bytes(), &incarnation.to_be_bytes(), &seq.0.to_be_bytes(), hash].concat()
}

/// A hash in the form in which it is shown.
pub(crate) fn shown(digest: &Digest) -> Result<Hash, Problem> {
    blake3::Hash::from_bytes(*digest).to_hex().as_str().parse()
}

/// The system's clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
