//! What a device has, what of it is free, and what a workload asks for.

use crate::{
    manifest::Class,
    run::{Run, RunState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

// Fields that are not known are refused, since a manifest asks for these too. So a newer build announces a further one beside them.
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

    /// Whether `asked` wants more of something than there is.
    pub fn lacks(self, asked: Self) -> bool {
        self.lacking(asked).next().is_some()
    }

    /// The resources of which `asked` wants more than there is, each with what is there and what was asked.
    pub fn lacking(self, asked: Self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        [
            ("cpu_milli", self.cpu_milli, asked.cpu_milli),
            ("memory_bytes", self.memory_bytes, asked.memory_bytes),
            ("disk_bytes", self.disk_bytes, asked.disk_bytes),
            ("gpus", u64::from(self.gpus), u64::from(asked.gpus)),
        ]
        .into_iter()
        .filter(|(_, have, want)| want > have)
    }
}

/// A GPU of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gpu {
    /// What its driver calls it.
    pub name: String,
    /// Its memory, in bytes; none: not known, or it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
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
    /// Its GPUs, one by one, as many as `total` counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
    /// Where it can run things; a runtime that cannot work here is absent.
    pub runtimes: Vec<Runtime>,
    /// Classes that it accepts.
    pub classes: Vec<Class>,
    /// How many runs it executes at once at most.
    pub slots: u32,
    /// How many of those are free now.
    pub slots_free: u32,
    /// What of it other orgs of the same machine use now; which ones, and for what, is not told.
    #[serde(default, skip_serializing_if = "Lane::is_empty")]
    pub others: Lane,
}

/// What runs of one kind take of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lane {
    /// Slots that they hold.
    pub slots: u32,
    /// What is reserved for those that compute.
    pub reserved: Resources,
}

impl Lane {
    /// Whether they take nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { slots: self.slots.saturating_add(other.slots), reserved: self.reserved.plus(other.reserved) }
    }
}

/// What all runs of an org take of a machine. Checks have slots and processors of their own, and a run that waits for its checks
/// holds neither memory nor disk any more: so it can never keep them from starting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Taken {
    /// Checks.
    pub checks: Lane,
    /// Everything else.
    pub work: Lane,
}

impl Taken {
    /// What these runs take.
    pub fn by<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Self {
        runs.into_iter().fold(Self::default(), |taken, run| taken.with(run.class, run.state, run.reserved.unwrap_or_default()))
    }

    /// With one run more.
    #[must_use]
    pub fn with(mut self, class: Class, state: RunState, reserved: Resources) -> Self {
        let lane = if class == Class::Ci { &mut self.checks } else { &mut self.work };
        let reserved = if state.computes() { reserved } else { Resources::default() };
        *lane = lane.plus(Lane { slots: u32::from(state.holds_slot()), reserved });
        self
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { checks: self.checks.plus(other.checks), work: self.work.plus(other.work) }
    }

    /// What a run of this class finds taken: slots of its own kind, and processors; memory and disk of all.
    pub fn beside(self, class: Class) -> Lane {
        let (same, other) = if class == Class::Ci { (self.checks, self.work) } else { (self.work, self.checks) };
        same.plus(Lane { slots: 0, reserved: Resources { cpu_milli: 0, ..other.reserved } })
    }
}
