//! What a device has, what of it is free, and what a workload asks for.

use crate::manifest::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An amount of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Thousandths of a processor core.
    pub cpu_milli: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Disk, in bytes.
    pub disk_bytes: u64,
    /// Whole GPUs.
    pub gpus: u32,
}

impl Resources {
    /// What is left after `taken`; never below nothing.
    #[must_use]
    pub fn minus(self, taken: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_sub(taken.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_sub(taken.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_sub(taken.disk_bytes),
            gpus: self.gpus.saturating_sub(taken.gpus),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_add(other.disk_bytes),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }

    /// The first resource of which `asked` wants more than there is, with what is there and what was asked.
    pub fn lacks(self, asked: Self) -> Option<(&'static str, u64, u64)> {
        [
            ("cpu_milli", self.cpu_milli, asked.cpu_milli),
            ("memory_bytes", self.memory_bytes, asked.memory_bytes),
            ("disk_bytes", self.disk_bytes, asked.disk_bytes),
            ("gpus", u64::from(self.gpus), u64::from(asked.gpus)),
        ]
        .into_iter()
        .find(|(_, have, want)| want > have)
    }
}

/// Where a device runs things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Bubblewrap on this machine.
    Local,
    /// A cluster.
    Kubernetes,
}

/// A device's announcement of itself: a hint; its own admission decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Everything that the device lends to the mesh.
    pub total: Resources,
    /// What is not reserved by a lease now.
    pub free: Resources,
    /// Tags, as `gpu:true` or `region:ap-southeast-2`.
    pub tags: BTreeMap<String, String>,
    /// Where it can run things; a runtime that cannot work here is absent.
    pub runtimes: Vec<Runtime>,
    /// Classes that it accepts.
    pub classes: Vec<Class>,
    /// How many runs it executes at once at most.
    pub slots: u32,
    /// How many of those are free now.
    pub slots_free: u32,
}
