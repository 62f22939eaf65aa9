//! What this device agreed with each of the others for as long as both run: a key, so that a datagram needs no signature, which costs
//! a hundred times as much. Knows neither sockets nor the form of datagrams.
//!
//! A signed datagram carries the public half of its sender's secret, and the one that it has of whom it is sent to. Who finds its own in
//! there knows that the other can check what is keyed, and signs to it no more but every [`limits::SIGN_AGAIN`]. So one that was
//! started again, and has another secret, is understood again, whoever of the two speaks first. A secret is told by a signed datagram alone,
//! and an older one never counts again, so who knows none of the two secrets can make no datagram.

use crate::limits;
use identity::{Agreement, SharedKey};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// For what the keys are.
const PURPOSE: &str = "meshwork gossip datagrams 1";
/// Stands for the public half of whom nothing was heard.
pub(super) const NOBODY: [u8; 32] = [0; 32];

/// A device, by its public key.
pub(super) type Device = [u8; 32];

/// What was agreed with all others. Shared by who seals and who opens.
#[derive(Clone)]
pub(super) struct Sessions {
    device: Device,
    all: Arc<Mutex<All>>,
}

struct All {
    own: Agreement,
    with: HashMap<Device, Session>,
    /// Who was heard from where.
    places: HashMap<SocketAddr, Place>,
}

/// What was agreed with one device.
struct Session {
    public: [u8; 32],
    /// The stamp of the latest signed datagram.
    stamp: u64,
    /// None where it told a half that makes no secret.
    key: Option<Arc<SharedKey>>,
    /// Whether it knows our half.
    knows_us: bool,
}

struct Place {
    device: Device,
    /// When something signed was sent there last, or the device was first heard from there.
    signed: Instant,
}

/// How a datagram is to be sealed.
pub(super) enum Seal {
    /// Signed, with our half and the one of whom it is for.
    Signed {
        own: [u8; 32],
        heard: [u8; 32],
    },
    Keyed(Arc<SharedKey>),
}

impl Sessions {
    pub(super) fn new(own: Agreement) -> Self {
        Self { device: own.name(), all: Arc::new(Mutex::new(All { own, with: HashMap::new(), places: HashMap::new() })) }
    }

