//! The files of the org repository: read and checked together; every mistake is named with file and line.

use super::OrgState;
use crate::quotas;
use domain::{
    Did, Oid, Problem, agent,
    org::{Device, Member, Org, Revoked, VERSION},
    project::{GATES_MAX, Project},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// What is said of files that have mistakes.
pub(super) const MISTAKES: &str = "The org repository has mistakes.";
/// How many mistakes one answer names.
const MISTAKES_SHOWN: usize = 5;
/// The longest name that a file may have, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// What of the repository is read: everything else is left alone.
pub(super) const READ: [&str; 7] = ["org.toml", "revoked.toml", "members/", "devices/", "agents/", "projects/", quotas::FILE];
/// Where its policies are: they are read by others, and checked by whom [`crate::Forge::check_org_with`] was given.
pub(super) const POLICY: &str = "policy/";

/// A file of the org repository as TOML.
pub(super) fn write(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    toml::to_string_pretty(value).map(String::into_bytes).map_err(Problem::internal)
}

/// Reads and checks all files together, and names every mistake with file and line.
pub(super) fn validate(files: &BTreeMap<String, Vec<u8>>, commit: Option<Oid>) -> Result<OrgState, Problem> {
    if let Some(version) = files.get("org.toml").and_then(|content| said_version(content)).filter(|version| *version > VERSION) {
        return Err(Problem::conflict(format!("The org's files are of version {version}, newer than this Meshwork."))
            .next("Install a newer Meshwork on this device."));
    }
    let mut wrong = Vec::new();
    let org: Option<Org> = match files.get("org.toml") {
        Some(content) => {
            let org: Option<Org> = parse("org.toml", content, &mut wrong);
            if org.as_ref().is_some_and(|org| org.version == 0) {
                wrong.push(format!("org.toml, line {}: there is no version 0; this is version {VERSION}.", line_of(content, "version")));
            }
            org
        }
        None => {
            wrong.push("org.toml is missing.".to_owned());
            None
        }
    };
    let members = folder(files, "members", |m: &Member| m.name.clone(), &mut wrong);
    let devices = folder(files, "devices", |d: &Device| d.name.clone(), &mut wrong);
    let agents = folder(files, "agents", |a: &agent::Agent| a.name.to_string(), &mut wrong);
    let projects = folder(files, "projects", |p: &Project| p.name.to_string(), &mut wrong);
    let revoked = files.get("revoked.toml").and_then(|content| parse::<Revoked>("revoked.toml", content, &mut wrong));
    let Revoked { revoked, ended } = revoked.unwrap_or_default();
    let quotas = quotas::read(files, &mut wrong);
    if let (Some(org), true) = (org, wrong.is_empty()) {
        let zero = "0".repeat(40).parse()?;
        let commit = commit.unwrap_or(zero);
        let state = OrgState { org, members, devices, agents, projects, quotas, revoked, ended, commit, refused: None };
        relations(&state, &mut wrong);
        standbys(&state, files, &mut wrong);
        gates(&state, files, &mut wrong);
        quotas::relations(&state, files, &mut wrong);
        if wrong.is_empty() {
            return Ok(state);
        }
    }
    let more = wrong.len().saturating_sub(MISTAKES_SHOWN);
    wrong.truncate(MISTAKES_SHOWN);
    if more > 0 {
        wrong.push(format!("And {more} more."));
    }
    Err(Problem::invalid(MISTAKES).because(wrong.join(" ")).next("Mend these files; nothing was changed."))
}

/// All files of one folder: each is named after what it holds.
fn folder<T: DeserializeOwned>(
    files: &BTreeMap<String, Vec<u8>>,
    dir: &str,
    name: impl Fn(&T) -> String,
    wrong: &mut Vec<String>,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for (path, content) in files {
        let Some(stem) = path.strip_prefix(dir).and_then(|p| p.strip_prefix('/')).and_then(|p| p.strip_suffix(".toml")) else { continue };
        let Some(value) = parse::<T>(path, content, wrong) else { continue };
        let said = name(&value);
        if said != stem {
            wrong.push(format!("{path} names “{}”; name and file must be the same.", domain::shown(&said)));
        } else if let Some(why) = unfit(&said) {
            wrong.push(format!("{path}, line {}: “{}” cannot be a name: {why}.", line_of(content, "name"), domain::shown(&said)));
        }
        found.insert(stem.to_owned(), value);
    }
    found
}

/// Why a name cannot be a file's of one folder.
fn unfit(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("it is empty"),
        long if long.len() > NAME_BYTES_MAX => Some("it may have 64 bytes at most"),
        hidden if hidden.starts_with('.') => Some("it begins with a dot"),
        _ if name.contains(['/', '\\']) || name.chars().any(char::is_control) => Some("it has a slash or a control character"),
        _ => None,
    }
}

pub(crate) fn parse<T: DeserializeOwned>(path: &str, content: &[u8], wrong: &mut Vec<String>) -> Option<T> {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            wrong.push(format!("{path}, line {}: it is not Unicode.", line_at(content, error.valid_up_to())));
            return None;
        }
    };
    match toml::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let line = error.span().map_or(1, |span| line_at(content, span.start));
            wrong.push(format!("{path}, line {line}: {}.", domain::shown_at_length(error.message().trim_end_matches('.'))));
            None
        }
    }
}

