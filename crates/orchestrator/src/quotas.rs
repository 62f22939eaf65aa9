//! The org's quotas at work: which price, which budgets and which models count for a call, and what was used of them.

mod shares;

pub use shares::Divisions;
pub(crate) use shares::keep as keep_shares;

use crate::{
    clock,
    gateway::{Ledger, Line, RuleSource, Rules},
    org::Org,
    picture,
};
use bytes::Bytes;
use domain::{
    AgentName, Did, Hash, Problem, Timestamp,
    agent::Model,
    event::{kind, spent_id},
    quota::{History, Part, Period, Quota, Scope},
    usage::{Budget, Usage},
};
use forge::OrgState;
use schemars::JsonSchema;
use serde::Serialize;
use std::{cell::Cell, sync::Arc};
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
    /// The whole quota, for all devices together; no limit where it is null.
    pub(crate) whole: Option<Quota>,
    /// What this device's gateway may use in it: its part of the quota, or less while others hold more than theirs; no limit where it
    /// is null.
    pub(crate) limit: Option<Limit>,
    /// What its gateway used in it.
    pub(crate) used: Usage,
    /// What the gateways of the other devices used in it, as far as their journals are here.
    pub(crate) elsewhere: Usage,
    /// A sentence for each device that tells that it used more of it than it was ever given: that is not counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// The limits of a quota, as they are on this device.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Limit {
    /// Tokens.
    pub(crate) tokens: Option<u64>,
    /// Calls.
    pub(crate) calls: Option<u64>,
    /// Money.
    pub(crate) money: Option<domain::money::Money>,
    /// The part of the whole that this device may spend, in words: `an equal part for each of 3 devices`; where it is less for now, how
    /// much and because of whom.
    pub(crate) share: String,
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
        let Some(model) = &model else { return Ok(Rules::default()) };
        // Before anything is read that they are about.
        let terms = org.ledger.terms();
        let (state, now) = (org.state()?, clock::now());
        let history = org.divisions.at(&org, &state.commit)?;
        let (words, short) = (shares::words(&org, &history)?, Cell::new(false));
        let part = |scope: Scope<'_>| {
            let part = shares::part(&org, &history, &words, scope, now);
            short.set(short.get() || part.as_ref().is_some_and(Part::is_short));
            part
        };
        let lines = lines(&state, &history, part, &spender, now)?;
        Ok(Rules { lines, at: now, short: short.get(), terms, ..rules(&state, model) })
    })
}

/// What the org says of a model, whoever uses it.
fn rules(state: &OrgState, model: &Model) -> Rules {
    let quotas = &state.quotas;
    let forbidden = (!quotas.lets(&model.name)).then(|| {
        format!(
            "The org lets the models {} be used, and “{}” is none of them (quotas.toml).",
            quotas.models.join(", "),
            domain::shown(&model.name)
        )
    });
    Rules { price: quotas.price(model, &host(model)), forbidden, keep_content: quotas.keep_content, ..Rules::default() }
}

/// The budgets that a call must fit; `part` says what this device may use of each.
fn lines(
    state: &OrgState,
    history: &History,
    part: impl Fn(Scope<'_>) -> Option<Part>,
    spender: &Spender,
    now: Timestamp,
) -> Result<Vec<Line>, Problem> {
    let sources = sources(state, history, spender).into_iter();
    let line = |source: Source<'_>| -> Result<Line, Problem> {
        let period = source.quota.period;
        let part = part(source.scope).ok_or_else(|| Problem::internal("a quota of the org is not in its history"))?;
        Ok(Line {
            whose: format!("{} ({})", source.words, period.words()),
            id: spent_id(&source.id, &period.key(now)),
            with: source.with.iter().map(|id| spent_id(id, &period.key(now))).collect(),
            budget: part.budget(),
            raise: raise(&source, &part),
        })
    };
    sources.map(line).collect()
}

