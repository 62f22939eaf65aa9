//! What a run used of a model, and what it may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens as the provider's own usage fields count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Calls that reached the provider.
    pub calls: u64,
    /// Tokens read, cached ones among them.
    pub input_tokens: u64,
    /// Tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Tokens written, reasoning among them.
    pub output_tokens: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }

    /// Read and written tokens together.
    pub fn tokens(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// What one run may use. Enforced by the gateway before it forwards a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Tokens read and written.
    pub tokens: u64,
    /// Calls to the model.
    pub calls: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: 20_000_000, calls: 2_000 }
    }
}

impl Budget {
    /// Whether `used` leaves room for one more call; otherwise the sentence that says which limit was reached.
    pub fn allows(self, used: Usage) -> Result<(), String> {
        if used.tokens() >= self.tokens {
            return Err(format!("The run used {} of its {} tokens.", used.tokens(), self.tokens));
        }
        if used.calls >= self.calls {
            return Err(format!("The run made {} of its {} model calls.", used.calls, self.calls));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_when_one_of_its_limits_is_reached() {
        let budget = Budget { tokens: 100, calls: 2 };
        assert!(budget.allows(Usage { calls: 1, input_tokens: 50, cached_tokens: 50, output_tokens: 49 }).is_ok());
        assert!(budget.allows(Usage { calls: 1, input_tokens: 60, cached_tokens: 0, output_tokens: 40 }).is_err());
        assert!(budget.allows(Usage { calls: 2, ..Usage::default() }).is_err());
    }
}
