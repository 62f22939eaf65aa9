//! The clock: the one place that asks what time it is.

use crate::fault;
use domain::{LeaseId, RunId, Timestamp, lend::LocalTime};

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

fn ulid() -> String {
    ulid::Ulid::generate().to_string()
}
