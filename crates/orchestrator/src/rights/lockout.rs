//! What nobody of the org could do any more under rules that are to come. Owners keep the org itself by the built-in rules: they can
//! always change its members, devices and policy, and so take back whatever else they shut themselves out of.

use super::{Rights, about, person};
use crate::table;
use domain::{Kind, Problem, role::Permission};
use policy::{Principal, Resource};

/// The permissions that no member has: for nothing that the org lists. Of rules with mistakes nothing is said.
pub(crate) fn locked(rights: &Rights) -> Vec<Permission> {
    if !rights.rules.mistakes.is_empty() {
        return vec![];
    }
    let (members, things) = (rights.state.members.values().map(person).collect::<Vec<_>>(), things(rights));
    Permission::ALL.into_iter().filter(|permission| !members.iter().any(|who| has(rights, who, *permission, &things))).collect()
}

/// Refuses rules under which nobody could do any more what somebody may now.
///
/// # Errors
/// When they are such.
pub(crate) fn refuse(now: &Rights, then: &Rights) -> Result<(), Problem> {
    let mut lost = locked(then);
    if !lost.is_empty() {
        let before = locked(now);
        lost.retain(|permission| !before.contains(permission));
    }
    let Some(why) = words(&lost) else { return Ok(()) };
    Err(Problem::new(Kind::Conflict, "This policy locks everybody out.")
        .because(why)
        .next("Leave it to somebody, as to Role::\"owner\"; or set it all the same: --anyway, over HTTP anyway: true. Owners can always take it back."))
}

/// What is locked, as a sentence; none where nothing is.
pub(crate) fn words(locked: &[Permission]) -> Option<String> {
    let word = |permission: &Permission| serde_json::to_value(permission).ok()?.as_str().map(str::to_owned);
    let words: Vec<String> = locked.iter().filter_map(word).collect();
    (!words.is_empty()).then(|| format!("No member of the org may any of: {}.", words.join(", ")))
}

/// What the org lists that somebody may act upon.
fn things(rights: &Rights) -> Vec<Resource> {
    let state = &rights.state;
    let devices = state.devices.values().map(|device| Resource::Device(device.name.clone(), device.owner.clone()));
    std::iter::once(Resource::Org)
        .chain(devices)
        .chain(state.projects.keys().cloned().map(Resource::Project))
        .chain(state.agents.keys().cloned().map(Resource::Agent))
        .chain(state.members.keys().cloned().map(Resource::Member))
        .collect()
}

/// Whether somebody has a permission for one of these: an action of it, or, of a device, all of it, since a device is always its owner's.
fn has(rights: &Rights, who: &Principal, permission: Permission, things: &[Resource]) -> bool {
    let of_it = || table::table().iter().filter(move |action| action.permission == permission).map(|action| action.name);
    let may = |action: &str, what: &Resource| about::fits(action, what) && rights.decide(who, action, what).is_ok_and(|d| d.allowed);
    things.iter().any(|what| match what {
        Resource::Device(..) => of_it().all(|action| may(action, what)),
        _ => of_it().any(|action| may(action, what)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        org::{self, Device, Member, MemberKey},
        role::Role,
    };
    use forge::OrgState;
    use identity::Key;
    use std::collections::BTreeMap;

    /// Ada owns the org and its only device; what stands in `policy/team.cedar`, beside the usual files, is this.
    fn rights(team: &str) -> Rights {
        let (device, member) = (Key::from_seed(&[1; 32]).did(), Key::from_seed(&[2; 32]).did());
        let org = org::Org { version: org::VERSION, name: "crew".parse().unwrap(), threshold: 1 };
        let keys = vec![MemberKey { did: member, device: device.clone() }];
        let ada = Member { name: "ada".into(), roles: vec![Role::Owner], standby: None, keys };
        let members = [("ada".to_owned(), ada)].into();
        let devices = [("laptop".to_owned(), Device::new("laptop", device, "ada"))].into();
        let (agents, projects, quotas) = Default::default();
        let (commit, revoked, ended) = ("c".repeat(40).parse().unwrap(), vec![], vec![]);
        let state = OrgState { org, members, devices, agents, projects, quotas, commit, revoked, ended, refused: None };
        let usual = policy::files().into_iter().map(|(path, text)| (path, text.into_bytes()));
        let files: BTreeMap<String, Vec<u8>> = usual.chain([("policy/team.cedar".to_owned(), team.as_bytes().to_vec())]).collect();
        Rights { state, rules: policy::Rules::new(crate::rights::scheme().unwrap(), &files).unwrap().into() }
    }

    #[test]
    fn a_policy_that_shuts_everybody_out_is_told_and_what_owners_always_keep_is_not() {
        let usual = rights("");
        assert!(locked(&usual).is_empty());
        let shut = rights("forbid (principal, action, resource);");
        let lost = locked(&shut);
        assert!(lost.contains(&Permission::RunTasks) && lost.contains(&Permission::Merge), "{lost:?}");
        assert!(!lost.contains(&Permission::ManageOrg) && !lost.contains(&Permission::View), "{lost:?}");
        let problem = refuse(&usual, &shut).unwrap_err();
        assert!(problem.kind == Kind::Conflict && problem.to_string().contains("run_tasks, "), "{problem}");
        assert_eq!(refuse(&shut, &shut), Ok(()), "nothing more is lost");
    }

    #[test]
    fn what_is_left_to_somebody_or_not_in_order_is_not_told() {
        let others = rights("forbid (principal, action == Action::\"task.run\", resource) unless { principal in Role::\"owner\" };");
        assert!(locked(&others).is_empty() && words(&[]).is_none());
        assert!(locked(&rights("forbid (principal, action == Action::\"task.fly\", resource);")).is_empty());
    }
}
