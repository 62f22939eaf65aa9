//! The clock: the one place that asks what time it is.

use crate::fault;
use domain::{LeaseId, RunId, Timestamp, lend::LocalTime};
use std::sync::{Mutex, PoisonError};
use ulid::Ulid;

/// Now.
pub fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond() + fault::clock_ahead_ms())
}

/// The moment of the week, by this machine's time zone.
pub(crate) fn local_time() -> LocalTime {
    let now = jiff::Zoned::now();
    let small = |part: i8| u16::try_from(part).unwrap_or_default();
    let weekday = u8::try_from(now.weekday().to_monday_zero_offset()).unwrap_or_default();
    LocalTime { weekday, minute: small(now.hour()) * 60 + small(now.minute()) }
}

/// A new run's id.
pub fn run_id() -> RunId {
    ulid().parse().unwrap_or_else(|_| unreachable!("a ULID is a run's id"))
}

/// A new lease's id.
pub fn lease_id() -> LeaseId {
    ulid().parse().unwrap_or_else(|_| unreachable!("a ULID is a lease's id"))
}

/// A new id, which sorts after all that were made here before: so runs start in the order in which they were queued. Each has a millisecond
/// of its own, since what follows that in an id is random.
fn ulid() -> String {
    static LAST_MS: Mutex<u64> = Mutex::new(0);
    let mut last_ms = LAST_MS.lock().unwrap_or_else(PoisonError::into_inner);
    let new = Ulid::generate();
    *last_ms = new.timestamp_ms().max(*last_ms + 1);
    Ulid::from_parts(*last_ms, new.random()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_moment_stand_in_the_order_in_which_they_were_made() {
        let made: Vec<RunId> = (0..1_000).map(|_| run_id()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
    }
}