/// The version that `org.toml` says, whatever else stands there: a newer one may say more than can be read here.
fn said_version(content: &[u8]) -> Option<u16> {
    #[derive(Deserialize)]
    struct Said {
        version: u16,
    }
    let said: Said = toml::from_str(std::str::from_utf8(content).ok()?).ok()?;
    Some(said.version)
}

fn line_at(content: &[u8], at: usize) -> usize {
    content.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The first line that has this word; the first of all where none has.
pub(crate) fn line_of(content: &[u8], word: &str) -> usize {
    String::from_utf8_lossy(content).lines().position(|line| line.contains(word)).unwrap_or(0) + 1
}

/// What must hold between the files.
fn relations(state: &OrgState, wrong: &mut Vec<String>) {
    let devices: BTreeSet<&Did> = state.devices.values().map(|d| &d.did).collect();
    let mut keys = BTreeSet::new();
    for (name, member) in &state.members {
        for key in &member.keys {
            if !devices.contains(&key.device) {
                wrong.push(format!("members/{name}.toml: its key {} is on a device that is not listed.", key.did));
            }
            if devices.contains(&key.did) || !keys.insert(&key.did) {
                wrong.push(format!("members/{name}.toml: the key {} is listed twice.", key.did));
            }
        }
    }
    if devices.len() != state.devices.len() {
        wrong.push("devices/: two devices have one key.".to_owned());
    }
    for (name, device) in &state.devices {
        if !state.members.contains_key(&device.owner) {
            wrong.push(format!("devices/{name}.toml: its owner “{}” is not a member.", domain::shown(&device.owner)));
        }
    }
    for (name, agent) in &state.agents {
        if !keys.contains(&agent.answers) {
            wrong.push(format!("agents/{name}.toml: {} answers for it, but is no member's key.", agent.answers));
        }
    }
    revoked(state, wrong);
    let rids: BTreeSet<_> = state.projects.values().map(|p| &p.rid).collect();
    if rids.len() != state.projects.len() {
        wrong.push("projects/: two projects have one repository.".to_owned());
    }
    // Keys sign, not roles: an owner without a key keeps nobody able to change the org.
    let owners = state.owner_keys().len();
    let threshold = usize::try_from(state.org.threshold).unwrap_or(usize::MAX);
    if owners == 0 {
        wrong.push("members/: no owner has a key, so nobody could change the org any more.".to_owned());
    } else if threshold == 0 || threshold > owners {
        wrong.push(format!("org.toml: the threshold is {threshold}, and {}.", with_keys(owners)));
    }
}

fn with_keys(owners: usize) -> String {
    match owners {
        1 => "there is one owner who has a key".into(),
        _ => format!("there are {owners} owners who have a key"),
    }
}

/// A member's standby device is one of theirs.
fn standbys(state: &OrgState, files: &BTreeMap<String, Vec<u8>>, wrong: &mut Vec<String>) {
    for (name, member) in &state.members {
        let Some(standby) = member.standby.as_ref().filter(|did| !member.has_key_on(did)) else { continue };
        let path = format!("members/{name}.toml");
        let line = files.get(&path).map_or(1, |content| line_of(content, standby.as_str()));
        wrong.push(format!("{path}, line {line}: the standby device {standby} is none on which this member has a key."));
    }
}

/// The gates of a project are one device of the org, or three: with two, one that is away would stop all merges.
fn gates(state: &OrgState, files: &BTreeMap<String, Vec<u8>>, wrong: &mut Vec<String>) {
    for (name, project) in &state.projects {
        let path = format!("projects/{name}.toml");
        let line = files.get(&path).map_or(1, |content| line_of(content, "gates"));
        let different: BTreeSet<_> = project.gates.iter().collect();
        if !matches!(project.gates.len(), 0 | 1 | GATES_MAX) || different.len() < project.gates.len() {
            let count = project.gates.len();
            wrong.push(format!("{path}, line {line}: it has {count} gates; a project has one, or {GATES_MAX} different ones."));
        }
        for gate in project.gates.iter().filter(|gate| state.device_of(gate).is_none()) {
            wrong.push(format!("{path}, line {line}: its gate {gate} is not a device of the org."));
        }
    }
}

/// A revoked key counts nowhere, so nothing may name it.
fn revoked(state: &OrgState, wrong: &mut Vec<String>) {
    for gone in state.revoked.iter().chain(&state.ended) {
        let member = state.members.values().find(|m| m.keys.iter().any(|k| k.did == gone.did));
        let device = state.devices.values().find(|d| d.did == gone.did);
        let at = member.map(|m| format!("members/{}.toml", m.name)).or_else(|| device.map(|d| format!("devices/{}.toml", d.name)));
        if let Some(file) = at {
            wrong.push(format!("{file}: the key {} counts no more (revoked.toml).", gone.did));
        }
    }
}

#[cfg(test)]
mod tests;
