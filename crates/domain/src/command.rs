//! The command bar's settings, and how its use is counted: by the day.

use crate::{Timestamp, agent::Model, usage::Budget};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What its model may use in a day where nothing is said.
pub const BUDGET: Budget = Budget { tokens: 1_000_000, calls: 500, money: None };
/// Where the settings lie among what is projected of the command bar.
pub const SETTINGS: &str = "settings";

/// The model that the command bar may ask, and what it may use in a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The model; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// What it may use in a day (UTC).
    pub budget: Budget,
}

impl Default for Settings {
    fn default() -> Self {
        Self { model: None, budget: BUDGET }
    }
}

/// The day (UTC) of a moment, as the usage of that day is found by: days since 1970.
pub fn day(at: Timestamp) -> String {
    format!("day-{}", at.0.div_euclid(86_400_000))
}
