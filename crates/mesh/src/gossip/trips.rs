//! How long it takes to each device and back, as gossip finds out by the way: who answers a datagram says which one, and its stamp is
//! the time when it was sent. So nothing is sent for it, and no two clocks are compared.
//!
//! It is measured to a millisecond, with what both need for a message: enough to tell a neighbour from another continent. A device can
//! lie, and say that it is near.

use super::sessions::Device;
use crate::limits;
use domain::Did;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Of how much a new measurement counts: an eighth, as in TCP (RFC 6298).
const WEIGHT: f32 = 0.125;

/// The round trips to the other devices, as they are known now.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips(Arc<Mutex<HashMap<Device, f32>>>);

impl RoundTrips {
    /// How long it takes to a device and back lately, in milliseconds, from 1 on; none: it did not answer yet.
    pub fn ms(&self, device: &Did) -> Option<u32> {
        let device = identity::public_key(device).ok()?;
        let ms = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&device)?;
        // Never negative, and at most as long as what counts.
        Some((ms.ceil() as u32).max(1))
    }

    /// Takes a measurement in.
    pub(super) fn note(&self, device: Device, ms: f32) {
        if ms > limits::ROUND_TRIP_MAX_MS as f32 {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(device).and_modify(|known| *known += (ms - *known) * WEIGHT).or_insert(ms);
    }

    /// Forgets a device that belongs to the org no more.
    pub(super) fn forget(&self, device: &Device) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_smoothed_and_what_waited_somewhere_does_not_count() {
        let (trips, key) = (RoundTrips::default(), identity::Key::from_seed(&[1; 32]));
        let ms = || trips.ms(&key.did());
        assert_eq!(ms(), None);
        trips.note(key.public(), 0.0);
        assert_eq!(ms(), Some(1), "only this device itself is at 0");
        trips.note(key.public(), 80.0);
        assert_eq!(ms(), Some(10));
        trips.note(key.public(), 60_000.0);
        assert_eq!(ms(), Some(10));
        for _ in 0..100 {
            trips.note(key.public(), 42.0);
        }
        assert!((41..=42).contains(&ms().unwrap_or_default()));
        trips.forget(&key.public());
        assert_eq!(ms(), None);
    }
}
