//! Admission's answer: a lease, or a refusal with typed reasons.

use crate::{Did, Hash, LeaseId, RunId, Timestamp, placement::Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The bounded right to run one workload on one device. Renewed by heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// The run.
    pub run: RunId,
    /// The manifest that was admitted.
    pub manifest: Hash,
    /// The device that executes.
    pub device: Did,
    /// Ends then, unless renewed.
    pub until: Timestamp,
}

/// What `POST /schedule` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Admission {
    /// The device runs it.
    Leased {
        /// The lease.
        lease: Lease,
    },
    /// The device does not.
    Refused {
        /// Why; never empty.
        reasons: Vec<Refusal>,
    },
}

/// What is to be done about the lease of a run that this device executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing: it lasts.
    Lasts,
    /// It goes on until then, which is to be journaled.
    Renew(Timestamp),
    /// It is over: the runner was not heard of for so long. The run is to be ended.
    Over,
}

/// Looks at a lease that ends at `until`: its runner was heard of `silent_ms` ago, and a lease lasts `lease_ms` from then. It is renewed
/// once half of it is over.
pub fn beat(until: Option<Timestamp>, silent_ms: u64, now: Timestamp, lease_ms: u64) -> Beat {
    if silent_ms > lease_ms {
        return Beat::Over;
    }
    match until {
        Some(until) if until > now.plus_ms(lease_ms / 2) => Beat::Lasts,
        _ => Beat::Renew(now.plus_ms(lease_ms - silent_ms)),
    }
}

/// Whether a run that another device executes is lost: that device could not be reached just now, and was not heard of for longer than
/// a lease lasts.
pub fn is_lost(silent_ms: u64, lease_ms: u64, reached: Reached) -> bool {
    reached == Reached::No && silent_ms > lease_ms
}

/// What came of reaching a device directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It answered, or refused.
    Yes,
    /// Nothing came of it.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_when_half_of_it_is_over_and_ends_with_its_runner() {
        let at = |until: i64, silent_ms| beat(Some(Timestamp(until)), silent_ms, Timestamp(1_000), 100);
        assert_eq!((at(1_051, 0), at(1_051, 100)), (Beat::Lasts, Beat::Lasts));
        assert_eq!((at(1_050, 0), at(900, 30)), (Beat::Renew(Timestamp(1_100)), Beat::Renew(Timestamp(1_070))));
        assert_eq!((at(1_090, 101), beat(None, 0, Timestamp(0), 100)), (Beat::Over, Beat::Renew(Timestamp(100))));
    }

    #[test]
    fn a_run_is_lost_only_when_its_device_is_away_and_the_lease_over() {
        let table = [(101, Reached::No, true), (100, Reached::No, false), (101, Reached::Yes, false), (0, Reached::Yes, false)];
        for (silent_ms, reached, lost) in table {
            assert_eq!(is_lost(silent_ms, 100, reached), lost, "{silent_ms} {reached:?}");
        }
    }
}
