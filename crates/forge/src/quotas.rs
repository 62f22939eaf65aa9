//! `quotas.toml` of the org repository: read, and checked against who is there.

use crate::org::{OrgState, line_of, parse};
use domain::quota::Quotas;
use std::collections::BTreeMap;

/// The file.
pub(crate) const FILE: &str = "quotas.toml";

/// Reads it; no file says nothing.
pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>, wrong: &mut Vec<String>) -> Quotas {
    let Some(content) = files.get(FILE) else { return Quotas::default() };
    let Some(quotas) = parse::<Quotas>(FILE, content, wrong) else { return Quotas::default() };
    for (word, why) in quotas.mistakes() {
        wrong.push(format!("{FILE}, line {}: {why}.", line_of(content, &word)));
    }
    quotas
}

/// Whom it names must be there.
pub(crate) fn relations(state: &OrgState, files: &BTreeMap<String, Vec<u8>>, wrong: &mut Vec<String>) {
    let content = files.get(FILE).map(Vec::as_slice).unwrap_or_default();
    let mut missing = |what: &str, name: &str| {
        wrong.push(format!("{FILE}, line {}: there is no {what} “{}”.", line_of(content, name), domain::shown(name)));
    };
    let quotas = &state.quotas;
    quotas.members.keys().filter(|name| !state.members.contains_key(*name)).for_each(|name| missing("member", name));
    quotas.agents.keys().filter(|name| !state.agents.contains_key(name.as_str())).for_each(|name| missing("agent", name.as_str()));
    quotas.shares.keys().filter(|name| !state.devices.contains_key(*name)).for_each(|name| missing("device", name));
}