/// What a budget is a part of, and how more is let be used.
fn raise(source: &Source<'_>, part: &Part) -> String {
    let verb = format!("Raise the whole with meshwork quota set{} --period {}", source.option, source.quota.period.name());
    let (whole, words) = (source.quota.words(), part.words());
    if part.is_short() {
        let later = "It may use its share once they are heard to hold less: they spent it by earlier shares, or may not know of these yet.";
        return format!("The whole quota is {whole}; this device may use {words}. {later} {verb}.");
    }
    if part.share.is_whole() {
        return format!("The whole quota is {whole}, and this device may use {words}. {verb}.");
    }
    format!("The whole quota is {whole}; this device may use {words}. {verb}, or give this device another part by [shares] in quotas.toml.")
}

/// A quota that binds a call.
struct Source<'a> {
    /// Whose it is, to begin a sentence.
    words: String,
    /// Under which id its use is counted.
    id: String,
    /// Under which others it is used too.
    with: Vec<String>,
    /// Whose it is, in quotas.toml.
    scope: Scope<'a>,
    /// How `meshwork quota set` names it.
    option: String,
    /// How much it is for all devices together.
    quota: Quota,
}

fn sources<'a>(state: &'a OrgState, history: &History, spender: &'a Spender) -> Vec<Source<'a>> {
    let quotas = &state.quotas;
    let of_org = |quota: &Quota| Source {
        words: "The org".into(),
        id: "org".into(),
        with: vec![],
        scope: Scope::Org,
        option: String::new(),
        quota: *quota,
    };
    let mut found: Vec<Source<'a>> = quotas.org.iter().map(of_org).collect();
    let member = spender.member.as_ref().and_then(|key| Some((key, state.member_of(key)?)));
    if let Some((key, member)) = member
        && let Some(quota) = quotas.members.get(&member.name)
    {
        found.push(Source {
            words: format!("The member {}", member.name),
            id: of_key(key),
            // As their standby device this one sends what runs of their other devices ask for; and what a former key used is used.
            with: history.keys_of(&member.name).into_iter().filter(|other| *other != key).map(of_key).collect(),
            scope: Scope::Member(&member.name),
            option: format!(" --member {}", member.name),
            quota: *quota,
        });
    }
    if let Some(agent) = &spender.agent
        && let Some(quota) = quotas.agents.get(agent)
    {
        found.push(Source {
            words: format!("The agent {agent}"),
            id: format!("agent/{agent}"),
            with: vec![],
            scope: Scope::Agent(agent),
            option: format!(" --agent {agent}"),
            quota: *quota,
        });
    }
    found
}

/// Under which id it is counted what runs of a member's key use.
fn of_key(key: &Did) -> String {
    format!("member/{key}")
}

/// What was used of every quota, and by every agent and member that used anything this month.
pub(crate) fn used(org: &Org, state: &OrgState) -> Result<Vec<QuotaUse>, Problem> {
    let now = clock::now();
    let history = org.divisions.at(org, &state.commit)?;
    let words = shares::words(org, &history)?;
    let row = |scope: Scope<'_>, ids: &[String]| -> Result<QuotaUse, Problem> {
        let part = shares::part(org, &history, &words, scope, now);
        let quota = part.as_ref().map(|part| part.quota);
        let period = quota.map(|quota| quota.period).unwrap_or_default();
        let (mut used, mut elsewhere) = (Usage::default(), Usage::default());
        for id in ids {
            let id = spent_id(id, &period.key(now));
            used = used.plus(org.store.get(kind::SPENT, &id)?.unwrap_or_default());
            elsewhere = elsewhere.plus(picture::spent_elsewhere(org, &id));
        }
        let (of, whose) = match scope {
            Scope::Org => ("org", "org"),
            Scope::Member(name) => ("member", name),
            Scope::Agent(name) => ("agent", name.as_str()),
        };
        let warnings = part.as_ref().map(Part::warnings).unwrap_or_default().into_values().collect();
        let limit = part.as_ref().map(limit);
        Ok(QuotaUse { whose: whose.into(), of: of.into(), period, whole: quota, limit, used, elsewhere, warnings })
    };
    let mut rows = vec![row(Scope::Org, &["org".to_owned()])?];
    for member in state.members.values() {
        // A member has one key for each device; this device's gateway knows the runs of its own, and those for which it stands by.
        let ids: Vec<String> = history.keys_of(&member.name).into_iter().map(of_key).collect();
        let found = row(Scope::Member(&member.name), &ids)?;
        if member.keys.iter().any(|key| key.did == org.member) || found.used != Usage::default() || found.elsewhere != Usage::default() {
            rows.push(found);
        }
    }
    for agent in state.agents.values() {
        let scope = Scope::Agent(&agent.name);
        rows.push(row(scope, &[scope.id()])?);
    }
    Ok(rows)
}

