//! The clock: the one place that asks what time it is.

use crate::fault;
use domain::{LeaseId, RunId, Timestamp, lend::LocalTime};
use std::sync::{Mutex, PoisonError};
use ulid::Generator;

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

/// A new id, which sorts after all that were made here before: so runs start in the order in which they were queued.
fn ulid() -> String {
    static IDS: Mutex<Generator> = Mutex::new(Generator::new());
    let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    ids.generate().unwrap_or_else(|full| full.commit_overflow_random()).to_string()
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
