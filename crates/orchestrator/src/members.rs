//! Changes of who and what belongs to the org, as files of its repository. Each is made from the state in force, and is in force or
//! proposed afterwards.

use crate::{clock, org::Org};
use domain::{
    AgentName, Did, Problem,
    actor::Actor,
    event::Body,
    join::{Admits, Joiner},
    org::{Device, KeyKind, Member, MemberKey, Revocation, Revoked},
    role::Role,
};
use forge::{Changed, OrgState};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Files as they are to be; none: removed.
pub type Files = Vec<(String, Option<Vec<u8>>)>;

/// Whether keys that go were lost, or merely end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Nothing of them is taken any more.
    Revoked(String),
    /// What they made stays.
    Ended(String),
}

/// Makes a change of the org as this member: in force at once, or proposed. Journaled with who asked for it.
///
/// # Errors
/// When the org would not be whole with it.
pub async fn change(
    org: &Arc<Org>,
    actor: &Actor,
    what: String,
    files: impl FnOnce(&Org, &OrgState) -> Result<Files, Problem> + Send + 'static,
) -> Result<Changed, Problem> {
    let message = what.clone();
    let changed = org
        .blocking(move |org| {
            let files = files(org, &org.state()?)?;
            let changed = org.forge.change_or_propose(&org.rid, &message, &files)?;
            org.look_at_head();
            Ok(changed)
        })
        .await?;
    org.kept.notify_one();
    let (commit, proposal) = match &changed {
        Changed::InForce(commit) => (Some(commit.clone()), None),
        Changed::Proposed(id) => (None, Some(id.clone())),
    };
    org.record(actor, vec![Body::OrgChanged { what, commit, proposal }]).await?;
    Ok(changed)
}

/// Takes somebody in who knocked.
///
/// # Errors
/// When the org changed so that they fit no more.
pub fn admit(state: &OrgState, joiner: &Joiner) -> Result<Files, Problem> {
    let knock = &joiner.knock;
    let key = MemberKey { did: knock.member.clone(), device: knock.device.clone() };
    let member = match &joiner.admits {
        Admits::Member { role } => {
            if state.members.contains_key(&knock.name) {
                return Err(Problem::conflict(format!("The org has a member “{}” already.", knock.name))
                    .next("Decline this one, and ask them to join under another name."));
            }
            Member { name: knock.name.clone(), roles: vec![*role], standby: None, keys: vec![key] }
        }
        Admits::Device { member } => {
            let mut member = ticket_member(state, member, &knock.device_name)?.clone();
            member.keys.push(key);
            member
        }
    };
    let device = Device {
        addresses: knock.addresses.clone(),
        radicle: knock.radicle.clone(),
        gossip: knock.gossip.clone(),
        ..Device::new(free_name(state, &knock.device_name), knock.device.clone(), &member.name)
    };
    Ok(vec![file(member_path(&member.name), &member)?, file(device_path(&device.name), &device)?])
}

/// The member whom a ticket lets one more device join for: by the name that they had when it was made.
///
/// # Errors
/// When nobody has that name any more: with the way out for the device that waits.
fn ticket_member<'a>(state: &'a OrgState, name: &str, device: &str) -> Result<&'a Member, Problem> {
    member_of(state, name).map_err(|gone| {
        let (name, device) = (domain::shown(name), domain::shown(device));
        Problem::conflict(format!("{device} came with a ticket for a device of “{name}”, and no member has that name any more."))
            .because(format!("A ticket keeps the name that it was made with. {}", gone.next.unwrap_or_default()))
            .next(format!(
                "Decline it: meshwork org reject {device}. Then make another ticket with the new name: meshwork org invite --member <name>."
            ))
    })
}

/// Gives a member these roles.
///
/// # Errors
/// When there is no such member.
pub fn set_roles(state: &OrgState, name: &str, roles: Vec<Role>) -> Result<Files, Problem> {
    let member = Member { roles, ..member_of(state, name)?.clone() };
    Ok(vec![file(member_path(name), &member)?])
}

/// Renames a member, and in the devices that they own.
///
/// # Errors
/// When there is no such member, or the name is taken.
pub fn rename_member(state: &OrgState, name: &str, to: &str) -> Result<Files, Problem> {
    crate::names::check_person(to)?;
    let member = Member { name: to.to_owned(), ..member_of(state, name)?.clone() };
    if state.members.contains_key(to) {
        return Err(taken("member", to));
    }
    let mut files = vec![(member_path(name), None), file(member_path(to), &member)?];
    for device in state.devices.values().filter(|d| d.owner == name) {
        files.push(file(device_path(&device.name), &Device { owner: to.to_owned(), ..device.clone() })?);
    }
    files.extend(quotas_after(state, &files, Some(to))?);
    Ok(files)
}

