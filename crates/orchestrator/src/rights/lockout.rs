//! What nobody of the org could do any more under rules that are to come. Owners keep the org itself by the built-in rules: they can
//! always change its members, devices and policy, and so take back whatever else they shut themselves out of.

use super::{Rights, about, person};
use crate::table;
use domain::{
    Kind, Problem,
    org::Member,
    role::{Permission, Role},
};
use policy::{Principal, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// Of members whom no rule can tell apart so many are asked: one can be asked about the other.
const ALIKE: usize = 2;

/// The permissions that no member has: for nothing that the org lists. Of rules with mistakes nothing is said.
pub(crate) fn locked(rights: &Rights) -> Vec<Permission> {
    if !rights.rules.mistakes.is_empty() {
        return vec![];
    }
    let people = people(rights);
    let asked: Vec<(Resource, Vec<Principal>)> = things(rights, &people).into_iter().map(|what| askers(rights, &people, what)).collect();
    let somebody = |permission: Permission| asked.iter().any(|(what, who)| who.iter().any(|who| has(rights, who, permission, what)));
    Permission::ALL.into_iter().filter(|permission| !somebody(*permission)).collect()
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

/// The members, as far as rules can tell them apart: those whom a rule names, and of the others a few of each set of roles. An org of
/// hundreds is asked about as fast as a small one.
fn people(rights: &Rights) -> Vec<&Member> {
    let (members, mut alike) = (&rights.state.members, BTreeMap::<&[Role], usize>::new());
    let mut found = Vec::new();
    for member in members.values() {
        if rights.rules.names(&member.name) {
            found.push(member);
            continue;
        }
        let count = alike.entry(member.roles.as_slice()).or_default();
        if *count < ALIKE {
            *count += 1;
            found.push(member);
        }
    }
    found
}

/// What the org lists that somebody may act upon, as far as rules can tell it apart: what a rule names, and of the rest one of each kind,
/// of devices one for each set of roles of their owners.
fn things(rights: &Rights, people: &[&Member]) -> Vec<Resource> {
    let state = &rights.state;
    let one_of = |all: Vec<&String>| -> Vec<String> {
        let (by_name, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|name| rights.rules.names(name));
        by_name.into_iter().chain(others.into_iter().take(1)).cloned().collect()
    };
    let (mut owners, mut devices) = (BTreeSet::new(), Vec::new());
    for device in state.devices.values() {
        let by_name = [&device.name, &device.owner].into_iter().any(|name| rights.rules.names(name));
        if by_name || owners.insert(state.members.get(&device.owner).map(|owner| owner.roles.as_slice())) {
            devices.push(Resource::Device(device.name.clone(), device.owner.clone()));
        }
    }
    std::iter::once(Resource::Org)
        .chain(devices)
        .chain(one_of(state.projects.keys().collect()).into_iter().map(Resource::Project))
        .chain(one_of(state.agents.keys().collect()).into_iter().map(Resource::Agent))
        .chain(people.iter().map(|member| Resource::Member(member.name.clone())))
        .collect()
}

/// A thing, and who is asked about it: of a device its owner too.
fn askers(rights: &Rights, people: &[&Member], what: Resource) -> (Resource, Vec<Principal>) {
    let owner = match &what {
        Resource::Device(_, owner) => rights.state.members.get(owner).filter(|owner| people.iter().all(|one| one.name != owner.name)),
        _ => None,
    };
    let who = people.iter().copied().chain(owner).map(person).collect();
    (what, who)
}

/// Whether somebody has a permission for a thing: an action of it, or, of a device, all of it, since a device is always its owner's.
fn has(rights: &Rights, who: &Principal, permission: Permission, what: &Resource) -> bool {
    let mut of_it = table::table().iter().filter(|action| action.permission == permission).map(|action| action.name);
    let may = |action: &str| about::fits(action, what) && rights.decide(who, action, what).is_ok_and(|d| d.allowed);
    match what {
        Resource::Device(..) => of_it.all(may),
        _ => of_it.any(may),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        org::{Device, MemberKey},
        project::Project,
    };
    use forge::OrgState;
    use identity::Key;

    /// Ada owns the org and its only device; what stands in `policy/team.cedar`, beside the usual files, is this.
    fn rights(team: &str) -> Rights {
        let (device, member) = (Key::from_seed(&[1; 32]).did(), Key::from_seed(&[2; 32]).did());
        let keys = vec![MemberKey { did: member, device: device.clone() }];
        let ada = Member { name: "ada".into(), roles: vec![Role::Owner], standby: None, keys };
        let members = [("ada".to_owned(), ada)].into();
        let devices = [("laptop".to_owned(), Device::new("laptop", device, "ada"))].into();
        let state = OrgState { members, devices, ..crate::fixtures::state() };
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

    /// Two owners, many developers, one who looks on; devices of some; two projects.
    fn crowd(team: &str) -> Rights {
        let mut rights = rights(team);
        let state = &mut rights.state;
        let mut put = |name: &str, roles: Vec<Role>| {
            state.members.insert(name.to_owned(), Member { name: name.to_owned(), roles, standby: None, keys: vec![] })
        };
        put("alan", vec![Role::Owner]);
        put("zoe", vec![Role::Viewer]);
        (1..9).for_each(|n| _ = put(&format!("dev{n}"), vec![Role::Developer]));
        for owner in ["dev5", "dev8", "alan"] {
            let did = Key::from_seed(&[u8::try_from(state.devices.len()).unwrap() + 9; 32]).did();
            state.devices.insert(format!("{owner}-box"), Device::new(format!("{owner}-box"), did, owner));
        }
        for (n, name) in ["one", "two"].into_iter().enumerate() {
            let rid = ["rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "rad:zp7DoqEYEsQMi4WzHtJ8Ki6D4jfG"][n].parse().unwrap();
            let project = Project { name: name.parse().unwrap(), rid, branch: "main".into(), mirror: None, gates: vec![] };
            state.projects.insert(name.to_owned(), project);
        }
        rights
    }

    /// The same by asking everybody about everything.
    fn locked_by_asking_all(rights: &Rights) -> Vec<Permission> {
        let state = &rights.state;
        let devices = state.devices.values().map(|device| Resource::Device(device.name.clone(), device.owner.clone()));
        let things: Vec<Resource> = std::iter::once(Resource::Org)
            .chain(devices)
            .chain(state.projects.keys().cloned().map(Resource::Project))
            .chain(state.members.keys().cloned().map(Resource::Member))
            .collect();
        let members: Vec<Principal> = state.members.values().map(person).collect();
        let somebody = |permission| things.iter().any(|what| members.iter().any(|who| has(rights, who, permission, what)));
        Permission::ALL.into_iter().filter(|permission| !somebody(*permission)).collect()
    }

    #[test]
    fn asking_a_few_of_each_kind_tells_the_same_as_asking_everybody_about_everything() {
        let only = |what: &str| format!("forbid (principal, action, resource) unless {{ {what} }};");
        for team in [
            String::new(),
            only("false"),
            only("principal == Member::\"dev7\""),
            only("principal == Member::\"dev\\u{37}\""),
            only("principal in Role::\"developer\""),
            only("principal in Role::\"agent\""),
            only("resource == Project::\"two\""),
            only("resource == Device::\"dev8-box\""),
            only("!(principal == Member::\"ada\" || principal == Member::\"alan\" || principal == Member::\"dev1\")"),
            "forbid (principal, action, resource == Device::\"alan-box\");".to_owned(),
            only("resource == Member::\"dev6\" && principal in Role::\"owner\""),
            "forbid (principal, action, resource is Member) when { principal == resource };".to_owned(),
            "forbid (principal, action, resource is Device) when { principal == resource.owner };".to_owned(),
            "forbid (principal, action, resource is Device) unless { principal == resource.owner };".to_owned(),
        ] {
            let rights = crowd(&team);
            assert!(rights.rules.mistakes.is_empty(), "{team}: {:?}", rights.rules.mistakes);
            assert_eq!(locked(&rights), locked_by_asking_all(&rights), "{team}");
        }
        let rights = crowd("");
        assert!(people(&rights).len() < 6 && things(&rights, &people(&rights)).len() < 14, "a few are asked about a few");
    }

    #[test]
    fn what_is_left_to_somebody_or_not_in_order_is_not_told() {
        let others = rights("forbid (principal, action == Action::\"task.run\", resource) unless { principal in Role::\"owner\" };");
        assert!(locked(&others).is_empty() && words(&[]).is_none());
        assert!(locked(&rights("forbid (principal, action == Action::\"task.fly\", resource);")).is_empty());
    }
}
