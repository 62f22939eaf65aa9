//! The form of a datagram: who sent it, for which org, when, and a proof of all of it. Knows neither sockets nor what is inside.
//!
//! `MWgossip`, the version of the protocol, kind, part and parts (1 byte each), stamp (8 bytes, big endian), the stamp of what it answers
//! or 0 (8), the sender's public key (32), the org's name with its length before it (1). Then, where the kind is 0: the public half of the
//! sender's secret, and the one that it has of the receiver (32 each), the message or its part, and the sender's Ed25519 signature (64)
//! over everything before. Where it is 1: the message or its part, and a proof (32) over everything before by the key that the two agreed
//! on ([`super::sessions`]).
//!
//! **Versions** are those of [`crate::VERSION`], and one that is too old is dropped. A newer one keeps this form, and says what it adds in
//! what is announced; a form that is not read here begins otherwise. Which device is kept out for its version is found out and said by a
//! probe: of a datagram that is dropped nobody has proved who sent it.
//!
//! **Stamps** are time and counter in one: the sender's clock in 1/1024 ms, and at least one more than its last stamp. What is further from
//! the receiver's clock than [`CLOCKS_DIFFER_MS`] is dropped; so is what the receiver sent itself, what came before, and what is older than
//! all that is remembered of its sender. So a datagram that is signed can be replayed only to a device that started after it was sent, or
//! that it was not meant for, and for two minutes. It tells nothing there that is not signed and numbered, but who was alive; the answer to
//! it goes to whoever sent the replay. A sender whose clock was set back within two minutes before a restart is not heard until it has
//! caught up, four minutes at most.

use super::{
    dropped::Reason,
    sessions::{Device, Seal, Sessions},
    trips::RoundTrips,
};
use crate::limits;
use domain::{Did, OrgName, Problem};
use identity::{
    agreement::PROOF_BYTES,
    certificate::{Clock, Sign},
    limits::CLOCKS_DIFFER_MS,
};
use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Whether a device belongs to the org now.
pub(super) type Member = Arc<dyn Fn(&Did) -> bool + Send + Sync>;

const MAGIC: &[u8; 8] = b"MWgossip";
/// The kinds.
const SIGNED: u8 = 0;
const KEYED: u8 = 1;
const SIGNATURE_BYTES: usize = 64;
/// Everything but the org's name, which has 64 bytes at most, and the message; of the larger kind.
const FIXED_BYTES: usize = MAGIC.len() + 4 + 8 + 8 + 32 + 1 + 32 + 32 + SIGNATURE_BYTES;
/// The largest datagram that is made.
pub(super) const BYTES_MAX: usize = limits::PART_BYTES_MAX + FIXED_BYTES + 64;
/// Stamps in a millisecond, as a power of two.
const STAMP_BITS: u32 = 10;

/// Makes datagrams in the name of this device.
pub(super) struct Sealer {
    org: OrgName,
    public: [u8; 32],
    sign: Sign,
    sessions: Sessions,
    now: Clock,
    last: AtomicU64,
}

impl Sealer {
    pub(super) fn new(org: OrgName, device: &Did, sign: Sign, sessions: Sessions, now: Clock) -> Result<Self, Problem> {
        // A key that is not the one that was named shows here, not by the silence of all others.
        if !identity::verify(device, MAGIC, &sign(MAGIC)?) {
            return Err(Problem::internal(format!("the signature for gossip was not made by {device}")));
        }
        Ok(Self { org, public: identity::public_key(device)?, sign, sessions, now, last: AtomicU64::new(0) })
    }

    /// The datagrams that carry a message to an address: one, or two where it is too large for one. `answers` is the stamp of what it
    /// answers, or 0.
    pub(super) fn seal(&self, to: SocketAddr, answers: u64, message: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
        let parts: Vec<&[u8]> = if message.is_empty() { vec![message] } else { message.chunks(limits::PART_BYTES_MAX).collect() };
        let count = u8::try_from(parts.len()).ok().filter(|count| *count <= 2);
        let count = count.ok_or_else(|| Problem::internal(format!("a gossip message of {} bytes", message.len())))?;
        let (first, seal) = (self.stamps(u64::from(count)), self.sessions.seal(to));
        (0..count).zip(parts).map(|(at, part)| self.one((at, count), (first + u64::from(at), answers), &seal, part)).collect()
    }

