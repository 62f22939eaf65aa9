//! What speaks for a device, in points.
//!
//! Data that is there weighs most: a clone of a large repository takes longer than anything else here. Then load is spread (share):
//! these are people's machines, an agent's builds use what they find, and a machine that is reclaimed or vanishes should take few runs
//! with it. Packing tightly would save nothing, since nobody turns machines off. What packing is good for, keeping large room for large
//! things, is had by *size* and not by load (fit): small work goes to small machines, and a machine's GPUs are left to work that
//! needs them, while among machines of one size the emptier is taken.
//!
//! All points are even but those for an own device: so that one wins among equals, and never over a better one.

use super::{Candidate, Request};
use crate::capacity::{Capacity, Resources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The repository is there.
pub(super) const DATA_POINTS: u32 = 100;
/// The repository was used last there.
pub(super) const WARM_POINTS: u32 = 20;
/// All that it lends is free.
const SHARE_POINTS: u32 = 60;
/// For each halving of a machine's size, down to what is asked.
const FIT_STEP_POINTS: u32 = 8;
/// How many halvings count.
const FIT_STEPS: i16 = 5;
/// The most points for a size.
pub(super) const FIT_POINTS_MAX: u32 = FIT_STEP_POINTS * FIT_STEPS.unsigned_abs() as u32;
/// The device is the member's own.
pub(super) const OWN_POINTS: u32 = 1;

/// What speaks for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Merit {
    /// Its size suits the work: larger machines, and those with GPUs, are left to what needs them.
    Fit,
    /// The repository is in its storage.
    Data,
    /// It worked on this repository last: its engine and its caches are warm.
    Warm,
    /// Much of what it lends is free: the load is shared fairly among those who lend.
    Share,
    /// It is near.
    Distance,
    /// It is the member's own.
    Own,
}

impl Merit {
    /// In words for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::Fit => "its size suits the work",
            Self::Data => "the repository is there",
            Self::Warm => "it worked on this repository last",
            Self::Share => "much of what it lends is free",
            Self::Distance => "it is near",
            Self::Own => "it is the member's own",
        }
    }
}

/// A part of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// What speaks for the device.
    pub what: Merit,
    /// How much.
    pub points: u32,
}

/// All parts of a device's score.
pub(super) fn parts(request: &Request<'_>, candidate: &Candidate) -> Vec<Part> {
    let repository = request.manifest.work.repository();
    let given = |there: bool, points: u32| if there { points } else { 0 };
    [
        (Merit::Fit, Asked::of(request.manifest.resources).fit(Size::of(candidate.capacity.total))),
        (Merit::Data, given(candidate.repositories.contains(repository), DATA_POINTS)),
        (Merit::Warm, given(candidate.warm().contains(repository), WARM_POINTS)),
        (Merit::Share, share(&candidate.capacity)),
        (Merit::Distance, distance(candidate.round_trip_ms)),
        (Merit::Own, given(candidate.owner == request.member, OWN_POINTS)),
    ]
    .map(|(what, points)| Part { what, points })
    .into()
}

/// The points that a device has whatever is asked.
pub(super) fn standing(candidate: &Candidate) -> u32 {
    share(&candidate.capacity) + distance(candidate.round_trip_ms)
}

/// By what of it is free, of that which is scarcest.
fn share(capacity: &Capacity) -> u32 {
    let percent = |free: u64, total: u64| free.min(total).saturating_mul(100).checked_div(total).unwrap_or(100);
    let (free, total) = (capacity.free, capacity.total);
    let scarcest = percent(capacity.slots_free.into(), capacity.slots.into())
        .min(percent(free.cpu_milli, total.cpu_milli))
        .min(percent(free.memory_bytes, total.memory_bytes));
    u32::try_from(scarcest).unwrap_or(0).min(100) * SHARE_POINTS / 200 * 2
}

/// By the round trip; one that is not known counts as far. In steps, so that what it varies by makes no difference.
fn distance(round_trip_ms: Option<u32>) -> u32 {
    match round_trip_ms {
        // It is the one that asks: nothing has to be sent.
        Some(0) => 40,
        Some(1..=2) => 34,
        Some(3..=10) => 30,
        Some(11..=50) => 20,
        Some(51..=150) => 10,
        Some(_) | None => 0,
    }
}

/// How large a device is: for each resource how many binary digits its amount has, so that one more is twice as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    cpu: u8,
    memory: u8,
    disk: u8,
    gpus: u8,
}

impl Size {
    pub(super) fn of(total: Resources) -> Self {
        Self {
            cpu: digits(total.cpu_milli),
            memory: digits(total.memory_bytes),
            disk: digits(total.disk_bytes),
            gpus: digits(total.gpus.into()),
        }
    }
}

fn digits(amount: u64) -> u8 {
    u8::try_from(u64::BITS - amount.leading_zeros()).unwrap_or(0)
}

/// How much is asked, in the same measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    cpu: i16,
    memory: i16,
    disk: i16,
    gpus: i16,
}

/// What is not asked for is no measure: every device has so much more of it that another resource decides.
const NOT_ASKED: i16 = -64;

impl Asked {
    pub(super) fn of(asked: Resources) -> Self {
        let size = Size::of(asked);
        let of = |digits: u8| if digits == 0 { NOT_ASKED } else { i16::from(digits) };
        Self { cpu: of(size.cpu), memory: of(size.memory), disk: of(size.disk), gpus: of(size.gpus) }
    }

    /// The points for a device of some size: by how often it can be halved and still be as large as what is asked, in the resource of
    /// which it has least.
    pub(super) fn fit(self, size: Size) -> u32 {
        let spare = (i16::from(size.cpu) - self.cpu)
            .min(i16::from(size.memory) - self.memory)
            .min(i16::from(size.disk) - self.disk)
            .min(i16::from(size.gpus) - self.gpus);
        let idle_gpus = (size.gpus > 0) & (self.gpus == NOT_ASKED);
        let steps = if idle_gpus { 0 } else { FIT_STEPS - spare.clamp(0, FIT_STEPS) };
        u32::from(steps.unsigned_abs()) * FIT_STEP_POINTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(cpu_milli: u64, gpus: u32) -> Resources {
        Resources { cpu_milli, gpus, ..Resources::default() }
    }

    #[test]
    fn small_work_suits_small_machines_and_gpus_are_left_to_what_needs_them() {
        for (asked, total, points) in [
            (cpu(2_000, 0), cpu(2_000, 0), 40),
            (cpu(2_000, 0), cpu(4_000, 0), 32),
            (cpu(2_000, 0), cpu(16_000, 0), 16),
            (cpu(2_000, 0), cpu(128_000, 0), 0),
            (cpu(2_000, 0), cpu(2_000, 1), 0),
            (cpu(2_000, 1), cpu(4_000, 1), 40),
            (cpu(0, 0), cpu(4_000, 0), 0),
        ] {
            assert_eq!(Asked::of(asked).fit(Size::of(total)), points, "{asked:?} on {total:?}");
        }
    }

    #[test]
    fn nearer_is_better_and_not_known_is_far() {
        let points = [Some(0), Some(1), Some(5), Some(30), Some(100), Some(900), None].map(distance);
        assert_eq!(points, [40, 34, 30, 20, 10, 0, 0]);
    }
}
