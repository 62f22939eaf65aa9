//! What calls under way hold of the budgets that runs share, so that calls of several runs together cannot spend more than there is.
//! What is spent for good stands in the journal, and is passed in.

use crate::{
    Problem,
    usage::{Budget, Usage},
};
use std::collections::BTreeMap;

/// One shared budget that a call must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose it is, to begin a sentence: “The org (today, UTC)”.
    pub whose: String,
    /// Under which id the use of this call is counted.
    pub id: String,
    /// Under which others it is used too: a member's keys on further devices, where this one stands by for them.
    pub with: Vec<String>,
    /// What may be used.
    pub budget: Budget,
    /// What it is a part of, and how a higher limit is set: sentences for who reached it.
    pub raise: String,
}

impl Line {
    fn ids(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.id).chain(&self.with)
    }
}

/// Why nothing is held.
#[derive(Debug)]
pub enum NotHeld {
    /// A budget has no room, whatever the calls under way leave of it.
    Spent(String),
    /// Only what calls under way hold is in the way: wait for them.
    Busy,
    /// What was spent cannot be read.
    Unreadable(Problem),
}

/// What calls under way hold, by the ids under which their use is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promised(BTreeMap<String, Usage>);

impl Promised {
    /// Holds what a call may use at the most of every one of these budgets, or of none. `spent` reads what was spent under an id: a call
    /// gives back only once the journal has what it used.
    ///
    /// # Errors
    /// When it does not fit now, or what was spent cannot be read.
    pub fn hold(&mut self, lines: &[Line], call: Usage, spent: impl Fn(&str) -> Result<Usage, Problem>) -> Result<(), NotHeld> {
        let mut busy = false;
        for line in lines {
            let (mut used, mut promised) = (Usage::default(), Usage::default());
            for id in line.ids() {
                used = used.plus(spent(id).map_err(NotHeld::Unreadable)?);
                promised = promised.plus(self.of(id));
            }
            // What is spent for good is said at once, whichever other budget is only busy.
            line.budget.allows(&line.whose, used, call).map_err(|why| NotHeld::Spent(why.text(&line.raise)))?;
            busy |= line.budget.allows(&line.whose, used.plus(promised), call).is_err();
        }
        if busy {
            return Err(NotHeld::Busy);
        }
        for line in lines {
            let sum = self.0.entry(line.id.clone()).or_default();
            *sum = sum.plus(call);
        }
        Ok(())
    }

    /// Gives back what a call held under these ids.
    pub fn give_back(&mut self, ids: &[String], call: Usage) {
        for id in ids {
            if let Some(sum) = self.0.get_mut(id) {
                *sum = sum.minus(call);
                if *sum == Usage::default() {
                    self.0.remove(id);
                }
            }
        }
    }

    /// What is held under an id.
    pub fn of(&self, id: &str) -> Usage {
        self.0.get(id).copied().unwrap_or_default()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_until_it_is_given_back() {
        let call = |tokens| Usage { calls: 1, input_tokens: tokens, ..Usage::default() };
        let budget = Budget { tokens: 100, calls: u64::MAX, money: None };
        let line = Line { whose: "It".into(), id: "org".into(), with: vec![], budget, raise: String::new() };
        let (lines, mut promised) = ([line], Promised::default());
        let spent = |_: &str| Ok(call(10));
        assert!(promised.hold(&lines, call(60), spent).is_ok());
        assert!(matches!(promised.hold(&lines, call(60), spent), Err(NotHeld::Busy)));
        assert!(matches!(promised.hold(&lines, call(91), spent), Err(NotHeld::Spent(_))));
        assert!(promised.hold(&lines, call(30), spent).is_ok());
        promised.give_back(&["org".into()], call(60));
        promised.give_back(&["org".into()], call(30));
        assert!(promised.is_empty());
        let unreadable = |_: &str| Err(Problem::internal("odd"));
        assert!(matches!(promised.hold(&lines, call(1), unreadable), Err(NotHeld::Unreadable(_))));
    }
}