    /// Whether it is this device itself.
    pub(super) fn is_own(&self, device: &Device) -> bool {
        self.device == *device
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How what is sent to this address now is to be sealed.
    pub(super) fn seal(&self, to: SocketAddr) -> Seal {
        let mut all = self.all();
        let All { own, with, places } = &mut *all;
        let own = own.public();
        let Some(place) = places.get_mut(&to) else { return Seal::Signed { own, heard: NOBODY } };
        let Some(session) = with.get(&place.device) else { return Seal::Signed { own, heard: NOBODY } };
        let signed_lately = place.signed.elapsed() < limits::SIGN_AGAIN;
        match &session.key {
            Some(key) if session.knows_us && signed_lately => Seal::Keyed(key.clone()),
            _ => {
                place.signed = Instant::now();
                Seal::Signed { own, heard: session.public }
            }
        }
    }

    /// Takes what a device said of itself in a signed datagram: its half, and the one that it has of us.
    pub(super) fn signed(&self, device: Device, from: SocketAddr, public: [u8; 32], heard: [u8; 32], stamp: u64) {
        let mut all = self.all();
        let ours = heard == all.own.public();
        match all.with.get_mut(&device) {
            Some(session) if session.public == public => {
                session.stamp = session.stamp.max(stamp);
                session.knows_us |= ours;
            }
            // Of an earlier start.
            Some(session) if session.stamp > stamp => return,
            _ => {
                let key = all.own.with(&public, &device, PURPOSE).map(Arc::new);
                all.with.insert(device, Session { public, stamp, key, knows_us: ours });
            }
        }
        all.seen(device, from);
    }

    /// The key by which a device's datagrams are to be checked.
    pub(super) fn key(&self, device: &Device) -> Option<Arc<SharedKey>> {
        self.all().with.get(device)?.key.clone()
    }

    /// A device used the key: it knows our half.
    pub(super) fn used(&self, device: Device, from: SocketAddr) {
        let mut all = self.all();
        if let Some(session) = all.with.get_mut(&device) {
            session.knows_us = true;
        }
        all.seen(device, from);
    }

    /// Forgets a device that belongs to the org no more.
    pub(super) fn forget(&self, device: &Device) {
        let mut all = self.all();
        all.with.remove(device);
        all.places.retain(|_, place| place.device != *device);
    }
}

impl All {
    fn seen(&mut self, device: Device, from: SocketAddr) {
        if self.places.get(&from).is_some_and(|place| place.device == device) {
            return;
        }
        // Beyond any org's size: a member changes its address all the time. Others are signed to once more.
        if self.places.len() >= limits::PLACES_MAX {
            self.places.clear();
        }
        self.places.insert(from, Place { device, signed: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: Device = [1; 32];
    const TWO: Device = [2; 32];

    fn started(device: Device) -> Sessions {
        Sessions::new(Agreement::generate(device).unwrap())
    }

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn public(of: &Sessions) -> [u8; 32] {
        of.all().own.public()
    }

    /// Sends something from one to another; gives whether it was keyed.
    fn send(from: (&Sessions, Device, u16), to: (&Sessions, u16), stamp: u64) -> bool {
        match from.0.seal(at(to.1)) {
            Seal::Signed { own, heard } => to.0.signed(from.1, at(from.2), own, heard, stamp),
            Seal::Keyed(key) => {
                let proof = key.prove(b"message");
                assert!(to.0.key(&from.1).unwrap().proves(b"message", &proof));
                to.0.used(from.1, at(from.2));
                return true;
            }
        }
        false
    }

    #[test]
    fn two_sign_until_each_knows_that_the_other_can_check_keys_and_begin_anew_with_a_new_start() {
        let (one, two) = (started(ONE), started(TWO));
        assert!(!send((&one, ONE, 1), (&two, 2), 1));
        assert!(!send((&two, TWO, 2), (&one, 1), 1));
        assert!(send((&one, ONE, 1), (&two, 2), 2));
        assert!(send((&two, TWO, 2), (&one, 1), 2));
        // What was signed in an earlier start of it changes nothing.
        let before = public(&two);
        one.signed(TWO, at(2), [9; 32], NOBODY, 0);
        assert_eq!(one.all().with[&TWO].public, before);
        let again = started(TWO);
        assert!(again.key(&ONE).is_none());
        assert!(!send((&again, TWO, 2), (&one, 1), 3));
        assert!(!send((&one, ONE, 1), (&again, 2), 3), "it cannot know the key yet");
        assert!(send((&again, TWO, 2), (&one, 1), 4));
        assert!(send((&one, ONE, 1), (&again, 2), 4));
    }

    #[test]
    fn who_is_no_member_any_more_and_who_tells_no_secret_gets_no_key() {
        let (one, two) = (started(ONE), started(TWO));
        let heard = public(&one);
        one.signed(TWO, at(2), NOBODY, heard, 1);
        assert!(matches!(one.seal(at(2)), Seal::Signed { .. }) && one.key(&TWO).is_none());
        one.signed(TWO, at(2), public(&two), heard, 2);
        assert!(one.key(&TWO).is_some());
        one.forget(&TWO);
        assert!(one.key(&TWO).is_none() && one.all().places.is_empty());
        assert!(matches!(one.seal(at(2)), Seal::Signed { heard: NOBODY, .. }));
    }

    #[test]
    fn addresses_are_forgotten_where_there_are_too_many() {
        let (one, two) = (started(ONE), started(TWO));
        let (heard, public) = (public(&one), public(&two));
        for n in 0..limits::PLACES_MAX {
            let from = SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 1));
            one.signed(TWO, from, public, heard, 1);
        }
        assert_eq!(one.all().places.len(), limits::PLACES_MAX);
        one.signed(TWO, at(2), public, heard, 1);
        assert_eq!(one.all().places.len(), 1);
    }
}
