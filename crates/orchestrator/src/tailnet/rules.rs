//! The org's rules in the policy of its Headscale server: made from the org repository, written where they are not there, and what they
//! replace is kept on this device: the server has no compare-and-swap and no history that can be asked for.

use crate::{
    clock,
    data_dir::{make_private, storage, write_private},
    limits,
    org::Org,
    rights::Rights,
};
use ::policy::Resource;
use domain::{OrgName, Problem, org};
use mesh::tailnet::{headscale::Headscale, policy, rewrite::rewrite};
use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What may be done by those whose Join ports are reached.
const INVITE: &str = "org.invite";
/// Policies that were replaced, beside the settings of the tailnet.
const REPLACED: &str = "policies";
/// What their names end with.
const EXTENSION: &str = "hujson";

/// Writes the org's rules into the policy where they are not there; gives the policy.
pub(super) async fn apply(org: &Arc<Org>, api: &Headscale) -> Result<String, Problem> {
    let rights = org.blocking(|org| org.rights()).await?;
    let user = api.user(org.name.as_str()).await?;
    // It publishes its address only where there are others; and as long as there are none, nobody else writes these rules.
    let alone = rights.state.devices.len() == 1 && rights.state.device_of(&org.device).is_some();
    let unpublished = org.tailnet.ip().filter(|_| alone);
    let (input, dir) = (input(&org.name, &user.name, &rights, unpublished), org.dir.tailnet().join(REPLACED));
    let done = rewrite(api, |present| policy::apply(present, &input), |replaced| keep(&dir, &org.name, replaced)).await?;
    if done.begun {
        tracing::warn!(
            "the policy of the Headscale server had no rules, so everything reached everything; from now on only what rules allow: write \
             some for other machines there"
        );
    }
    if done.written {
        tracing::info!(before = %dir.display(), "the tailnet's policy is as the org says");
    }
    Ok(done.policy)
}

/// Takes the org's rules out of the policy; what people wrote stays.
pub(super) async fn withdraw(org: &Org, api: &Headscale) -> Result<(), Problem> {
    let dir = org.dir.tailnet().join(REPLACED);
    rewrite(api, |present| policy::withdraw(present, &org.name), |replaced| keep(&dir, &org.name, replaced)).await.map(drop)
}

/// Keeps a policy that is about to be replaced, unless what people wrote in it is kept already. The oldest goes where there are many.
fn keep(dir: &Path, org: &OrgName, replaced: &str) -> Result<(), Problem> {
    let by_hand = |text: &str| policy::withdraw(text, org).unwrap_or_else(|_| text.to_owned());
    if replaced.trim().is_empty() {
        return Ok(());
    }
    make_private(dir)?;
    let files = fs::read_dir(dir).map_err(|error| storage(dir, &error))?;
    let is_kept = |path: &PathBuf| path.extension().is_some_and(|e| e == EXTENSION);
    let mut kept: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).filter(is_kept).collect();
    kept.sort();
    let wanted = by_hand(replaced);
    if kept.iter().any(|file| fs::read_to_string(file).is_ok_and(|text| by_hand(&text) == wanted)) {
        return Ok(());
    }
    // A name is a moment in milliseconds, and none is given twice.
    let last = kept.last().and_then(|file| file.file_stem()?.to_str()?.parse::<i64>().ok()).unwrap_or_default();
    let name = format!("{}.{EXTENSION}", clock::now().0.max(last.saturating_add(1)));
    write_private(&dir.join(name), replaced.as_bytes())?;
    for old in kept.iter().take((kept.len() + 1).saturating_sub(limits::TAILNET_POLICIES_KEPT)) {
        let _ = fs::remove_file(old);
    }
    Ok(())
}

/// What the rules are made from: what the org repository says, so that every device makes the same of it, and two that write them do not
/// undo each other's. `unpublished` is the address of an org's only device.
fn input(org: &OrgName, user: &str, rights: &Rights, unpublished: Option<IpAddr>) -> policy::Input {
    let state = &rights.state;
    let ports = |of: fn(&org::Device) -> &Vec<String>| -> BTreeSet<u16> {
        state.devices.values().flat_map(of).filter_map(|a| in_tailnet(a)).map(|at| at.port()).collect()
    };
    let may = |member: &org::Member| rights.member_may(member, INVITE, &Resource::Org);
    let inviting: Vec<&org::Device> = state.devices.values().filter(|d| state.members.get(&d.owner).is_some_and(may)).collect();
    let unpublished = unpublished.filter(|_| !inviting.is_empty());
    let published = inviting.iter().flat_map(|device| &device.addresses).filter_map(|a| in_tailnet(a)).map(|at| at.ip());
    policy::Input {
        org: org.clone(),
        user: user.to_owned(),
        mesh: ports(|device| &device.addresses),
        gossip: ports(|device| &device.gossip),
        radicle: ports(|device| &device.radicle),
        join: published.chain(unpublished).map(|ip| SocketAddr::new(ip, policy::JOIN)).collect(),
    }
}

