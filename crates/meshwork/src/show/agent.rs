//! Agents, and what they need: engines, credentials; tokens. For people.

use super::{typed, typed_at};
use crate::{
    output::at,
    paint::{Tone, cell, table, toned},
    text::{self, ago, clean, number},
};
use domain::{
    Problem, Timestamp,
    agent::{Agent, EngineChoice, PermissionMode},
};
use serde_json::Value;

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A list of agents.
pub(crate) fn agents(value: &Value) -> Result<String, Problem> {
    let mut lines = Vec::new();
    for item in rows(value) {
        let mut known = item.clone();
        if let Some(agent) = known.as_object_mut() {
            agent.retain(|name, _| name != "needs" && name != "used");
        }
        let agent: Agent = typed(&known)?;
        let model = agent.model.as_ref().map(|m| format!("{} ({})", clean(&m.name), m.credential)).unwrap_or_default();
        let asks = if agent.permissions == PermissionMode::Ask { "you" } else { "nobody" };
        let money = agent.budget.money.map(|money| format!(", {money} of money")).unwrap_or_default();
        let budget = match agent.engine {
            EngineChoice::Command { .. } if agent.model.is_none() => String::new(),
            _ => format!("{} tokens, {} calls{money}", number(agent.budget.tokens), number(agent.budget.calls)),
        };
        let needs: Vec<_> = rows(&item["needs"]).filter_map(Value::as_str).map(clean).collect();
        let ready = if needs.is_empty() { toned(Tone::Good, "ready") } else { toned(Tone::Bad, needs.join(" ")) };
        lines.push(vec![cell(agent.name.as_str()), cell(clean(agent.engine.label())), cell(model), cell(budget), cell(asks), ready]);
    }
    Ok(match lines.is_empty() {
        true => "There is no agent yet: meshwork agent add <name> --engine <engine>.".into(),
        false => table(&["AGENT", "ENGINE", "MODEL", "A RUN MAY USE", "ASKS", "NEEDS"], &lines),
    })
}

/// A list of engines.
pub(crate) fn engines(value: &Value) -> String {
    let row = |e: &Value| {
        let installed = match e["installed"].as_str() {
            Some(version) => toned(Tone::Good, version),
            None => toned(Tone::Quiet, "no"),
        };
        vec![cell(at(e, &["name"])), cell(at(e, &["pinned"])), installed]
    };
    table(&["ENGINE", "TESTED VERSION", "INSTALLED"], &rows(value).map(row).collect::<Vec<_>>())
}

/// A list of credentials; never their values.
pub(crate) fn credentials(value: &Value) -> Result<String, Problem> {
    let now = text::now();
    let mut lines = Vec::new();
    for item in rows(value) {
        let scopes: Vec<_> = rows(&item["scopes"]).map(scope).collect();
        let only = if scopes.is_empty() { "everywhere".into() } else { scopes.join(", ") };
        let set = ago(typed_at::<Timestamp>(item, "created")?, now);
        let kind = at(item, &["kind"]).replace(['_', '-'], " ");
        let kind = match (item["login"]["good"].as_bool(), typed_at::<Option<Timestamp>>(&item["login"], "until")) {
            (Some(true), Ok(Some(until))) => format!("{kind} ({}, {})", at(item, &["login", "what"]), ago(until, now)),
            (Some(_), _) => format!("{kind} ({})", at(item, &["login", "what"])),
            _ => kind,
        };
        lines.push(vec![cell(at(item, &["name"])), cell(kind), cell(clean(&at(item, &["provider"]))), cell(only), cell(set)]);
    }
    Ok(match lines.is_empty() {
        true => "There are no credentials: meshwork credential set <name>.".into(),
        false => table(&["CREDENTIAL", "KIND", "PROVIDER", "COUNTS FOR", "SET"], &lines),
    })
}

/// A scope, as `project demo`.
fn scope(value: &Value) -> String {
    let pairs = value.as_object().into_iter().flatten().map(|(kind, name)| format!("{kind} {}", at(name, &[])));
    clean(&pairs.collect::<Vec<_>>().join(" "))
}

/// A list of tokens; never their secrets.
pub(crate) fn tokens(value: &Value) -> Result<String, Problem> {
    let now = text::now();
    let mut lines = Vec::new();
    for item in rows(value) {
        let expires: Option<Timestamp> = typed_at(item, "expires")?;
        let (ends, tone) = match expires {
            None => ("never".to_owned(), Tone::Plain),
            Some(at) => (ago(at, now), if at < now { Tone::Bad } else { Tone::Plain }),
        };
        let made = ago(typed_at(item, "created")?, now);
        lines.push(vec![
            cell(at(item, &["id"])),
            cell(at(item, &["role"])),
            cell(made),
            toned(tone, ends),
            cell(clean(&at(item, &["label"]))),
        ]);
    }
    Ok(match lines.is_empty() {
        true => "There are no tokens: meshwork token create --role <role>.".into(),
        false => table(&["TOKEN", "ROLE", "MADE", "ENDS", "FOR"], &lines),
    })
}
