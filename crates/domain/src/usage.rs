//! What a run used of a model, and what it may use.

use crate::{AgentName, Did, Timestamp, counted, money::Money};
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
    /// Tokens written into the provider's cache, where it counts them; they are among the read ones.
    #[serde(default, skip_serializing_if = "none")]
    pub cache_written_tokens: u64,
    /// Tokens written, reasoning among them.
    pub output_tokens: u64,
    /// What it cost, as far as prices are known.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    pub cost: Money,
    /// Calls whose price nobody knows: their cost is not nothing, it is unknown.
    #[serde(default, skip_serializing_if = "none")]
    pub unpriced_calls: u64,
}

/// One call of a model, without its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // So that the API's document has the event's type beside it.
pub struct ModelCall {
    /// The model.
    pub model: String,
    /// The provider's HTTP status.
    pub status: u16,
    /// What it used, from the provider's own usage fields; calls that give none count as none.
    pub usage: Usage,
    /// How long it took.
    pub duration_ms: u64,
    /// When it was let through: it counts in the day and the month of then, whose limits it had to fit, however late it ends.
    pub admitted: Timestamp,
}

/// For whom a call of a run was made of which the journal says nothing else: at a standby device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForWhom {
    /// The member, by their key on the device that made the call.
    pub member: Did,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn none(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            cache_written_tokens: self.cache_written_tokens.saturating_add(other.cache_written_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost: self.cost.plus(other.cost),
            unpriced_calls: self.unpriced_calls.saturating_add(other.unpriced_calls),
        }
    }

    /// What is left of it without the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            input_tokens: self.input_tokens.saturating_sub(other.input_tokens),
            cached_tokens: self.cached_tokens.saturating_sub(other.cached_tokens),
            cache_written_tokens: self.cache_written_tokens.saturating_sub(other.cache_written_tokens),
            output_tokens: self.output_tokens.saturating_sub(other.output_tokens),
            cost: self.cost.minus(other.cost),
            unpriced_calls: self.unpriced_calls.saturating_sub(other.unpriced_calls),
        }
    }

    /// Read and written tokens together.
    pub fn tokens(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// What one run may use, or everything of a period. Enforced by the gateway before it forwards a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Tokens read and written.
    pub tokens: u64,
    /// Calls to the model.
    pub calls: u64,
    /// Money, in the currency of the org's prices. With it, a model whose price nobody knows is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: 20_000_000, calls: 2_000, money: None }
    }
}

/// Why a budget has no room for a call, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// A limit is reached: a higher one would help.
    Limit(String),
    /// There is a limit of money, and a price that nobody knows: no other limit would help.
    NoPrice(String),
}

impl NoRoom {
    /// The sentence, and after it how a higher limit is set, where that helps.
    pub fn text(self, raise: &str) -> String {
        match self {
            Self::Limit(text) if !raise.is_empty() => format!("{text} {raise}"),
            Self::Limit(text) | Self::NoPrice(text) => text,
        }
    }
}

impl Budget {
    /// Whether there is room for a call that uses `call` at the most, where `used` is spent or promised to calls under way;
    /// otherwise the sentence that says which limit is in the way. `whose` begins it: “The run”.
    pub fn allows(self, whose: &str, used: Usage, call: Usage) -> Result<(), NoRoom> {
        let after = used.plus(call);
        let limit = |text: String| Err(NoRoom::Limit(text));
        if used.calls >= self.calls || after.calls > self.calls {
            return limit(format!("{whose} made {} of its {}.", used.calls, counted(self.calls, "model call")));
        }
        if used.tokens() >= self.tokens {
            return limit(format!("{whose} used {} of its {}.", used.tokens(), counted(self.tokens, "token")));
        }
        if after.tokens() > self.tokens {
            let (used, most) = (used.tokens(), call.tokens());
            return limit(format!("{whose} used {used} of its {}, and the next call may use {most}.", counted(self.tokens, "token")));
        }
        match self.money {
            Some(_) if call.unpriced_calls > 0 => Err(NoRoom::NoPrice(format!(
                "{whose} has a budget of money, and the price of this model is not known. Set it in quotas.toml (meshwork quota price)."
            ))),
            Some(_) if used.unpriced_calls > 0 => Err(NoRoom::NoPrice(format!(
                "{whose} has a budget of money, and made {} of a price that is not known.",
                counted(used.unpriced_calls, "call")
            ))),
            Some(money) if used.cost >= money => limit(format!("{whose} spent {} of its {money}.", used.cost)),
            Some(money) if after.cost > money => {
                limit(format!("{whose} spent {} of its {money}, and the next call may cost {}.", used.cost, call.cost))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tokens: u64, micros: u64) -> Usage {
        Usage { calls: 1, input_tokens: tokens, cost: Money::from_micros(micros), ..Usage::default() }
    }

    #[test]
    fn a_budget_is_spent_when_the_next_call_could_reach_beyond_one_of_its_limits() {
        let budget = Budget { tokens: 100, calls: 2, money: Some(Money::from_micros(50)) };
        let used = Usage { calls: 1, input_tokens: 50, output_tokens: 40, cost: Money::from_micros(30), ..Usage::default() };
        assert_eq!(budget.allows("It", used, call(10, 20)), Ok(()));
        for (next, words) in
            [(call(11, 1), "may use 11"), (call(1, 21), "may cost"), (Usage { calls: 2, ..Usage::default() }, "model calls")]
        {
            assert!(budget.allows("It", used, next).is_err_and(|e| e.text("Raise it.").contains(words)), "{words}");
        }
        assert!(budget.allows("It", Usage { calls: 2, ..Usage::default() }, call(1, 1)).is_err());
    }

    #[test]
    fn an_unknown_price_is_not_nothing() {
        let unknown = Usage { calls: 1, unpriced_calls: 1, ..Usage::default() };
        let money = Budget { money: Some(Money::MAX), ..Budget::default() };
        let no_price = |why: NoRoom| {
            let text = why.text("Raise it.");
            text.contains("not known") && !text.contains("Raise it.")
        };
        assert!(money.allows("It", Usage::default(), unknown).is_err_and(no_price));
        assert!(money.allows("It", unknown, call(1, 1)).is_err_and(no_price));
        assert_eq!(Budget::default().allows("It", unknown, unknown), Ok(()));
    }
}
