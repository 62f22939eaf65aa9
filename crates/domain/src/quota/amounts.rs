//! Amounts of everything that a quota limits.

use super::{Quota, Share};
use crate::{money::Money, usage::Usage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens, calls and money together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amounts {
    /// Tokens read and written.
    pub tokens: u64,
    /// Calls to models.
    pub calls: u64,
    /// Money, in the currency of the prices.
    pub money: Money,
}

impl Amounts {
    /// No limit at all.
    pub const MAX: Self = Self { tokens: u64::MAX, calls: u64::MAX, money: Money::MAX };

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            calls: self.calls.saturating_add(other.calls),
            money: self.money.plus(other.money),
        }
    }

    /// What is left of it without the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            calls: self.calls.saturating_sub(other.calls),
            money: self.money.minus(other.money),
        }
    }

    /// The smaller of each.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        Self { tokens: self.tokens.min(other.tokens), calls: self.calls.min(other.calls), money: self.money.min(other.money) }
    }

    /// The larger of each.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self { tokens: self.tokens.max(other.tokens), calls: self.calls.max(other.calls), money: self.money.max(other.money) }
    }

    /// As a quota that limits what this one does.
    #[must_use]
    pub fn of(self, quota: Quota) -> Quota {
        Quota {
            period: quota.period,
            tokens: quota.tokens.map(|_| self.tokens),
            calls: quota.calls.map(|_| self.calls),
            money: quota.money.map(|_| self.money),
        }
    }
}

impl From<Usage> for Amounts {
    fn from(usage: Usage) -> Self {
        Self { tokens: usage.tokens(), calls: usage.calls, money: usage.cost }
    }
}

impl Quota {
    /// What is left without a limit: all that there is of what it does not limit, and nothing of what it does.
    pub(super) fn unlimited(self) -> Amounts {
        let free = |limited: bool| if limited { 0 } else { u64::MAX };
        let money = if self.money.is_some() { Money::ZERO } else { Money::MAX };
        Amounts { tokens: free(self.tokens.is_some()), calls: free(self.calls.is_some()), money }
    }

    /// A device's part of each of its limits; nothing of what it does not limit.
    pub fn amounts(self, share: Share) -> Amounts {
        let of = |whole: Option<u64>| whole.map(|whole| share.of(whole)).unwrap_or_default();
        Amounts { tokens: of(self.tokens), calls: of(self.calls), money: Money::from_micros(of(self.money.map(Money::micros))) }
    }
}
