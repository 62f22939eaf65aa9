//! What the org says of the model calls of one run at this moment: price, allowed models, shared budgets.

use super::ledger::Line;
use domain::{Problem, Timestamp, quota::Price};
use std::sync::Arc;

/// What counts for one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What the model costs; none: nobody knows.
    pub price: Option<Price>,
    /// Why the org does not let this model be used, if so.
    pub forbidden: Option<String>,
    /// The shared budgets that the call must fit.
    pub lines: Vec<Line>,
    /// As of when: the call counts in the periods of then.
    pub at: Timestamp,
    /// Whether one of these is lower than this device's share, until others are heard to hold less: that may be soon.
    pub short: bool,
    /// The [`Ledger::terms`](super::Ledger::terms) under which they were read.
    pub terms: u64,
    /// Whether the call's content is kept.
    pub keep_content: bool,
}

/// Says what counts now. Asked anew for each call: what the org changes counts at once. May block.
pub type RuleSource = Arc<dyn Fn() -> Result<Rules, Problem> + Send + Sync>;
