//! The org's quotas at work: which price, which budgets and which models count for a call, and what was used of them.

use crate::{
    clock,
    gateway::{Ledger, Line, RuleSource, Rules},
    org::Org,
};
use bytes::Bytes;
use domain::{
    AgentName, Did, Hash, Problem, Timestamp,
    agent::Model,
    event::{kind, spent_id},
    quota::{Period, Quota},
    usage::{Budget, Usage},
};
use forge::OrgState;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use store::Store;

/// For whom a call is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spender {
    /// The member whose run it is; none: the command bar of this device, which only the org's budget binds besides its own.
    pub(crate) member: Option<Did>,
    /// The agent.
    pub(crate) agent: Option<AgentName>,
}

/// One budget and what was used of it, for people.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct QuotaUse {
    /// `org`, a member's or an agent's name.
    pub(crate) whose: String,
    /// What it belongs to: `org`, `member` or `agent`.
    pub(crate) of: String,
    /// The period.
    pub(crate) period: Period,
    /// What this device's gateway may use in it: its part of the quota; no limit where it is null.
    pub(crate) limit: Option<Limit>,
    /// What its gateway used in it.
    pub(crate) used: Usage,
}

/// The limits of a quota, as they are on this device.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Limit {
    /// Tokens.
    pub(crate) tokens: Option<u64>,
    /// Calls.
    pub(crate) calls: Option<u64>,
    /// Money.
    pub(crate) money: Option<domain::money::Money>,
    /// The part of the whole, in hundredths, that this device may spend.
    pub(crate) percent: u8,
}

/// The ledger over a journal.
pub(crate) fn ledger(store: &Store) -> Arc<Ledger> {
    let store = store.clone();
    Ledger::new(Arc::new(move |id| Ok(store.get(kind::SPENT, id)?.unwrap_or_default())))
}

/// Says what counts for calls of a model by somebody, anew for each.
pub(crate) fn rule_source(org: &Arc<Org>, model: Option<Model>, spender: Spender) -> RuleSource {
    let org = Arc::downgrade(org);
    Arc::new(move || {
        let org = org.upgrade().ok_or_else(|| Problem::unavailable("The orchestrator is closing."))?;
        let state = org.state()?;
        Ok(model.as_ref().map(|model| rules(&state, &org.device, model, &spender, clock::now())).unwrap_or_default())
    })
}

fn rules(state: &OrgState, device: &Did, model: &Model, spender: &Spender, now: Timestamp) -> Rules {
    let quotas = &state.quotas;
    let forbidden = (!quotas.lets(&model.name)).then(|| {
        format!(
            "The org lets the models {} be used, and “{}” is none of them (quotas.toml).",
            quotas.models.join(", "),
            domain::shown(&model.name)
        )
    });
    let lines = sources(state, spender)
        .into_iter()
        .map(|source| {
            let period = source.quota.period;
            Line {
                whose: format!("{} ({})", source.words, period.words()),
                id: spent_id(&source.id, &period.key(now)),
                budget: source.quota.part(percent(state, device)),
            }
        })
        .collect();
    Rules { price: quotas.price(model, &host(model)), forbidden, lines, keep_content: quotas.keep_content }
}

struct Source {
    words: String,
    id: String,
    quota: Quota,
}

fn sources(state: &OrgState, spender: &Spender) -> Vec<Source> {
    let quotas = &state.quotas;
    let mut found: Vec<Source> =
        quotas.org.iter().map(|quota| Source { words: "The org".into(), id: "org".into(), quota: *quota }).collect();
    let member = spender.member.as_ref().and_then(|key| Some((key, state.member_of(key)?)));
    if let Some((key, member)) = member
        && let Some(quota) = quotas.members.get(&member.name)
    {
        found.push(Source { words: format!("The member {}", member.name), id: format!("member/{key}"), quota: *quota });
    }
    if let Some(agent) = &spender.agent
        && let Some(quota) = quotas.agents.get(agent)
    {
        found.push(Source { words: format!("The agent {agent}"), id: format!("agent/{agent}"), quota: *quota });
    }
    found
}

/// The part of every quota that this device may spend.
fn percent(state: &OrgState, device: &Did) -> u8 {
    let name = state.device_of(device).map(|d| d.name.clone()).unwrap_or_default();
    state.quotas.share(&name, state.devices.len())
}

/// What was used of every quota, and by every agent and member that used anything this month.
pub(crate) fn used(org: &Org, state: &OrgState) -> Result<Vec<QuotaUse>, Problem> {
    let now = clock::now();
    let percent = percent(state, &org.device);
    let row = |of: &str, whose: &str, id: &str, quota: Option<&Quota>| -> Result<QuotaUse, Problem> {
        let period = quota.map(|q| q.period).unwrap_or_default();
        let used = org.store.get(kind::SPENT, &spent_id(id, &period.key(now)))?.unwrap_or_default();
        let limit = quota.map(|quota| {
            let Budget { tokens, calls, money } = quota.part(percent);
            Limit { tokens: quota.tokens.map(|_| tokens), calls: quota.calls.map(|_| calls), money, percent }
        });
        Ok(QuotaUse { whose: whose.into(), of: of.into(), period, limit, used })
    };
    let mut rows = vec![row("org", "org", "org", state.quotas.org.as_ref())?];
    for member in state.members.values() {
        // A member has one key for each device; this device's gateway knows the runs of its own.
        let quota = state.quotas.members.get(&member.name);
        for key in &member.keys {
            let found = row("member", &member.name, &format!("member/{}", key.did), quota)?;
            if key.did == org.member || found.used != Usage::default() {
                rows.push(found);
            }
        }
    }
    for agent in state.agents.values() {
        rows.push(row("agent", agent.name.as_str(), &format!("agent/{}", agent.name), state.quotas.agents.get(&agent.name))?);
    }
    Ok(rows)
}

/// What an agent's runs used this month.
pub(crate) fn used_by(org: &Org, agent: &AgentName) -> Result<Usage, Problem> {
    let id = spent_id(&format!("agent/{agent}"), &Period::Month.key(clock::now()));
    Ok(org.store.get(kind::SPENT, &id)?.unwrap_or_default())
}

/// Whether somebody says what a model costs.
pub(crate) fn priced(org: &Org, model: &Model) -> bool {
    org.state().is_ok_and(|state| state.quotas.price(model, &host(model)).is_some())
}

fn host(model: &Model) -> String {
    reqwest::Url::parse(&model.base_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Keeps content of a call as blobs, which can be erased.
pub(crate) async fn keep(org: &Arc<Org>, content: Vec<Bytes>) -> Result<Vec<Hash>, Problem> {
    if content.is_empty() {
        return Ok(vec![]);
    }
    org.blocking(move |org| content.iter().map(|bytes| org.store.blobs().put(bytes)).collect()).await
}
