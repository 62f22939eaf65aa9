//! The clock: the one place that asks what time it is.

use domain::{LeaseId, RunId, Timestamp};

/// Now.
pub fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
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
