//! Quotas of an org: what models cost, which may be used, and how much of them in a day or a month. Lives in the org
//! repository as `quotas.toml`.

mod amounts;
mod division;
mod part;

pub use amounts::Amounts;
pub use division::{Division, History, Scope};
pub use part::{Held, Hold, Known, Part, Taken, part, take};

use crate::{
    AgentName, Did, Timestamp,
    agent::Model,
    counted,
    money::Money,
    org::Device,
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
    /// Hundredths of every quota that a device's gateway may spend, by the device's name. None named: equal parts, a member's
    /// quota among the devices of that member. Each gateway keeps to its own part, and to what the others leave as long as they may
    /// know other parts ([`part()`]), so that they do not overspend while they cannot talk.
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
    /// A device's part of it, as a budget.
    pub fn part(self, share: Share) -> Budget {
        let of = |whole: u64| share.of(whole);
        Budget {
            tokens: self.tokens.map_or(u64::MAX, of),
            calls: self.calls.map_or(u64::MAX, of),
            money: self.money.map(|money| Money::from_micros(of(money.micros()))),
        }
    }

    /// Its limits in words: `10 calls, 2000 tokens, 5.00 of money`; empty where it has none.
    pub fn words(self) -> String {
        let limits = [
            self.calls.map(|calls| counted(calls, "call")),
            self.tokens.map(|tokens| counted(tokens, "token")),
            self.money.map(|money| format!("{money} of money")),
        ];
        limits.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The part of every quota that one device may spend. However a whole is divided, the parts of all devices together are never
/// more than it; what does not divide goes to the devices whose keys come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// What the devices before it in the order of their keys have.
    before: u64,
    /// What it has.
    own: u64,
    /// What there is in all.
    all: u64,
    /// Whether all devices have as much.
    equal: bool,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { before: 0, own: 1, all: 1, equal: true };

    /// What it is of a whole.
    pub fn of(self, whole: u64) -> u64 {
        let up_to = |parts: u64| (u128::from(whole) * u128::from(parts)).div_ceil(u128::from(self.all.max(1)));
        let part = up_to(self.before.saturating_add(self.own)) - up_to(self.before);
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// Whether it is all of it.
    pub fn is_whole(self) -> bool {
        self.own > 0 && self.own == self.all
    }

    /// In words: `all of it`, `an equal part for each of 3 devices`, `40 of 100 parts by [shares] in quotas.toml`.
    pub fn words(self) -> String {
        match self {
            Self { own: 0, .. } => "nothing of it".into(),
            Self { own, all, .. } if own == all => "all of it".into(),
            Self { equal: true, all, .. } => format!("an equal part for each of {}", counted(all, "device")),
            Self { own, all, .. } => format!("{own} of {all} parts by [shares] in quotas.toml"),
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

    /// Its name, as in `quotas.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
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

    /// The part of a quota that one of the devices may spend among which it is divided. One that is not among them: nothing.
    pub fn share<'a>(&self, device: &Did, devices: impl IntoIterator<Item = &'a Device>) -> Share {
        let mut devices: Vec<&Device> = devices.into_iter().collect();
        devices.sort_unstable_by(|a, b| a.did.cmp(&b.did));
        let equal = self.shares.is_empty();
        let own = |of: &Device| if equal { 1 } else { self.shares.get(&of.name).copied().map_or(0, u64::from) };
        let all = if equal { u64::try_from(devices.len()).unwrap_or(u64::MAX) } else { 100 };
        let Some(place) = devices.iter().position(|other| other.did == *device) else { return Share { all, equal, ..Share::default() } };
        let before = devices.iter().take(place).map(|other| own(other)).sum();
        Share { before, own: devices.get(place).map_or(0, |found| own(found)), all, equal }
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
        let devices = devices(&["lap", "desk"]);
        let of_hundred = |name: &str| quotas.share(&did_of(&devices, name), &devices).of(100);
        assert_eq!((of_hundred("lap"), of_hundred("desk")), (30, 0));
        assert!(quotas.mistakes().is_empty());
        let wrong = Quotas { models: vec!["a*b".into()], shares: [("a".into(), 60), ("b".into(), 50)].into(), ..Quotas::default() };
        assert_eq!(wrong.mistakes().len(), 2);
    }

    /// Devices of these names; their keys come in the same order.
    fn devices(names: &[&str]) -> Vec<Device> {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n).unwrap()).to_string();
        let key = |n: usize| -> Did { format!("did:key:z6Mk{}", letter(n).repeat(44)).parse().unwrap() };
        names.iter().enumerate().map(|(n, name)| Device::new(*name, key(n), "ada")).collect()
    }

    fn did_of(devices: &[Device], name: &str) -> Did {
        devices.iter().find(|d| d.name == name).unwrap().did.clone()
    }

    #[test]
    fn what_does_not_divide_goes_to_the_first_keys_and_nothing_is_lost() {
        let (devices, quotas) = (devices(&["a", "b", "c"]), Quotas::default());
        let parts = |whole: u64| devices.iter().map(|d| quotas.share(&d.did, devices.iter().rev()).of(whole)).collect::<Vec<_>>();
        assert_eq!((parts(2), parts(1), parts(4), parts(6)), (vec![1, 1, 0], vec![1, 0, 0], vec![2, 1, 1], vec![2, 2, 2]));
        for whole in [0, 1, 2, 3, 5, 100, 101, u64::MAX - 1, u64::MAX] {
            assert_eq!(parts(whole).iter().map(|part| u128::from(*part)).sum::<u128>(), u128::from(whole));
        }
        let stranger = did_of(&self::devices(&["x", "x", "x", "y"]), "y");
        let none = quotas.share(&stranger, &devices);
        assert_eq!((none.of(u64::MAX), none.words().as_str()), (0, "nothing of it"));
        assert_eq!(quotas.share(&devices[0].did, &devices[..1]).words(), "all of it");
        assert_eq!(quotas.share(&devices[0].did, &devices).words(), "an equal part for each of 3 devices");
    }

    #[test]
    fn shares_by_name_never_add_up_to_more_than_the_whole() {
        let devices = devices(&["a", "b", "c"]);
        for shares in [[33, 33, 34], [10, 0, 20], [1, 98, 1], [100, 0, 0]] {
            let all: u64 = shares.iter().map(|s| u64::from(*s)).sum();
            let named = devices.iter().map(|d| d.name.clone()).zip(shares).collect();
            let quotas = Quotas { shares: named, ..Quotas::default() };
            for whole in [1, 2, 3, 7, 50, 99, 1_000_001] {
                let sum: u64 = devices.iter().map(|d| quotas.share(&d.did, &devices).of(whole)).sum();
                assert!(sum <= whole && sum >= whole * all / 100, "{shares:?} of {whole}: {sum}");
            }
        }
    }

    #[test]
    fn a_part_of_a_quota_is_of_each_of_its_limits() {
        let (devices, quotas) = (devices(&["a", "b", "c"]), Quotas::default());
        let quota = Quota { period: Period::Day, tokens: Some(10), calls: None, money: Some(Money::from_micros(10)) };
        let part = quota.part(quotas.share(&devices[2].did, &devices));
        assert_eq!((part.tokens, part.calls, part.money), (3, u64::MAX, Some(Money::from_micros(3))));
        assert_eq!(quota.words(), "10 tokens, 0.00001 of money");
    }
}
