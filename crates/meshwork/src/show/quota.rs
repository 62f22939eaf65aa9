//! Quotas and prices, for people.

use super::typed_at;
use crate::{
    output::at,
    paint::{cell, table},
    text::{clean, number},
};
use domain::{
    Problem,
    quota::{Period, Quotas},
    usage::Usage,
};
use serde_json::Value;

/// Limits with what was used of them, and prices.
pub(crate) fn quotas(value: &Value) -> Result<String, Problem> {
    let mut lines = Vec::new();
    for row in value["used"].as_array().into_iter().flatten() {
        let used: Usage = typed_at(row, "used")?;
        let period: Period = typed_at(row, "period")?;
        let limit = |name: &str| row["limit"][name].as_u64().map(|n| format!(" of {}", number(n))).unwrap_or_default();
        let money = row["limit"]["money"].as_str().map(|m| format!(" of {m}")).unwrap_or_default();
        let unknown =
            if used.unpriced_calls > 0 { format!(" and {} calls without a known price", used.unpriced_calls) } else { String::new() };
        lines.push(vec![
            cell(format!("{} {}", at(row, &["of"]), if row["of"] == "org" { String::new() } else { clean(&at(row, &["whose"])) })),
            cell(period.words()),
            cell(format!("{}{}", number(used.tokens()), limit("tokens"))),
            cell(format!("{}{}", number(used.calls), limit("calls"))),
            cell(format!("{}{money}{unknown}", used.cost)),
        ]);
    }
    let mut text = table(&["WHOSE", "PERIOD", "TOKENS", "CALLS", "MONEY"], &lines);
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
