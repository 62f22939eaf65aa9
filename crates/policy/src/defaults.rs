//! The policies that an org begins with, a file for each role and one for everybody, and the built-in rules beneath every org's own.

use crate::schema::group;
use domain::role::{Permission, Role};
use std::collections::BTreeMap;

/// The folder of policies in the org repository.
pub const FOLDER: &str = "policy/";

/// Beneath every org's own rules. A built-in `permit` is taken away by no file, so that a broken policy never locks the
/// owners out; a built-in `forbid` is opened by none.
pub(crate) const BUILT_IN: &str = r#"@id("owners-keep-the-keys")
@says("Owners may always see the org, and change its members, devices and policy.")
permit (principal is Member in Role::"owner", action in [Action::"view", Action::"manage_org"], resource);

@id("devices-are-their-owners")
@says("Whoever owns a device keeps it: what runs there, its engines, tokens and backups, and which orgs it is in.")
permit (
  principal is Member,
  action in [Action::"view", Action::"manage_device", Action::"manage_agents", Action::"manage_credentials", Action::"manage_tokens", Action::"backup.create", Action::"org.create", Action::"org.join"],
  resource is Device
) when { resource.owner == principal };

@id("keys-are-their-owners")
@says("Whoever owns a device keeps the credentials that lie on it.")
permit (principal is Member, action in Action::"manage_credentials", resource is Credential) when { resource.owner == principal };

@id("agents-change-no-rules")
@says("Agents change neither the org nor its credentials and tokens, and merge nothing: people do.")
forbid (
  principal is Agent,
  action in [Action::"manage_org", Action::"manage_credentials", Action::"manage_tokens", Action::"manage_projects", Action::"manage_agents", Action::"manage_device", Action::"merge"],
  resource
);
"#;

/// The files that an org begins with, by path. They count too where an org has no file of policies.
#[must_use]
pub fn files() -> BTreeMap<String, String> {
    let roles = Role::ALL.into_iter().map(|role| (format!("{FOLDER}{}.cedar", role.name()), file(role)));
    roles.chain([(format!("{FOLDER}everybody.cedar"), EVERYBODY.to_owned())]).collect()
}

/// What members may beside their roles. What is not an owner's is a proposal, which counts once owners sign it.
const EVERYBODY: &str = r#"// What everybody may, whatever their roles. Who is no owner only proposes it: it counts once owners sign it.
@id("oneself")
@says("Members may rename themselves, and say which of their devices stands in for the others.")
permit (principal is Member, action in [Action::"member.rename", Action::"member.standby"], resource is Member) when { resource == principal };

@id("own-devices")
@says("Members may change, halt and take out their own devices.")
permit (principal is Member, action in [Action::"device.change", Action::"device.remove", Action::"stop.order", Action::"stop.lift"], resource is Device) when { resource.owner == principal };
"#;

fn file(role: Role) -> String {
    let (name, says) = (role.name(), says(role));
    let head = format!("// {says}\n// `meshwork policy check` checks this file; `meshwork policy explain` says which rule decides.\n");
    let all = Permission::ALL.into_iter().all(|p| role.allows(p));
    let groups = Permission::ALL.into_iter().filter(|p| role.allows(*p)).map(|p| format!("Action::\"{}\"", group(p)));
    let action = if all { "action".to_owned() } else { format!("action in [{}]", groups.collect::<Vec<_>>().join(", ")) };
    format!("{head}@id(\"{name}\")\n@says(\"{says}\")\npermit (principal in Role::\"{name}\", {action}, resource);\n")
}

fn says(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owners may do everything.",
        Role::Maintainer => "Maintainers keep projects: agents, merging, this machine; not the org, credentials and tokens.",
        Role::Developer => "Developers run tasks, steer runs, write tasks and review.",
        Role::Viewer => "Viewers see.",
        Role::ReviewerBot => "Reviewer bots see and review.",
        Role::Agent => "Agents see what their task needs.",
    }
}