/// What this device may use of a quota.
fn limit(part: &Part) -> Limit {
    let (Budget { tokens, calls, money }, quota) = (part.budget(), part.quota);
    Limit { tokens: quota.tokens.map(|_| tokens), calls: quota.calls.map(|_| calls), money, share: part.words() }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{self, did};
    use domain::{
        org::Device,
        quota::{Division, Quotas},
        role::Role,
    };
    use std::collections::BTreeMap;

    /// Ada has the devices `a` and `c`, Bob has `b`; the member's keys are `A`, `C` and `B`.
    fn state(quotas: Quotas) -> OrgState {
        let device = |letter: char, owner: &str| (letter.to_string(), Device::new(letter, did(letter), owner));
        let member = |name: &str, letters: &[char]| fixtures::member(name, Role::Developer, letters);
        let members = [member("ada", &['a', 'c']), member("bob", &['b'])].into();
        let devices = [device('a', "ada"), device('b', "bob"), device('c', "ada")].into();
        OrgState { members, devices, quotas, ..fixtures::state() }
    }

    /// What a call of a device must fit where nothing was heard of the others: this revision is the first.
    fn lines(quotas: &Quotas, device: char) -> Vec<Line> {
        let (state, spender) = (state(quotas.clone()), Spender { member: Some(did(device.to_ascii_uppercase())), agent: None });
        let (devices, members) = (state.devices.values().cloned().collect(), state.members.values().cloned().collect());
        let mut history = History::new(true);
        let (revision, at) = (state.commit.clone(), Timestamp(0));
        history.push(Division { revision, at, quotas: quotas.clone(), devices, members });
        let part = |scope: Scope<'_>| domain::quota::part(&history, scope, &did(device), &BTreeMap::new(), at);
        super::lines(&state, &history, part, &spender, at).unwrap()
    }

    #[test]
    fn a_quota_is_divided_whole_and_a_refusal_names_its_own_knob() {
        let calls = |calls: u64| Quota { period: Period::Day, tokens: None, calls: Some(calls), money: None };
        let members = [("ada".to_owned(), calls(3)), ("bob".to_owned(), calls(5))].into();
        let quotas = Quotas { org: Some(calls(2)), members, ..Quotas::default() };
        let parts = |nth: usize| ['a', 'b', 'c'].map(|device| lines(&quotas, device)[nth].budget.calls);
        assert_eq!((parts(0), parts(1)), ([1, 1, 0], [2, 5, 1]), "a member's among the devices of that member");
        let adas = &lines(&quotas, 'a')[1];
        assert_eq!((adas.id.contains('A'), adas.with.len(), adas.with[0].contains("CCC")), (true, 1, true), "all of Ada's keys count");

        let org = &lines(&quotas, 'c')[0];
        let why = org.budget.allows(&org.whose, Usage::default(), Usage { calls: 1, ..Usage::default() }).unwrap_err().text(&org.raise);
        for words in [
            "0 of its 0 model calls",
            "2 calls; this device may use an equal part for each of 3 devices",
            "meshwork quota set --period day",
            "[shares]",
        ] {
            assert!(why.contains(words), "{why}");
        }
        let bobs = &lines(&quotas, 'b')[1].raise;
        assert!(bobs.contains("all of it. Raise the whole with meshwork quota set --member bob --period day."), "{bobs}");
    }
}
