//! What the owner of a device lends to the others of its orgs, and when the device is theirs alone. Pure: what the sensors saw is
//! passed in.

use crate::{Timestamp, manifest::Class};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of `lend.toml` that this build writes.
pub const VERSION: u16 = 1;
/// How long a reclaimed device may take until guests' processors and memory are free, in seconds, where its owner says nothing.
pub const GRACE_S: u64 = 30;

/// `<data>/lend.toml`: what this machine's owner lends. It holds for all orgs of the machine, and lies nowhere else.
///
/// A guest is a run whose member does not own the device. The owner's own runs are never sent away by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LendPolicy {
    /// The format's version.
    pub version: u16,
    /// Whether guests are taken at all.
    pub guests: bool,
    /// Classes that guests may run.
    pub classes: Vec<Class>,
    /// How many of guests' runs at once at most; none: all slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Whether guests run while the owner is at the machine.
    pub while_present: bool,
    /// How long nothing may have been typed until the owner counts as away, in seconds.
    pub away_after_s: u64,
    /// Whether guests run on battery.
    pub on_battery: bool,
    /// Whether guests run while the lid is closed.
    pub lid_closed: bool,
    /// When guests are taken, as `mon-fri 19:00-07:00` in the machine's own time; none given: always.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<String>,
    /// How long until guests' processors and memory are free after the owner wants the machine back, in seconds.
    pub grace_s: u64,
    /// What this device says of itself, as `gpu = "true"`. `region` and `compliance` come from the org repository only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Default for LendPolicy {
    fn default() -> Self {
        Self {
            version: VERSION,
            guests: true,
            classes: vec![Class::Agent, Class::Ci],
            slots: None,
            while_present: true,
            away_after_s: 300,
            on_battery: false,
            lid_closed: false,
            hours: vec![],
            grace_s: GRACE_S,
            tags: BTreeMap::new(),
        }
    }
}

/// What the sensors of a machine saw. None: nothing here can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Condition {
    /// For how long nobody typed or moved anything, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_s: Option<u64>,
    /// Whether it runs on battery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_battery: Option<bool>,
    /// How full the battery is, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// Whether its lid is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lid_closed: Option<bool>,
}

/// Why a device is its owner's alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reclaim {
    /// Its owner said so.
    Asked {
        /// Until when; none: until they lend it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It takes no guests.
    Never,
    /// Its owner is at it.
    Present,
    /// It runs on battery.
    Battery,
    /// Its lid is closed.
    Lid,
    /// Not at this hour.
    Hours,
}
