//! Quotas and prices, for people.

use super::typed_at;
use crate::{
    output::at,
    paint::{cell, table},
    text::{clean, number},
};
use domain::{
    Problem, counted,
    quota::{Period, Quotas},
    usage::Usage,
};
use serde_json::Value;

/// What this device may use, and the whole where that is more: ` of 3 (5 in all)`.
fn of(row: &Value, name: &str, text: impl Fn(&Value) -> Option<String>) -> String {
    match (text(&row["limit"][name]), text(&row["whole"][name])) {
        (Some(part), Some(whole)) if part != whole => format!(" of {part} ({whole} in all)"),
        (Some(part), _) => format!(" of {part}"),
        (None, _) => String::new(),
    }
}

/// Limits with what was used of them, and prices.
pub(crate) fn quotas(value: &Value) -> Result<String, Problem> {
    let mut lines = Vec::new();
    for row in value["used"].as_array().into_iter().flatten() {
        let used: Usage = typed_at(row, "used")?;
        let period: Period = typed_at(row, "period")?;
        let elsewhere: Option<Usage> = typed_at(row, "elsewhere")?;
        let others = elsewhere.filter(|used| used.tokens() > 0).map(|used| format!(", and {} elsewhere", number(used.tokens())));
        let limit = |name: &str| of(row, name, |value| value.as_u64().map(number));
        let money = of(row, "money", |value| value.as_str().map(str::to_owned));
        let unknown = match used.unpriced_calls {
            0 => String::new(),
            calls => format!(" and {} without a known price", counted(calls, "call")),
        };
        lines.push(vec![
            cell(format!("{} {}", at(row, &["of"]), if row["of"] == "org" { String::new() } else { clean(&at(row, &["whose"])) })),
            cell(period.words()),
            cell(format!("{}{}{}", number(used.tokens()), limit("tokens"), others.unwrap_or_default())),
            cell(format!("{}{}", number(used.calls), limit("calls"))),
            cell(format!("{}{money}{unknown}", used.cost)),
            cell(clean(&at(row, &["limit", "share"]))),
        ]);
    }
    let mut text = table(&["WHOSE", "PERIOD", "TOKENS", "CALLS", "MONEY", "THIS DEVICE MAY USE"], &lines);
    let warnings = value["used"].as_array().into_iter().flatten().filter_map(|row| row["warnings"].as_array()).flatten();
    for warning in warnings.filter_map(Value::as_str) {
        text.push_str(&format!("\n{}", clean(warning)));
    }
    let quotas: Quotas = typed_at(value, "quotas")?;
    if quotas.prices.is_empty() {
        text.push_str("\nNo price is known: meshwork quota price <model> --input 1.25 --output 10.");
        return Ok(text);
    }
    let prices: Vec<_> = quotas
        .prices
        .iter()
        .map(|p| {
            let cached = p.cached_input.unwrap_or(p.input);
            let host = p.host.clone().unwrap_or_else(|| "any".into());
            vec![cell(clean(&p.model)), cell(clean(&host)), cell(p.input.to_string()), cell(cached.to_string()), cell(p.output.to_string())]
        })
        .collect();
    text.push('\n');
    text.push_str(&table(&["MODEL", "HOST", "A MILLION READ", "FROM THE CACHE", "A MILLION WRITTEN"], &prices));
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_limit_is_shown_as_this_devices_part_and_as_the_whole() {
        let used = json!({"calls": 1, "input_tokens": 5, "cached_tokens": 0, "output_tokens": 0});
        let whole = json!({"period": "day", "calls": 2, "tokens": 9000});
        let limit = json!({"calls": 1, "tokens": 3000, "money": null, "share": "an equal part for each of 3 devices"});
        let warnings = ["The device box lies."];
        let row = json!({"whose": "org", "of": "org", "period": "day", "whole": whole, "limit": limit, "used": used, "warnings": warnings});
        let text = quotas(&json!({"used": [row], "quotas": {"version": 1}})).unwrap();
        for words in ["5 of 3,000 (9,000 in all)", "1 of 1 (2 in all)", "an equal part for each of 3 devices", "\nThe device box lies."] {
            assert!(text.contains(words), "{text}");
        }
    }
}