/// An address of the ranges that tailnets have.
pub(crate) fn in_tailnet(address: &str) -> Option<SocketAddr> {
    let at: SocketAddr = address.parse().ok()?;
    let fits = match at.ip() {
        IpAddr::V4(ip) => ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => ip.segments().starts_with(&[0xfd7a, 0x115c, 0xa1e0]),
    };
    fits.then_some(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{did, member, rights, state};
    use domain::role::Role;
    use std::collections::BTreeMap;

    #[test]
    fn only_addresses_of_tailnets_count() {
        for (address, counts) in [
            ("100.64.0.1:7421", true),
            ("100.127.255.1:1", true),
            ("100.128.0.1:1", false),
            ("127.0.0.1:7421", false),
            ("[fd7a:115c:a1e0::1]:7421", true),
            ("[fd7b::1]:7421", false),
            ("box.example:7421", false),
        ] {
            assert_eq!(in_tailnet(address).is_some(), counts, "{address}");
        }
    }

    #[test]
    fn the_join_ports_of_all_who_may_invite_are_reached_whoever_writes_the_rules() {
        let mut state = state();
        for (name, role, letter, address) in [
            ("ada", Role::Owner, 'a', "100.64.0.1:7421"),
            ("bob", Role::Maintainer, 'b', "100.64.0.2:7421"),
            ("eve", Role::Developer, 'e', "100.64.0.5:7421"),
        ] {
            let device =
                org::Device { addresses: vec![address.into(), "10.0.0.7:7421".into()], ..org::Device::new(name, did(letter), name) };
            state.devices.insert(name.into(), device);
            state.members.extend([member(name, role, &[letter])]);
        }
        let crew: OrgName = "crew".parse().unwrap();
        let joined = |rights: &Rights, unpublished| -> Vec<String> {
            input(&crew, "crew", rights, unpublished).join.iter().map(ToString::to_string).collect()
        };
        let usual = rights(state.clone());
        assert_eq!(joined(&usual, None), ["100.64.0.1:7423"]);
        let text = "permit (principal is Member in Role::\"maintainer\", action == Action::\"org.invite\", resource);";
        let mut files: BTreeMap<String, Vec<u8>> = ::policy::files().into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
        files.insert("policy/inviting.cedar".into(), text.into());
        assert_eq!(joined(&usual.with(&files).unwrap(), None), ["100.64.0.1:7423", "100.64.0.2:7423"]);

        state.devices.retain(|name, _| name == "ada");
        let own = Some("100.64.0.9".parse().unwrap());
        assert_eq!(joined(&rights(state.clone()), own), ["100.64.0.1:7423", "100.64.0.9:7423"], "nobody is there who could read it");
        state.members.get_mut("ada").unwrap().roles = vec![Role::Viewer];
        assert!(joined(&rights(state), own).is_empty());
    }

    #[test]
    fn what_people_wrote_is_kept_once_whatever_our_rules_were_and_not_without_end() {
        let (dir, org): (_, OrgName) = (tempfile::tempdir().unwrap(), "acme".parse().unwrap());
        let texts = || -> Vec<String> {
            let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
        };
        let rules = |port: u16| {
            let (none, gossip, join) = (BTreeSet::new, BTreeSet::from([port]), BTreeSet::new());
            let input = policy::Input { org: org.clone(), user: "acme".into(), mesh: none(), gossip, radicle: none(), join };
            policy::apply("{\"hosts\": {\"nas\": \"100.64.0.7\"}}", &input).unwrap()
        };
        for replaced in [String::new(), " \n".to_owned(), rules(1), rules(2), rules(1)] {
            keep(dir.path(), &org, &replaced).unwrap();
        }
        assert_eq!(texts(), [rules(1)]);
        for number in 0..limits::TAILNET_POLICIES_KEPT {
            keep(dir.path(), &org, &format!("{{}} // {number}")).unwrap();
        }
        let kept = texts();
        assert_eq!((kept.len(), kept[0].as_str()), (limits::TAILNET_POLICIES_KEPT, "{} // 0"), "the oldest went");
    }
}
