//! Quotas: what models cost, and how much of them may be used.

use super::Outcome;
use crate::{
    cli::quota::Quota,
    client::Client,
    output::{self, answer, at},
    show,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Carries a verb of `quota` out.
pub(super) async fn quota(client: &Client, quota: Quota, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match quota {
        Quota::Show => {
            let value = client.call("quota.show", json!({})).await?;
            output::show(&value, json, show::quotas)?;
        }
        Quota::Set(set) => {
            let input = json!({
                "member": set.member, "agent": set.agent, "period": set.period.name(),
                "tokens": set.tokens, "calls": set.calls, "money": set.money,
            });
            answer(&client.call("quota.set", input).await?, json, done);
        }
        Quota::Price(price) => {
            let input = json!({
                "model": price.model, "host": price.host, "input": price.input, "cached_input": price.cached_input,
                "cache_write": price.cache_write, "output": price.output,
            });
            answer(&client.call("quota.price", input).await?, json, done);
        }
        Quota::Rules { models, any_model, keep_content } => {
            let models = (any_model || !models.is_empty()).then_some(models);
            answer(&client.call("quota.rules", json!({"models": models, "keep_content": keep_content})).await?, json, done);
        }
    }
    Ok(ExitCode::SUCCESS)
}