/// Names the device of a member through which their runs elsewhere reach a model while the one that asked is away; none: no more.
///
/// # Errors
/// When there is no such member or device, or the member has no key on it.
pub fn set_standby(state: &OrgState, name: &str, device: Option<&str>) -> Result<Files, Problem> {
    let member = member_of(state, name)?;
    let standby = device.map(|device| device_of(state, device)).transpose()?.map(|device| device.did.clone());
    if standby.as_ref().is_some_and(|did| !member.has_key_on(did)) {
        return Err(Problem::invalid(format!("{} has no key on this device.", domain::shown(name)))
            .next("A standby device is one of the member's own: meshwork org invite --device lets one more join."));
    }
    Ok(vec![file(member_path(name), &Member { standby, ..member.clone() })?])
}

/// What is to change in a device.
#[derive(Clone, Debug, Default)]
pub struct DeviceChange {
    /// Another name.
    pub name: Option<String>,
    /// Where its mesh port is.
    pub addresses: Option<Vec<String>>,
    /// Where its Radicle node is.
    pub radicle: Option<Vec<String>>,
    /// Where its gossip is.
    pub gossip: Option<Vec<String>>,
    /// Promises; an empty value takes one back.
    pub tags: BTreeMap<String, String>,
}

/// Changes a device.
///
/// # Errors
/// When there is no such device, or a part is not in order.
pub fn set_device(state: &OrgState, name: &str, change: DeviceChange) -> Result<Files, Problem> {
    let mut device = device_of(state, name)?.clone();
    for address in change.addresses.iter().chain(&change.radicle).chain(&change.gossip).flatten() {
        if !domain::join::is_address(address) {
            return Err(Problem::invalid(format!("“{}” is not an address.", domain::shown(address))).next("Write it as host:port."));
        }
    }
    device.addresses = change.addresses.unwrap_or(device.addresses);
    device.radicle = change.radicle.unwrap_or(device.radicle);
    device.gossip = change.gossip.unwrap_or(device.gossip);
    for (tag, value) in change.tags {
        if value.is_empty() {
            device.tags.remove(&tag)
        } else {
            domain::lend::check_tag(&tag, &value)?;
            device.tags.insert(tag, value)
        };
    }
    let mut files = vec![];
    if let Some(to) = change.name.filter(|to| to != name) {
        crate::names::check_person(&to)?;
        if state.devices.contains_key(&to) {
            return Err(taken("device", &to));
        }
        files.push((device_path(name), None));
        device.name = to;
    }
    files.push(file(device_path(&device.name), &device)?);
    files.extend(quotas_after(state, &files, Some(&device.name))?);
    Ok(files)
}

/// Removes a device, and the keys of its member on it.
///
/// # Errors
/// When there is no such device.
pub fn remove_device(state: &OrgState, name: &str, how: &Parting) -> Result<Files, Problem> {
    let device = device_of(state, name)?;
    let mut files = vec![(device_path(name), None)];
    let mut gone = vec![(device.did.clone(), KeyKind::Device)];
    for member in state.members.values() {
        let (on_it, rest): (Vec<MemberKey>, _) = member.keys.iter().cloned().partition(|key| key.device == device.did);
        if !on_it.is_empty() {
            gone.extend(on_it.into_iter().map(|key| (key.did, KeyKind::Member)));
            let standby = member.standby.clone().filter(|did| *did != device.did);
            let left = Member { keys: rest, standby, ..member.clone() };
            files.push(file(member_path(&member.name), &left)?);
        }
    }
    files.push(parted(state, gone, how)?);
    files.extend(agents_without(state, &files)?);
    files.extend(quotas_after(state, &files, None)?);
    Ok(files)
}

/// Removes a member with their keys and devices.
///
/// # Errors
/// When there is no such member.
pub fn remove_member(state: &OrgState, name: &str, how: &Parting) -> Result<Files, Problem> {
    let member = member_of(state, name)?;
    let mut files = vec![(member_path(name), None)];
    let mut gone: Vec<_> = member.keys.iter().map(|key| (key.did.clone(), KeyKind::Member)).collect();
    for device in state.devices.values().filter(|d| d.owner == name) {
        files.push((device_path(&device.name), None));
        gone.push((device.did.clone(), KeyKind::Device));
    }
    files.push(parted(state, gone, how)?);
    files.extend(agents_without(state, &files)?);
    files.extend(quotas_after(state, &files, None)?);
    Ok(files)
}

/// Removes an agent.
///
/// # Errors
/// When what is left cannot be written.
pub fn remove_agent(state: &OrgState, name: &AgentName) -> Result<Files, Problem> {
    let mut files = vec![(format!("agents/{name}.toml"), None)];
    files.extend(quotas_after(state, &files, None)?);
    Ok(files)
}

