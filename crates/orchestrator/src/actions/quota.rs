//! Quotas: what models cost, and how much of them the org, its members and its agents may use.

use super::{Done, Nothing};
use crate::{
    members,
    org::Org,
    quotas::{self, QuotaUse},
    table::{Action, Context, Effect, action},
};
use domain::{
    AgentName, Problem,
    event::Body,
    money::Money,
    quota::{Period, PriceOf, Quota, Quotas},
    role::Permission,
};
use forge::OrgState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("quota.show", Reads, Permission::View, "What models cost, what may be used of them, and what was used.", show),
        action("quota.set", Changes, Permission::ManageOrg, "Set how much the org, a member or an agent may use in a day or a month.", set),
        action("quota.price", Changes, Permission::ManageOrg, "Set what a model costs.", price),
        action("quota.rules", Changes, Permission::ManageOrg, "Set which models may be used, and whether content is kept.", rules),
    ]
}

#[derive(Serialize, JsonSchema)]
struct Shown {
    /// `quotas.toml` of the org.
    quotas: Quotas,
    /// What was used on this device, and of which limits.
    used: Vec<QuotaUse>,
}

async fn show(context: Context, _: Nothing) -> Result<Shown, Problem> {
    let read = |org: &Arc<Org>| {
        let state = org.state()?;
        Ok(Shown { used: quotas::used(org, &state)?, quotas: state.quotas })
    };
    context.org()?.blocking(read).await
}

/// Whose quota it is. Neither: the org's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    /// A member's name.
    #[serde(default)]
    member: Option<String>,
    /// An agent's name.
    #[serde(default)]
    agent: Option<AgentName>,
    /// `day` or `month`.
    #[serde(default)]
    period: Period,
    /// Tokens read and written.
    #[serde(default)]
    tokens: Option<u64>,
    /// Calls to models.
    #[serde(default)]
    calls: Option<u64>,
    /// Money, as `25.00`, in the currency of the prices. With it, models whose price is not known are refused.
    #[serde(default)]
    money: Option<Money>,
}

/// With no limit at all the quota is taken away.
async fn set(context: Context, input: Set) -> Result<Done, Problem> {
    let quota = Quota { period: input.period, tokens: input.tokens, calls: input.calls, money: input.money };
    let none = quota.tokens.is_none() && quota.calls.is_none() && quota.money.is_none();
    let quota = (!none).then_some(quota);
    whom(&context, input.member.clone(), input.agent.clone()).await?;
    let whose = match (&input.member, &input.agent) {
        (Some(_), Some(_)) => return Err(Problem::invalid("A quota is a member's or an agent's.").next("Name one of them.")),
        (Some(member), None) => format!("member {member}"),
        (None, Some(agent)) => format!("agent {agent}"),
        (None, None) => "org".to_owned(),
    };
    change(&context, format!("Set the quota of the {whose}"), move |quotas| {
        match (input.member, input.agent) {
            (Some(member), _) => put(&mut quotas.members, member, quota),
            (_, Some(agent)) => put(&mut quotas.agents, agent, quota),
            _ => quotas.org = quota,
        }
        Ok(())
    })
    .await?;
    Ok(Done::new(if none { format!("The {whose} has no quota any more.") } else { format!("The quota of the {whose} is set.") }))
}

/// Refuses a quota of somebody whom the org does not list.
async fn whom(context: &Context, member: Option<String>, agent: Option<AgentName>) -> Result<(), Problem> {
    let look = move |org: &Arc<Org>| {
        let state = org.state()?;
        if let Some(name) = &member {
            members::member_of(&state, name)?;
        }
        agent.map_or(Ok(()), |name| known_agent(&state, &name))
    };
    context.org()?.blocking(look).await
}

fn known_agent(state: &OrgState, name: &AgentName) -> Result<(), Problem> {
    if state.agents.contains_key(name.as_str()) {
        return Ok(());
    }
    let names: Vec<&str> = state.agents.keys().map(String::as_str).collect();
    let next = match names.is_empty() {
        true => "The org has none yet: meshwork agent add makes one.".to_owned(),
        false => format!("There are: {}.", names.join(", ")),
    };
    Err(Problem::not_found(format!("There is no agent “{name}”.")).next(next))
}

fn put<K: Ord>(map: &mut std::collections::BTreeMap<K, Quota>, key: K, quota: Option<Quota>) {
    match quota {
        Some(quota) => drop(map.insert(key, quota)),
        None => drop(map.remove(&key)),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetPrice {
    /// The model's name, or its beginning with `*` at the end.
    model: String,
    /// Only at this host.
    #[serde(default)]
    host: Option<String>,
    /// A million tokens read, as `1.25`. Without `input` and `output` the price is taken away.
    #[serde(default)]
    input: Option<Money>,
    /// A million tokens from the provider's cache.
    #[serde(default)]
    cached_input: Option<Money>,
    /// A million tokens into the provider's cache.
    #[serde(default)]
    cache_write: Option<Money>,
    /// A million tokens written.
    #[serde(default)]
    output: Option<Money>,
}

async fn price(context: Context, set: SetPrice) -> Result<Done, Problem> {
    let model = set.model.clone();
    let price = match (set.input, set.output) {
        (Some(input), Some(output)) => {
            let (cached_input, cache_write) = (set.cached_input, set.cache_write);
            Some(PriceOf { model: set.model.clone(), host: set.host.clone(), input, cached_input, cache_write, output })
        }
        (None, None) => None,
        _ => return Err(Problem::invalid("A price has two parts.").next("Give both input and output, for a million tokens each.")),
    };
    let known = price.is_some();
    change(&context, format!("Set the price of {model}"), move |quotas| {
        quotas.prices.retain(|p| p.model != set.model || p.host != set.host);
        quotas.prices.extend(price);
        // The first that fits counts: names before beginnings, longer ones first, and those of a host before the rest.
        quotas.prices.sort_by_key(|p| (p.model.ends_with('*'), std::cmp::Reverse(p.model.len()), p.host.is_none()));
        Ok(())
    })
    .await?;
    Ok(Done::new(if known { format!("The price of {model} is set.") } else { format!("The price of {model} is not known any more.") }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetRules {
    /// Models that may be used: names, or beginnings with `*` at the end; none of them: any.
    #[serde(default)]
    models: Option<Vec<String>>,
    /// Whether requests and answers are kept, as blobs that can be erased.
    #[serde(default)]
    keep_content: Option<bool>,
}

async fn rules(context: Context, input: SetRules) -> Result<Done, Problem> {
    change(&context, "Set which models may be used".into(), move |quotas| {
        quotas.models = input.models.unwrap_or(std::mem::take(&mut quotas.models));
        quotas.keep_content = input.keep_content.unwrap_or(quotas.keep_content);
        Ok(())
    })
    .await?;
    Ok(Done::new("The rules are set.".to_owned()))
}

/// Changes `quotas.toml` by a commit of the member.
async fn change(
    context: &Context,
    message: String,
    with: impl FnOnce(&mut Quotas) -> Result<(), Problem> + Send + 'static,
) -> Result<(), Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let commit = org
        .blocking(move |org| {
            let mut quotas = org.state()?.quotas;
            with(&mut quotas)?;
            let text = toml::to_string_pretty(&quotas).map_err(Problem::internal)?;
            org.forge.change_org(&org.rid, &message, &[("quotas.toml".to_owned(), Some(text.into_bytes()))])
        })
        .await?;
    org.record(&actor, vec![Body::QuotasSet { commit }]).await
}