    fn one(&self, (at, count): (u8, u8), (stamp, answers): (u64, u64), seal: &Seal, part: &[u8]) -> Result<Vec<u8>, Problem> {
        let org = self.org.as_str().as_bytes();
        let kind = if matches!(seal, Seal::Signed { .. }) { SIGNED } else { KEYED };
        let mut bytes = Vec::with_capacity(FIXED_BYTES + org.len() + part.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[u8::try_from(crate::spoken()).map_err(Problem::internal)?, kind, at, count]);
        bytes.extend_from_slice(&stamp.to_be_bytes());
        bytes.extend_from_slice(&answers.to_be_bytes());
        bytes.extend_from_slice(&self.public);
        bytes.push(u8::try_from(org.len()).map_err(Problem::internal)?);
        bytes.extend_from_slice(org);
        match seal {
            Seal::Signed { own, heard } => {
                bytes.extend_from_slice(own);
                bytes.extend_from_slice(heard);
                bytes.extend_from_slice(part);
                let signature = (self.sign)(&bytes)?;
                bytes.extend_from_slice(&signature);
            }
            Seal::Keyed(key) => {
                bytes.extend_from_slice(part);
                let proof = key.prove(&bytes);
                bytes.extend_from_slice(&proof);
            }
        }
        Ok(bytes)
    }

    /// The first of `count` new stamps. Where the last one is far ahead of the clock, the clock was wrong then: it is begun from the clock.
    fn stamps(&self, count: u64) -> u64 {
        let clock = stamp_of((self.now)().0);
        let next = |last: u64| {
            let far_ahead = last > clock.saturating_add(CLOCKS_DIFFER_MS << STAMP_BITS);
            if far_ahead { clock } else { clock.max(last.saturating_add(1)) }
        };
        let step = |last: u64| Some(next(last).saturating_add(count - 1));
        next(self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).unwrap_or_else(|last| last))
    }
}

fn stamp_of(time_ms: i64) -> u64 {
    u64::try_from(time_ms).unwrap_or(0) << STAMP_BITS
}

/// Opens datagrams of others, and remembers of each what came.
pub(super) struct Opener {
    org: OrgName,
    member: Member,
    sessions: Sessions,
    trips: RoundTrips,
    now: Clock,
    senders: HashMap<Device, Sender>,
}

/// A message that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Came {
    /// By which an answer names it.
    pub(super) stamp: u64,
    pub(super) message: Vec<u8>,
}

/// What is remembered of a sender.
struct Sender {
    did: Did,
    latest: BTreeSet<u64>,
    /// Nothing up to here counts any more.
    floor: u64,
    /// The half of a message that waits for the other: its first stamp, which half, and what is in it.
    half: Option<(u64, u8, Vec<u8>)>,
}

/// A datagram as it is read, before anything of it is believed.
struct Read<'a> {
    part: u8,
    parts: u8,
    stamp: u64,
    answers: u64,
    public: Device,
    org: &'a [u8],
    message: &'a [u8],
    /// What the proof is over.
    proved: &'a [u8],
    proof: Proof<'a>,
}

