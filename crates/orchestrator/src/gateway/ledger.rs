//! The budgets that runs share: of the org, of members, of agents. What is spent stands in the journal; what calls under way
//! may still spend is held here, so that calls of several runs together cannot spend more than there is.

use super::limits;
pub use domain::spend::Line;
pub(super) use domain::spend::NotHeld;
use domain::{Problem, spend::Promised, usage::Usage};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// Reads what was spent under an id, from the journal's projection.
pub type Spent = Arc<dyn Fn(&str) -> Result<Usage, Problem> + Send + Sync>;

/// What calls under way hold of the shared budgets. One for all routes of an org.
pub struct Ledger {
    held: Mutex<Promised>,
    /// Changes only while `held` is locked.
    terms: AtomicU64,
    spent: Spent,
    freed: watch::Sender<()>,
}

impl Ledger {
    /// An empty one.
    pub fn new(spent: Spent) -> Arc<Self> {
        Arc::new(Self { held: Mutex::default(), terms: AtomicU64::new(0), spent, freed: watch::Sender::new(()) })
    }

    /// Under which terms limits that are read from now on count. To be asked before they are read; and again once something is held
    /// by them, which counts only if these are the terms still.
    pub fn terms(&self) -> u64 {
        self.terms.load(Ordering::SeqCst)
    }

    /// Begins new terms: limits that were read before count no more. Gives what calls under way hold.
    pub fn renew(&self) -> Promised {
        let held = self.held();
        self.terms.fetch_add(1, Ordering::SeqCst);
        let under_way = held.clone();
        drop(held);
        self.tell_freed();
        under_way
    }

    /// Changes whenever a call gives back what it held.
    pub(super) fn freed(&self) -> watch::Receiver<()> {
        self.freed.subscribe()
    }

    /// Something was given back.
    pub(super) fn tell_freed(&self) {
        self.freed.send_replace(());
    }

    /// Holds what a call may use at the most of every one of these budgets, or of none. What was spent is read while nobody else can hold
    /// or give back.
    pub(super) fn hold(self: &Arc<Self>, lines: &[Line], call: Usage) -> Result<Held, NotHeld> {
        self.held().hold(lines, call, |id| (self.spent)(id))?;
        Ok(Held { ledger: Arc::clone(self), ids: lines.iter().map(|line| line.id.clone()).collect(), call })
    }

    fn held(&self) -> MutexGuard<'_, Promised> {
        // What is promised is whole after every line that changes it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("held", &*self.held()).finish_non_exhaustive()
    }
}

/// What one call holds. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    ledger: Arc<Ledger>,
    ids: Vec<String>,
    call: Usage,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.held().give_back(&self.ids, self.call);
        self.ledger.tell_freed();
    }
}

/// What a call may use at the most, before it is sent.
pub(super) fn at_most(input_tokens: u64, output_tokens: u64, price: Option<&domain::quota::Price>) -> Usage {
    Usage {
        calls: 1,
        input_tokens,
        output_tokens,
        cost: price.map(|p| p.at_most(input_tokens, output_tokens)).unwrap_or_default(),
        unpriced_calls: u64::from(price.is_none()),
        ..Usage::default()
    }
}

/// Tokens of a request at the most: no token is less than a byte, and what is kept at the provider fits a model's context.
pub(super) fn input_at_most(body_bytes: usize, refers_elsewhere: bool) -> u64 {
    let bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX).saturating_add(limits::PROMPT_OVERHEAD_TOKENS);
    if refers_elsewhere { bytes.max(limits::CONTEXT_TOKENS_MAX) } else { bytes.min(limits::CONTEXT_TOKENS_MAX) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use domain::{money::Money, usage::Budget};
    use proptest::prelude::*;

    fn line(id: &str, tokens: u64) -> Line {
        let budget = Budget { tokens, calls: u64::MAX, money: None };
        Line { whose: "It".into(), id: id.into(), with: vec![], budget, raise: "Raise it.".into() }
    }

    fn call(tokens: u64) -> Usage {
        Usage { calls: 1, input_tokens: tokens, ..Usage::default() }
    }

    #[test]
    fn what_is_held_counts_until_it_is_given_back() {
        let ledger = Ledger::new(Arc::new(|_| Ok(call(10))));
        let lines = [line("org", 100), line("agent", 60)];
        let first = ledger.hold(&lines, call(50)).unwrap();
        assert!(matches!(ledger.hold(&lines, call(1)), Err(NotHeld::Busy)));
        assert!(matches!(ledger.hold(&lines, call(51)), Err(NotHeld::Spent(why)) if why.ends_with("may use 51. Raise it.")));
        assert!(ledger.hold(&lines[..1], call(40)).is_ok(), "the other budget has room");
        drop(first);
        assert!(ledger.held().is_empty());
        assert!(ledger.hold(&lines, call(50)).is_ok());
    }

    #[test]
    fn new_terms_tell_what_is_under_way_and_leave_it() {
        let ledger = Ledger::new(Arc::new(|_| Ok(Usage::default())));
        let under_way = ledger.hold(&[line("org", 100)], call(50)).unwrap();
        assert_eq!((ledger.terms(), ledger.renew().of("org"), ledger.terms()), (0, call(50), 1));
        assert!(matches!(ledger.hold(&[line("org", 100)], call(51)), Err(NotHeld::Busy)), "it is held still");
        drop(under_way);
        assert!(ledger.renew().is_empty());
    }

    #[test]
    fn what_one_member_uses_with_several_keys_is_one_budget() {
        let ledger = Ledger::new(Arc::new(|id: &str| Ok(call(if id == "laptop" { 30 } else { 20 }))));
        let (laptop, desk) =
            ([Line { with: vec!["desk".into()], ..line("laptop", 100) }], [Line { with: vec!["laptop".into()], ..line("desk", 100) }]);
        let _under_way = ledger.hold(&laptop, call(40)).unwrap();
        assert!(matches!(ledger.hold(&desk, call(51)), Err(NotHeld::Spent(_))));
        assert!(matches!(ledger.hold(&desk, call(11)), Err(NotHeld::Busy)));
        assert!(ledger.hold(&desk, call(10)).is_ok());
    }

    #[test]
    fn a_budget_of_money_refuses_what_has_no_price() {
        let ledger = Ledger::new(Arc::new(|_| Ok(Usage::default())));
        let budget = Budget { money: Some(Money::MAX), ..Budget::default() };
        let lines = [Line { budget, ..line("org", 0) }];
        assert!(matches!(ledger.hold(&lines, at_most(1, 1, None)), Err(NotHeld::Spent(why)) if why.contains("not known")));
    }

    proptest! {
        /// However calls come, go and settle, a budget is never spent beyond its limit.
        #[test]
        fn nothing_is_ever_overspent(steps in prop::collection::vec((any::<bool>(), 1u64..40, 0u64..100), 1..200)) {
            let spent: Arc<Mutex<Usage>> = Arc::default();
            let read = Arc::clone(&spent);
            let ledger = Ledger::new(Arc::new(move |_| Ok(*read.lock().unwrap())));
            let lines = [line("org", 200)];
            let mut under_way: Vec<(Held, u64)> = vec![];
            for (begins, most, used) in steps {
                if begins {
                    under_way.extend(ledger.hold(&lines, call(most)).ok().map(|held| (held, most * used / 100)));
                } else if let Some((held, used)) = under_way.pop() {
                    let mut sum = spent.lock().unwrap();
                    *sum = sum.plus(call(used));
                    drop((sum, held));
                }
                prop_assert!(spent.lock().unwrap().tokens() <= 200);
            }
        }
    }
}
