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
