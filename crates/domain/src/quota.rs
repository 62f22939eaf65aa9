//! Quotas of an org: what models cost, which may be used, and how much of them in a day or a month. Lives in the org
//! repository as `quotas.toml`.

use crate::{
    AgentName, Timestamp,
    agent::Model,
    money::Money,
    usage::{Budget, Usage},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of `quotas.toml` that this build writes.
pub const VERSION: u16 = 1;

/// What the org says of models and their use. Nothing said: any model, no limit but each run's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// The file's version.
    pub version: u16,
    /// Whether requests and answers of model calls are kept, as blobs that can be erased. Otherwise nothing of them is.
    #[serde(default)]
    pub keep_content: bool,
    /// The models that may be used: names, or beginnings of names with `*` at the end. None named: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// What all may use together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Quota>,
    /// What the runs of a member may use, by the member's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Quota>,
    /// What the runs of an agent may use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<AgentName, Quota>,
    /// Hundredths of every quota that a device's gateway may spend, by the device's name. None named: equal parts. Each
    /// gateway keeps to its own part, so that no two overspend while they cannot talk.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, u8>,
    /// What models cost. The first that fits counts.
    #[serde(default, rename = "price", skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<PriceOf>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            version: VERSION,
            keep_content: false,
            models: vec![],
            org: None,
            members: BTreeMap::new(),
            agents: BTreeMap::new(),
            shares: BTreeMap::new(),
            prices: vec![],
        }
    }
}

/// How much may be used in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The period.
    #[serde(default)]
    pub period: Period,
    /// Tokens read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Calls to models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Money, in the currency of the prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
}

impl Quota {
    /// A device's part of it, in hundredths, as a budget.
    pub fn part(self, percent: u8) -> Budget {
        let of = |n: u64| u64::try_from(u128::from(n) * u128::from(percent) / 100).unwrap_or(u64::MAX);
        Budget {
            tokens: self.tokens.map_or(u64::MAX, of),
            calls: self.calls.map_or(u64::MAX, of),
            money: self.money.map(|m| m.percent(percent.into())),
        }
    }
}

/// For how long a quota lasts; then it begins anew (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// A day.
    Day,
    /// A calendar month.
    #[default]
    Month,
}

impl Period {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// The period in which a moment lies: `2026-11-27` or `2026-11`.
    pub fn key(self, at: Timestamp) -> String {
        let date = jiff::Timestamp::from_millisecond(at.0).map(|t| jiff::tz::TimeZone::UTC.to_datetime(t).date()).unwrap_or_default();
        match self {
            Self::Day => date.to_string(),
            Self::Month => format!("{:04}-{:02}", date.year(), date.month()),
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Day => "today, UTC",
            Self::Month => "this month, UTC",
        }
    }
}

/// What a model costs, for a million tokens each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens read.
    pub input: Money,
    /// Tokens read from the provider's cache; as `input` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Money>,
    /// Tokens written into the provider's cache; a quarter more than `input` where nothing is said, as Anthropic has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Money>,
    /// Tokens written.
    pub output: Money,
}

impl Price {
    /// What this use costs.
    pub fn of(&self, usage: &Usage) -> Money {
        let written = usage.cache_written_tokens.min(usage.input_tokens);
        let cached = usage.cached_tokens.min(usage.input_tokens - written);
        let plain = usage.input_tokens - written - cached;
        self.input
            .for_tokens(plain)
            .plus(self.cached_input.unwrap_or(self.input).for_tokens(cached))
            .plus(self.write_price().for_tokens(written))
            .plus(self.output.for_tokens(usage.output_tokens))
    }

    /// What so many tokens cost at the most, whatever the cache does.
    pub fn at_most(&self, input_tokens: u64, output_tokens: u64) -> Money {
        let dearest = self.input.max(self.cached_input.unwrap_or_default()).max(self.write_price());
        // Each of the three parts may be rounded up.
        let rounding = if dearest.is_zero() { Money::ZERO } else { Money::from_micros(2) };
        dearest.for_tokens(input_tokens).plus(rounding).plus(self.output.for_tokens(output_tokens))
    }

    fn write_price(&self) -> Money {
        self.cache_write.unwrap_or_else(|| self.input.plus(self.input.percent(25)))
    }
}

/// The price of one model, or of several whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceOf {
    /// The model's name, or its beginning with `*` at the end.
    pub model: String,
    /// Only at this host, as `api.openai.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What a million tokens read cost.
    pub input: Money,
    /// Those from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Money>,
    /// Those written into the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Money>,
    /// What a million tokens written cost.
    pub output: Money,
}

impl PriceOf {
    fn fits(&self, model: &str, host: &str) -> bool {
        named(&self.model, model) && self.host.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(host))
    }

    fn price(&self) -> Price {
        Price { input: self.input, cached_input: self.cached_input, cache_write: self.cache_write, output: self.output }
    }
}

