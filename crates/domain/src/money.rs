//! Money: exact, in millionths of the currency in which the org's prices are written.

use crate::{Problem, shown};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// Millionths in one unit.
const UNIT: u64 = 1_000_000;
/// Digits behind the point that are kept.
const DIGITS: usize = 6;

/// An amount of money, never negative. Written as a decimal text, as `"12.50"`: neither TOML's nor JSON's numbers are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than anything costs.
    pub const MAX: Self = Self(u64::MAX);

    /// From millionths of the currency's unit.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In millionths of the currency's unit.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Both together; the largest amount where they are more than that.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Without the other; nothing where that is more.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether it is nothing.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// What so many tokens cost at this price for a million, rounded up.
    #[must_use]
    pub fn for_tokens(self, tokens: u64) -> Self {
        let micros = (u128::from(self.0) * u128::from(tokens)).div_ceil(u128::from(UNIT));
        Self(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// So many hundredths of it, rounded down.
    #[must_use]
    pub fn percent(self, percent: u64) -> Self {
        Self(u64::try_from(u128::from(self.0) * u128::from(percent) / 100).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % UNIT);
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / UNIT, digits.get(..kept).unwrap_or(&digits))
    }
}

impl FromStr for Money {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::invalid(format!("“{}” is not an amount of money.", shown(text))).next("Write it as 12.50.");
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > DIGITS {
            return Err(wrong());
        }
        let part: u64 = format!("{part:0<DIGITS$}").parse().map_err(|_| wrong())?;
        let units: u64 = whole.parse().map_err(|_| wrong())?;
        units.checked_mul(UNIT).and_then(|m| m.checked_add(part)).map(Self).ok_or_else(wrong)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| D::Error::custom(format!("“{}” is not an amount of money: write it as \"12.50\"", shown(&text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_read_back_as_they_are_written() {
        for (text, micros, back) in [
            ("0", 0, "0.00"),
            ("12.5", 12_500_000, "12.50"),
            ("1.25", 1_250_000, "1.25"),
            ("0.000001", 1, "0.000001"),
            ("7.10", 7_100_000, "7.10"),
        ] {
            let money: Money = text.parse().unwrap_or_default();
            assert_eq!((money.micros(), money.to_string().as_str()), (micros, back), "{text}");
        }
        for bad in ["", "-1", "1.", ".5", "1,50", "1e3", "0.0000001", "99999999999999999999", "1.2.3", "€5"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_cost_what_the_price_says_and_never_less() {
        let price = Money::from_micros(1_250_000);
        assert_eq!(price.for_tokens(1_000_000), price);
        assert_eq!(price.for_tokens(1).micros(), 2, "1.25 millionths, rounded up");
        assert_eq!(price.for_tokens(0), Money::ZERO);
        assert_eq!(Money::MAX.for_tokens(u64::MAX), Money::MAX);
        assert_eq!(Money::from_micros(10).percent(33).micros(), 3);
    }
}