enum Proof<'a> {
    Signed { own: [u8; 32], heard: [u8; 32], signature: &'a [u8] },
    Keyed(&'a [u8; PROOF_BYTES]),
}

impl Opener {
    pub(super) fn new(org: OrgName, member: Member, sessions: Sessions, trips: RoundTrips, now: Clock) -> Self {
        Self { org, member, sessions, trips, now, senders: HashMap::new() }
    }

    /// The message that a datagram carries; none where its other half has not come yet. What is cheap to tell is told first.
    pub(super) fn open(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<Option<Came>, Reason> {
        if datagram.len() > BYTES_MAX {
            return Err(Reason::Oversized);
        }
        let read = read(datagram)?;
        if read.org != self.org.as_str().as_bytes() {
            return Err(Reason::Org);
        }
        // Somebody sends back what this device sent.
        if self.sessions.is_own(&read.public) {
            return Err(Reason::Replayed);
        }
        let known = self.senders.get(&read.public);
        let did = known.map_or_else(|| identity::did(&read.public), |sender| sender.did.clone());
        if !(self.member)(&did) {
            self.forget(&read.public);
            return Err(Reason::Stranger);
        }
        let now = stamp_of((self.now)().0);
        if read.stamp.abs_diff(now) > CLOCKS_DIFFER_MS << STAMP_BITS {
            return Err(Reason::Stale);
        }
        if known.is_some_and(|sender| read.stamp <= sender.floor || sender.latest.contains(&read.stamp)) {
            return Err(Reason::Replayed);
        }
        self.prove(&did, from, &read)?;
        if read.answers > 0 && read.part == 0 {
            self.trips.note(read.public, now.saturating_sub(read.answers) as f32 / (1 << STAMP_BITS) as f32);
        }
        Ok(self.sender(read.public, did).take(&read))
    }

    fn prove(&self, did: &Did, from: SocketAddr, read: &Read<'_>) -> Result<(), Reason> {
        match read.proof {
            Proof::Signed { own, heard, signature } => {
                if !identity::verify(did, read.proved, signature) {
                    return Err(Reason::Signature);
                }
                self.sessions.signed(read.public, from, own, heard, read.stamp);
            }
            Proof::Keyed(proof) => {
                if !self.sessions.key(&read.public).ok_or(Reason::Session)?.proves(read.proved, proof) {
                    return Err(Reason::Signature);
                }
                self.sessions.used(read.public, from);
            }
        }
        Ok(())
    }

    fn forget(&mut self, device: &Device) {
        if self.senders.remove(device).is_some() {
            self.sessions.forget(device);
            self.trips.forget(device);
        }
    }

    /// Only members get a place, so there are never more than the org lists.
    fn sender(&mut self, public: [u8; 32], did: Did) -> &mut Sender {
        if !self.senders.contains_key(&public) {
            let gone: Vec<Device> = self.senders.iter().filter(|(_, sender)| !(self.member)(&sender.did)).map(|(of, _)| *of).collect();
            gone.iter().for_each(|device| self.forget(device));
        }
        self.senders.entry(public).or_insert_with(|| Sender { did, latest: BTreeSet::new(), floor: 0, half: None })
    }
}

impl Sender {
    fn take(&mut self, read: &Read<'_>) -> Option<Came> {
        self.latest.insert(read.stamp);
        if self.latest.len() > limits::DATAGRAMS_REMEMBERED
            && let Some(oldest) = self.latest.pop_first()
        {
            self.floor = oldest;
        }
        let stamp = read.stamp - u64::from(read.part);
        if read.parts == 1 {
            return Some(Came { stamp, message: read.message.to_vec() });
        }
        let message = match self.half.take() {
            Some((of, 0, begin)) if of == stamp && read.part == 1 => [&begin[..], read.message].concat(),
            Some((of, 1, end)) if of == stamp && read.part == 0 => [read.message, &end[..]].concat(),
            // Of another message, whose other half is lost then.
            _ => {
                self.half = Some((stamp, read.part, read.message.to_vec()));
                return None;
            }
        };
        Some(Came { stamp, message })
    }
}

fn read(datagram: &[u8]) -> Result<Read<'_>, Reason> {
    let rest = datagram.strip_prefix(MAGIC).ok_or(Reason::Malformed)?;
    let (&[version], rest) = rest.split_first_chunk::<1>().ok_or(Reason::Malformed)?;
    crate::understood(version.into()).map_err(|_| Reason::Version)?;
    let (&[kind, part, parts], rest) = rest.split_first_chunk::<3>().ok_or(Reason::Malformed)?;
    let (stamp, rest) = rest.split_first_chunk::<8>().ok_or(Reason::Malformed)?;
    let (answers, rest) = rest.split_first_chunk::<8>().ok_or(Reason::Malformed)?;
    let (&public, rest) = rest.split_first_chunk::<32>().ok_or(Reason::Malformed)?;
    let (&[length], rest) = rest.split_first_chunk::<1>().ok_or(Reason::Malformed)?;
    let (org, rest) = rest.split_at_checked(usize::from(length)).ok_or(Reason::Malformed)?;
    let (stamp, answers) = (u64::from_be_bytes(*stamp), u64::from_be_bytes(*answers));
    if parts == 0 || parts > 2 || part >= parts || stamp < u64::from(part) {
        return Err(Reason::Malformed);
    }
    let (message, proof, proof_bytes) = proven(kind, rest)?;
    let proved = &datagram[..datagram.len() - proof_bytes];
    Ok(Read { part, parts, stamp, answers, public, org, message, proved, proof })
}

/// The message, its proof, and how long that is.
fn proven(kind: u8, rest: &[u8]) -> Result<(&[u8], Proof<'_>, usize), Reason> {
    match kind {
        SIGNED => {
            let (&own, rest) = rest.split_first_chunk::<32>().ok_or(Reason::Malformed)?;
            let (&heard, rest) = rest.split_first_chunk::<32>().ok_or(Reason::Malformed)?;
            let (message, signature) = rest.split_last_chunk::<SIGNATURE_BYTES>().ok_or(Reason::Malformed)?;
            Ok((message, Proof::Signed { own, heard, signature }, SIGNATURE_BYTES))
        }
        KEYED => {
            let (message, proof) = rest.split_last_chunk::<PROOF_BYTES>().ok_or(Reason::Malformed)?;
            Ok((message, Proof::Keyed(proof), PROOF_BYTES))
        }
        _ => Err(Reason::Malformed),
    }
}

#[cfg(test)]
mod tests;