impl Quotas {
    /// Whether the org lets this model be used.
    pub fn lets(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| named(pattern, model))
    }

    /// What a model costs: as its agent's settings say, else as the org does. None: nobody knows, which is not nothing.
    pub fn price(&self, model: &Model, host: &str) -> Option<Price> {
        model.price.or_else(|| self.prices.iter().find(|p| p.fits(&model.name, host)).map(PriceOf::price))
    }

    /// The part of every quota, in hundredths, that one of `devices` devices may spend.
    pub fn share(&self, device: &str, devices: usize) -> u8 {
        if self.shares.is_empty() {
            return u8::try_from(100 / devices.max(1)).unwrap_or(0);
        }
        self.shares.get(device).copied().unwrap_or(0)
    }

    /// What is wrong with it in itself: the word in the file to look at, and why.
    pub fn mistakes(&self) -> Vec<(String, String)> {
        let mut wrong = vec![];
        if self.version == 0 || self.version > VERSION {
            wrong.push(("version".into(), format!("version {} is not known here; this Meshwork reads {VERSION}", self.version)));
        }
        if self.shares.values().map(|s| u32::from(*s)).sum::<u32>() > 100 {
            wrong.push(("shares".into(), "the shares are more than 100 hundredths together".into()));
        }
        let patterns = self.models.iter().chain(self.prices.iter().map(|p| &p.model));
        for pattern in patterns.filter(|p| p.is_empty() || p.trim_end_matches('*').contains('*') || p.ends_with("**")) {
            wrong.push((pattern.clone(), format!("“{}” is no model's name: a “*” may stand only at its end", crate::shown(pattern))));
        }
        wrong
    }
}

fn named(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn price(input: &str, cached: Option<&str>, output: &str) -> Price {
        Price {
            input: input.parse().unwrap(),
            cached_input: cached.map(|c| c.parse().unwrap()),
            cache_write: None,
            output: output.parse().unwrap(),
        }
    }

    #[test]
    fn periods_begin_anew_with_the_day_and_the_month() {
        for (ms, day, month) in [
            (0, "1970-01-01", "1970-01"),
            (951_782_400_000, "2000-02-29", "2000-02"),
            (1_709_251_199_999, "2024-02-29", "2024-02"),
            (1_709_251_200_000, "2024-03-01", "2024-03"),
            (1_795_737_600_000, "2026-11-27", "2026-11"),
        ] {
            assert_eq!((Period::Day.key(Timestamp(ms)).as_str(), Period::Month.key(Timestamp(ms)).as_str()), (day, month));
        }
    }

    #[test]
    fn a_price_counts_what_came_from_the_cache_and_what_went_into_it() {
        let price = price("1.00", Some("0.10"), "4.00");
        let used =
            Usage { calls: 1, input_tokens: 100, cached_tokens: 40, cache_written_tokens: 20, output_tokens: 10, ..Usage::default() };
        assert_eq!(price.of(&used).micros(), 40 + 4 + 25 + 40);
        assert!(price.at_most(100, 10) >= price.of(&used));
        let odd = Usage { input_tokens: 5, cached_tokens: 50, cache_written_tokens: 9, ..Usage::default() };
        assert!(price.at_most(5, 0) >= price.of(&odd), "more cached than read is no discount on the rest");
    }

    #[test]
    fn the_first_price_that_fits_counts_and_none_is_not_nothing() {
        let text = "version = 1\nmodels = [\"m-*\"]\n[shares]\nlap = 30\n[[price]]\nmodel = \"m-1\"\nhost = \"a.example\"\ninput = \"2\"\noutput = \"3\"\n\
                    [[price]]\nmodel = \"m-*\"\ninput = \"1\"\noutput = \"1\"\n";
        let quotas: Quotas = toml::from_str(text).unwrap();
        let model = |name: &str| -> Model {
            serde_json::from_value(serde_json::json!({"name": name, "base_url": "https://a.example", "api": "chat", "credential": "k"}))
                .unwrap()
        };
        let input = |name: &str, host: &str| quotas.price(&model(name), host).map(|p| p.input.to_string());
        assert_eq!(input("m-1", "A.example"), Some("2.00".into()));
        assert_eq!(input("m-1", "b.example"), Some("1.00".into()));
        assert_eq!(input("other", "a.example"), None);
        assert!(quotas.lets("m-9") && !quotas.lets("x"));
        assert_eq!((quotas.share("lap", 2), quotas.share("desk", 2), Quotas::default().share("lap", 3)), (30, 0, 33));
        assert!(quotas.mistakes().is_empty());
        let wrong = Quotas { models: vec!["a*b".into()], shares: [("a".into(), 60), ("b".into(), 50)].into(), ..Quotas::default() };
        assert_eq!(wrong.mistakes().len(), 2);
    }

    #[test]
    fn a_part_of_a_quota_never_adds_up_to_more() {
        let quota = Quota { period: Period::Day, tokens: Some(10), calls: None, money: Some(Money::from_micros(10)) };
        let part = quota.part(33);
        assert_eq!((part.tokens, part.calls, part.money), (3, u64::MAX, Some(Money::from_micros(3))));
    }
}