/// The org's quotas where they name whom these files take out: under the new name, where there is one, else no more.
fn quotas_after(state: &OrgState, files: &Files, renamed: Option<&str>) -> Result<Files, Problem> {
    let mut quotas = state.quotas.clone();
    for (path, _) in files.iter().filter(|(_, content)| content.is_none()) {
        match path.strip_suffix(".toml").and_then(|path| path.split_once('/')) {
            Some(("members", name)) => rename_in(&mut quotas.members, name, renamed),
            Some(("devices", name)) => rename_in(&mut quotas.shares, name, renamed),
            Some(("agents", name)) => quotas.agents.retain(|agent, _| agent.as_str() != name),
            _ => {}
        }
    }
    if quotas == state.quotas { Ok(vec![]) } else { Ok(vec![file("quotas.toml".into(), &quotas)?]) }
}

fn rename_in<T>(all: &mut BTreeMap<String, T>, name: &str, to: Option<&str>) {
    if let (Some(value), Some(to)) = (all.remove(name), to) {
        all.insert(to.to_owned(), value);
    }
}

/// Agents for whom a key answered that goes: an owner's answers from then on, until somebody sets the agent anew.
fn agents_without(state: &OrgState, files: &Files) -> Result<Files, Problem> {
    let Some((_, Some(revoked))) = files.iter().find(|(path, _)| path == "revoked.toml") else { return Ok(vec![]) };
    let text = std::str::from_utf8(revoked).map_err(Problem::internal)?;
    let parted: Revoked = toml::from_str(text).map_err(Problem::internal)?;
    let gone = |did: &Did| parted.revoked.iter().chain(&parted.ended).any(|r| r.did == *did);
    let heir = state.owner_keys().into_iter().find(|did| !gone(did));
    let mut changed = vec![];
    for agent in state.agents.values().filter(|agent| gone(&agent.answers)) {
        let content = heir.clone().map(|answers| domain::agent::Agent { answers, ..agent.clone() });
        changed.push(match content {
            Some(agent) => file(format!("agents/{}.toml", agent.name), &agent)?,
            None => (format!("agents/{}.toml", agent.name), None),
        });
    }
    Ok(changed)
}

fn parted(state: &OrgState, gone: Vec<(Did, KeyKind)>, how: &Parting) -> Result<(String, Option<Vec<u8>>), Problem> {
    let mut all = Revoked { revoked: state.revoked.clone(), ended: state.ended.clone() };
    let (list, why) = match how {
        Parting::Revoked(why) => (&mut all.revoked, why),
        Parting::Ended(why) => (&mut all.ended, why),
    };
    let at = clock::now();
    list.extend(gone.into_iter().map(|(did, kind)| Revocation { name: state.called(&did), did, kind, at, why: domain::shown(why) }));
    file("revoked.toml".into(), &all)
}

/// A member, by name.
///
/// # Errors
/// When there is none of that name.
pub fn member_of<'a>(state: &'a OrgState, name: &str) -> Result<&'a Member, Problem> {
    let names = state.members.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    state
        .members
        .get(name)
        .ok_or_else(|| Problem::not_found(format!("There is no member “{}”.", domain::shown(name))).next(format!("There are: {names}.")))
}

/// A device, by name.
///
/// # Errors
/// When there is none of that name.
pub fn device_of<'a>(state: &'a OrgState, name: &str) -> Result<&'a Device, Problem> {
    let names = state.devices.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    state
        .devices
        .get(name)
        .ok_or_else(|| Problem::not_found(format!("There is no device “{}”.", domain::shown(name))).next(format!("There are: {names}.")))
}

fn taken(what: &str, name: &str) -> Problem {
    Problem::conflict(format!("There is a {what} “{}” already.", domain::shown(name))).next("Take another name.")
}

/// A name for a device that no other has.
fn free_name(state: &OrgState, wanted: &str) -> String {
    let free = |name: &String| !state.devices.contains_key(name);
    let numbered = (2..).map(|n| format!("{}-{n}", wanted.chars().take(28).collect::<String>()));
    std::iter::once(wanted.to_owned()).chain(numbered).find(free).unwrap_or_default()
}

fn member_path(name: &str) -> String {
    format!("members/{name}.toml")
}

fn device_path(name: &str) -> String {
    format!("devices/{name}.toml")
}

fn file(path: String, value: &impl Serialize) -> Result<(String, Option<Vec<u8>>), Problem> {
    Ok((path, Some(toml::to_string_pretty(value).map_err(Problem::internal)?.into_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_device_whose_ticket_names_a_renamed_member_is_told_the_way_out() {
        let members = [fixtures::member("ada", Role::Owner, &[])].into();
        let state = OrgState { members, ..fixtures::state() };
        assert_eq!(ticket_member(&state, "ada", "lap").unwrap().name, "ada");
        let problem = ticket_member(&state, "owner", "lap").unwrap_err();
        assert!(problem.what.contains("“owner”") && problem.why.unwrap().contains("There are: ada."));
        assert!(problem.next.unwrap().contains("meshwork org reject lap"));
    }
}
